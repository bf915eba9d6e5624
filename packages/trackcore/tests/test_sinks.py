"""Sinks: what was written can be read, and nothing half-written is left."""

from __future__ import annotations

import os
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest

from trackcore.video import FolderWriter, VideoWriter, open_sink, open_video, read_image


def picture(index: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Smooth, so that lossy coding stays close to it."""
    coarse = np.random.default_rng(index).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_video_round_trip(tmp_path, suffix):
    path = tmp_path / "new" / f"out{suffix}"
    with open_sink(path, 25) as sink:
        for index in range(8):
            sink.write(picture(index))
            assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with open_video(path) as source:
        assert (source.size, source.fps) == ((96, 128), 25.0)
        frames = [frame.image for frame in source]
    assert len(frames) == 8
    for index, image in enumerate(frames):
        assert np.abs(image.astype(int) - picture(index)).mean() < 8


def test_without_x264(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with open_sink(tmp_path / "out.mp4", 25) as sink:
        for index in range(3):
            sink.write(picture(index))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    with open_video(tmp_path / "out.mp4") as source:
        for index, frame in enumerate(source):
            assert np.abs(frame.image.astype(int) - picture(index)).mean() < 8


@pytest.mark.parametrize(("height", "width", "padded"), [(95, 128, (96, 128)), (97, 33, (98, 34)), (1, 1, (2, 2))])
def test_odd_sizes_grow_by_one(tmp_path, height, width, padded):
    with open_sink(tmp_path / "odd.mp4", 30) as sink:
        sink.write(picture(0, height, width))
    with open_video(tmp_path / "odd.mp4") as source:
        image = next(source).image
    assert image.shape[:2] == padded
    if height > 1:
        assert np.abs(image[:height, :width].astype(int) - picture(0, height, width)).mean() < 8


@pytest.mark.parametrize("fps", [25, 29.97, 30000 / 1001, 12.5])
def test_rate(tmp_path, fps):
    with open_sink(tmp_path / "rate.mp4", fps) as sink:
        for index in range(3):
            sink.write(picture(index))
    with open_video(tmp_path / "rate.mp4") as source:
        assert source.fps == pytest.approx(fps, rel=1e-4)
        assert [frame.time for frame in source] == pytest.approx([0, 1 / fps, 2 / fps], abs=1e-3)


@pytest.mark.parametrize("without_x264", [False, True])
def test_distance_of_key_frames(tmp_path, monkeypatch, without_x264):
    if without_x264:
        monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with VideoWriter(tmp_path / "keys.mp4", 25, key_frame_every=5) as sink:
        for index in range(23):
            sink.write(picture(index))
    with av.open(str(tmp_path / "keys.mp4")) as container:
        keys = [n for n, packet in enumerate(p for p in container.demux(video=0) if p.size) if packet.is_keyframe]
    assert keys[0] == 0
    assert max(np.diff([*keys, 23])) <= 5
    with pytest.raises(ValueError, match="key frames are at least 1 frame apart, got 0"):
        VideoWriter(tmp_path / "none.mp4", 25, key_frame_every=0)


def test_views_can_be_written(tmp_path):
    with open_sink(tmp_path / "out.mp4", 30) as sink:
        sink.write(picture(0)[:, ::-1])


def test_an_exception_leaves_no_file_and_keeps_the_old_one(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"earlier result")

    def track() -> None:
        with open_sink(path, 30) as sink:
            sink.write(picture(0))
            raise RuntimeError("the tracker failed")

    with pytest.raises(RuntimeError, match="the tracker failed"):
        track()
    assert path.read_bytes() == b"earlier result"
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_no_frame_no_file(tmp_path):
    with open_sink(tmp_path / "out.mp4", 30):
        pass
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_and_writing_after(tmp_path):
    sink = VideoWriter(tmp_path / "out.mp4", 30)
    sink.write(picture(0))
    sink.close()
    sink.close()
    with pytest.raises(ValueError, match=r"out\.mp4: the video is closed"):
        sink.write(picture(1))


def test_size_change_is_refused(tmp_path):
    sink = open_sink(tmp_path / "out.mp4", 30)
    sink.write(picture(0))
    with pytest.raises(ValueError, match=r"began with 128 x 96 and now gets 60 x 50"):
        sink.write(picture(1, 50, 60))
    sink.close()
    with open_video(tmp_path / "out.mp4") as source:
        assert len(list(source)) == 1


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_frames_are_checked(tmp_path, name, image):
    with pytest.raises(ValueError, match="RGB uint8"), open_sink(tmp_path / name, 30) as sink:
        sink.write(image)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_bad_rate(tmp_path, fps):
    with pytest.raises(ValueError, match="must be positive"):
        open_sink(tmp_path / "out.mp4", fps)


def test_unknown_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"out\.gif.*\.mp4"):
        open_sink(tmp_path / "out.gif", 30)


def test_folder(tmp_path):
    with FolderWriter(tmp_path / "out", ".png") as sink:
        sink.write(picture(0))
        sink.write(picture(1, 50, 60))
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["00000001.png", "00000002.png"]
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "00000002.png"), picture(1, 50, 60))


def test_folder_by_name(tmp_path):
    (tmp_path / "run.1").mkdir()
    for path in (tmp_path / "frames", tmp_path / "run.1"):
        with open_sink(path) as sink:
            sink.write(picture(0))
        assert [file.name for file in path.iterdir()] == ["00000001.jpg"]


def test_folder_with_images_is_refused(tmp_path):
    (tmp_path / "00000001.jpg").write_bytes(b"")
    with pytest.raises(FileExistsError, match="already holds images"):
        FolderWriter(tmp_path)


def test_unknown_image_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"'\.gif'"):
        FolderWriter(tmp_path / "out", ".gif")


# A process that may not write files above 20 kB meets the same error path as a full disk.
FULL_DISK = """
import resource, signal, sys
import numpy as np
from trackcore.video import open_sink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0)
try:
    with open_sink(sys.argv[1], 30) as sink:
        for _ in range(40):
            sink.write(noise.integers(0, 256, (128, 160, 3)).astype(np.uint8))
except OSError as error:
    print(error)
else:
    sys.exit("the write limit was not reported")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize(("name", "written"), [("out.mp4", "out.mp4"), ("frames", "00000001.jpg")])
def test_full_disk(tmp_path, name, written):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / name)],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout
    assert written in done.stdout
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
