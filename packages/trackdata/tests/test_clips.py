"""Single frames of video files: the pixels that reading in order gives, whatever the codec does."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest

import trackdata.clips
from trackcore.video import FrameReadError, open_video
from trackdata.clips import ClipFrames, inspect_clip, read_clip, read_frames

FRAMES = 40


def picture(index: int, height: int, width: int) -> np.ndarray:
    """A moving ramp under noise, so that no two frames are alike and prediction from frame to frame pays."""
    noise = np.random.default_rng(index).integers(0, 12, (height, width, 3))
    ramp = (np.arange(width)[None, :, None] * 3 + np.arange(height)[:, None, None] + 7 * index) % 240
    return (ramp + noise).astype(np.uint8)


def write(
    path: Path,
    codec: str = "libx264",
    frames: int = FRAMES,
    pixels: str = "yuv420p",
    gop: int = 12,
    options: dict[str, str] | None = None,
    stamp: Callable[[int], int] | None = None,
) -> Path:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width, stream.pix_fmt = 64, 96, pixels
        stream.codec_context.gop_size = gop
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, 64, 96), format="rgb24")
            if stamp is not None:
                frame.pts = stamp(index)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


# What makes seeking hard, each once: file name -> how it is written.
KINDS = {
    "reordered.mp4": {},  # frames are stored in another order than they are shown
    "open_gop.mp4": {"options": {"x264-params": "open-gop=1:bframes=3:b-adapt=0"}},  # frames before a key frame need it
    "pyramid.mkv": {"options": {"x264-params": "bframes=4:b-pyramid=normal:open-gop=1"}},
    "one_key_frame.mp4": {"gop": 1000},
    "key_frames_only.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "no_b_frames.mp4": {"codec": "mpeg4"},
    "no_times.h264": {},
    "not_sought_exactly.ts": {},
    "uneven_times.mp4": {"stamp": lambda index: index * index + 3 * index},
    "late_start.mkv": {"stamp": lambda index: 500 + index},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "av1.mp4": {"codec": "libsvtav1", "gop": 16},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "no_key_frames_after_the_first.mkv": {"options": {"x264-params": "intra-refresh=1"}, "gop": 20},
}


@pytest.fixture(params=KINDS, scope="module")
def video(request, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("kinds") / request.param, **KINDS[request.param])


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("clips") / "clip.mp4")


def in_order(path: Path) -> list[np.ndarray]:
    with open_video(path) as source:
        return [frame.image for frame in source]


def test_any_frame_is_the_one_that_reading_in_order_gives(video):
    expected = in_order(video)
    assert inspect_clip(video).frames == len(expected) == FRAMES
    for index in np.random.default_rng(0).permutation(FRAMES).tolist():
        np.testing.assert_array_equal(read_clip(video, [index])[0], expected[index], err_msg=f"frame {index}")


def test_several_frames_at_once_in_any_order(video):
    expected = in_order(video)
    indices = [31, 4, 5, 31, 0, 39]
    for index, image in zip(indices, read_clip(video, indices), strict=True):
        np.testing.assert_array_equal(image, expected[index], err_msg=f"frame {index}")


def test_ordinary_files_are_not_read_from_the_start(clip, monkeypatch):
    monkeypatch.setattr(trackdata.clips, "open_video", None)
    assert read_clip(clip, [39, 13])[0].shape == (64, 96, 3)


def test_what_a_file_holds(clip, tmp_path):
    info = inspect_clip(clip)
    assert (info.frames, info.fps, info.duration, info.size) == (FRAMES, 25.0, pytest.approx(FRAMES / 25), (64, 96))
    one = inspect_clip(write(tmp_path / "one.mp4", frames=1))
    assert (one.frames, one.duration) == (1, pytest.approx(1 / 25))
    np.testing.assert_array_equal(read_clip(tmp_path / "one.mp4", [0, 0])[1], in_order(tmp_path / "one.mp4")[0])


def test_rotation_is_applied(tmp_path):
    path = write(tmp_path / "phone.mp4", frames=3)
    data = path.read_bytes()

    def matrix(values):
        return b"".join((value << 16).to_bytes(4, "big", signed=True) for value in values)

    at = data.index(matrix((1, 0, 0, 0, 1, 0, 0, 0, 0x4000)), data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix((0, 1, 0, -1, 0, 0, 0, 0, 0x4000)) + data[at + 36 :])
    assert inspect_clip(path).size == (96, 64)
    np.testing.assert_array_equal(read_clip(path, [2])[0], in_order(path)[2])


def test_frames_of_a_file(clip):
    frames = pickle.loads(pickle.dumps(ClipFrames(clip, FRAMES)))
    expected = in_order(clip)
    assert len(frames) == FRAMES
    np.testing.assert_array_equal(frames[-1], expected[-1])
    with pytest.raises(IndexError):
        frames[FRAMES]
    for frames_like in (frames, expected):
        first, second, third = read_frames(frames_like, [7, 3, 7])
        np.testing.assert_array_equal(first, expected[7])
        np.testing.assert_array_equal(second, expected[3])
        np.testing.assert_array_equal(third, expected[7])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is no video"), (b"\x00" * 2000, "is no video"), (b"x,y,w,h\n1,2,3,4\n", "no video")],
)
def test_files_that_are_no_video(tmp_path, content, message):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    for use in (lambda: read_clip(path, [0]), lambda: inspect_clip(path)):
        with pytest.raises(FrameReadError, match=rf"broken\.mp4.*{message}"):
            use()


def test_a_codec_that_is_not_known(clip, tmp_path):
    path = tmp_path / "new.mp4"
    path.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(FrameReadError, match=r"new\.mp4: this FFmpeg has no decoder"):
        inspect_clip(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FrameReadError, match=r"gone\.mp4"):
        read_clip(tmp_path / "gone.mp4", [0])


def test_frames_that_are_not_there(clip):
    with pytest.raises(FrameReadError, match=r"clip\.mp4: there is no frame 40, the file has 40"):
        read_clip(clip, [1, FRAMES])
    with pytest.raises(ValueError, match="counted from 0"):
        read_clip(clip, [-1])


def test_damage_is_named_and_leaves_the_other_frames(tmp_path):
    path = write(tmp_path / "damaged.mp4")
    expected = in_order(path)
    with av.open(str(path)) as container:
        packets = {packet.pts: (packet.pos, packet.size) for packet in container.demux(video=0) if packet.size}
    at, size = packets[sorted(packets)[24]]  # a key frame
    data = bytearray(path.read_bytes())
    data[at + 4 : at + size] = bytes(size - 4)
    path.write_bytes(data)
    with pytest.raises(FrameReadError, match=r"damaged\.mp4: frame 24 cannot be decoded"):
        read_clip(path, [3, 24])
    for index in (3, 39):
        np.testing.assert_array_equal(read_clip(path, [index])[0], expected[index])


def test_a_file_that_ends_early_has_fewer_frames(tmp_path):
    path = write(tmp_path / "whole.mkv")
    whole = in_order(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    count = inspect_clip(path).frames
    assert 10 < count < FRAMES
    np.testing.assert_array_equal(read_clip(path, [count // 2])[0], whole[count // 2])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_for_themselves(clip, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    frames = ClipFrames(clip, FRAMES)
    here = frames[20]  # a parent that has read before
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        for index, image in zip((20, 5, 33), pool.map(frames.__getitem__, (20, 5, 33)), strict=True):
            np.testing.assert_array_equal(image, here if index == 20 else frames[index])
