"""Sources: the decoder's own pixels, exact positions, and errors that name the source."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from trackcore.video import DEFAULT_FPS, FrameReadError, FrameSource, open_video


def picture(index: int, height: int = 96, width: int = 128) -> np.ndarray:
    image = np.random.default_rng(index).integers(0, 30, (height, width, 3)).astype(np.uint8)
    return cv2.rectangle(image, (3 * index % 80, 20), (3 * index % 80 + 30, 60), (220, 60, 30), -1)


def write_video(path: Path, frames: int = 30, *, rotation: int | None = None, codec: str = "mpeg4") -> Path:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:  # the index comes first
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())
    if rotation is not None:
        # The display matrix of the track header, 16.16 fixed point; this one turns by 90 degrees clockwise.
        turned = {90: (0, 1, 0, -1, 0, 0, 0, 0, 0x4000), 180: (-1, 0, 0, 0, -1, 0, 0, 0, 0x4000)}[rotation]
        identity = (1, 0, 0, 0, 1, 0, 0, 0, 0x4000)
        data = path.read_bytes()
        at = data.index(matrix(identity), data.index(b"tkhd"))
        path.write_bytes(data[:at] + matrix(turned) + data[at + 36 :])
    return path


def matrix(values: tuple[int, ...]) -> bytes:
    return b"".join((value << 16).to_bytes(4, "big", signed=True) for value in values)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "frames"
    path.mkdir()
    for index in (1, 2, 9, 10, 11, 100):
        cv2.imwrite(str(path / f"img{index}.png"), picture(index)[:, :, ::-1])
    (path / "groundtruth.txt").write_text("1,2,3,4")
    (path / "._img3.png").write_bytes(b"left by a Mac")
    return path


def indices(source: FrameSource) -> list[int]:
    with source:
        return [frame.index for frame in source]


def test_video_has_the_pixels_of_pyav(clip):
    with av.open(str(clip)) as container:
        expected = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    with open_video(clip) as source:
        assert (source.fps, source.size, source.length, source.name) == (25.0, (96, 128), 30, str(clip))
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(30))
    for frame, (seconds, image) in zip(frames, expected, strict=True):
        assert frame.time == pytest.approx(seconds)
        np.testing.assert_array_equal(frame.image, image)


def test_video_has_the_pixels_of_opencv(clip):
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    with open_video(clip) as source:
        for frame in source:
            np.testing.assert_array_equal(frame.image, capture.read()[1][:, :, ::-1])


@pytest.mark.parametrize(("start", "stop", "expected"), [(0, 3, [0, 1, 2]), (28, None, [28, 29]), (7, 9, [7, 8])])
def test_range_of_a_video(clip, start, stop, expected):
    with open_video(clip) as whole:
        images = {frame.index: frame for frame in whole}
    with open_video(clip, start=start, stop=stop) as source:
        assert source.length == len(expected)
        frames = list(source)
    assert [frame.index for frame in frames] == expected
    for frame in frames:
        np.testing.assert_array_equal(frame.image, images[frame.index].image)
        assert frame.time == images[frame.index].time


def test_a_source_is_read_once_and_can_be_left_and_resumed(clip):
    with open_video(clip, stop=4) as source:
        assert next(source).index == 0
        assert [frame.index for frame in source] == [1, 2, 3]
        assert list(source) == []
        source.close()


def test_video_of_one_frame(tmp_path):
    with open_video(write_video(tmp_path / "one.mp4", frames=1)) as source:
        frames = list(source)
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0)]


@pytest.mark.parametrize(("rotation", "size"), [(90, (128, 96)), (180, (96, 128))])
def test_rotation_metadata_is_applied_as_opencv_does(tmp_path, rotation, size):
    path = write_video(tmp_path / "phone.mp4", frames=2, rotation=rotation)
    with open_video(path) as source:
        assert source.size == size
        image = next(source).image
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, cv2.VideoCapture(str(path), cv2.CAP_FFMPEG).read()[1][:, :, ::-1])


def test_tags_that_are_not_utf8(tmp_path, clip):
    data = clip.read_bytes()
    assert b"Lavf" in data  # the name of the encoder
    (tmp_path / "clip.mp4").write_bytes(data.replace(b"Lavf", b"L\xff\xfff"))
    with open_video(tmp_path / "clip.mp4") as source:
        assert len(indices(source)) == 30


def test_colon_in_a_file_name(tmp_path, clip, monkeypatch):
    (tmp_path / "http:clip.mp4").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(indices(open_video("http:clip.mp4"))) == 30


@pytest.fixture
def h264_clip(tmp_path) -> Path:
    if "libx264" not in av.codecs_available:
        pytest.skip("this FFmpeg writes no H.264; damaged MPEG-4 part 2 is often decoded as if nothing were wrong")
    return write_video(tmp_path / "h264.mp4", codec="libx264")


@pytest.fixture
def damaged(tmp_path, h264_clip) -> Path:
    """A clip with a part of its coded data overwritten."""
    data = bytearray(h264_clip.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 600] = np.random.default_rng(0).integers(0, 256, 600, np.uint8).tobytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    return path


def test_damaged_frames_raise(damaged):
    with (
        open_video(damaged) as source,
        pytest.raises(FrameReadError, match=r"damaged\.mp4: frame \d+ cannot be decoded"),
    ):
        list(source)


def test_damaged_frames_can_be_skipped(damaged):
    with open_video(damaged, on_error="skip") as source:
        frames = list(source)
        assert source.skipped > 0
        assert len(frames) + source.skipped == 30
    assert frames[-1].index == 29


def test_reading_goes_on_after_an_error_was_raised(damaged):
    good, bad = 0, 0
    with open_video(damaged) as source:
        while True:
            try:
                next(source)
                good += 1
            except FrameReadError:
                bad += 1
            except StopIteration:
                break
    assert bad > 0
    assert good + bad == 30


def test_truncated_video_raises(tmp_path, h264_clip):
    data = h264_clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: int(len(data) * 0.8)])
    with open_video(path) as source, pytest.raises(FrameReadError, match=r"cut\.mp4: frame \d+ cannot be decoded"):
        list(source)


def test_folder_in_numeric_order(folder):
    with open_video(folder) as source:
        assert (source.fps, source.length, source.size) == (None, 6, (96, 128))
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(6))
    assert frames[5].time == pytest.approx(5 / DEFAULT_FPS)
    for frame, number in zip(frames, (1, 2, 9, 10, 11, 100), strict=True):
        np.testing.assert_array_equal(frame.image, picture(number))


def test_range_of_a_folder_reads_nothing_else(folder):
    (folder / "img1.png").write_bytes(b"damaged")
    assert indices(open_video(folder, start=2, stop=4)) == [2, 3]


def test_sizes_may_change_in_a_folder(folder):
    cv2.imwrite(str(folder / "img2.png"), picture(2, 50, 60))
    with open_video(folder) as source:
        assert [frame.image.shape[:2] for frame in source][:3] == [(96, 128), (50, 60), (96, 128)]


def test_damaged_image_in_a_folder(folder):
    (folder / "img9.png").write_bytes((folder / "img9.png").read_bytes()[:100])
    with open_video(folder) as source, pytest.raises(FrameReadError, match=r"img9\.png"):
        list(source)
    with open_video(folder, on_error="skip") as source:
        assert [frame.index for frame in source] == [0, 1, 3, 4, 5]
        assert source.skipped == 1


def test_image_file_is_a_source_of_one_frame(folder):
    with open_video(folder / "img9.png") as source:
        np.testing.assert_array_equal(next(source).image, picture(9))


class TestBadSources:
    def test_missing(self, tmp_path):
        with pytest.raises(FrameReadError, match=r"gone\.mp4: there is no such video"):
            open_video(tmp_path / "gone.mp4")

    def test_empty_folder(self, tmp_path):
        with pytest.raises(FrameReadError, match=rf"{tmp_path}: the folder holds no images"):
            open_video(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"\x00" * 4000], ids=["empty", "zeros"])
    def test_no_video(self, tmp_path, content):
        path = tmp_path / "bad.mp4"
        path.write_bytes(content)
        with pytest.raises(FrameReadError, match=r"bad\.mp4"):
            open_video(path)

    def test_text_file(self, folder):
        with pytest.raises(FrameReadError, match="groundtruth"):
            open_video(folder / "groundtruth.txt")

    def test_without_index(self, tmp_path, clip):
        path = tmp_path / "half.mp4"
        path.write_bytes(clip.read_bytes()[:500])
        with pytest.raises(FrameReadError, match=r"half\.mp4: is no video that FFmpeg reads"):
            open_video(path)

    def test_sound_only(self, tmp_path):
        path = tmp_path / "sound.wav"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
        with pytest.raises(FrameReadError, match=r"sound\.wav: holds no video stream"):
            open_video(path)

    def test_video_without_frames(self, tmp_path, clip):
        """A header that announces frames, and data that are all zero."""
        data = bytearray(clip.read_bytes())
        begin, end = data.index(b"mdat") + 4, len(data)
        data[begin:end] = bytes(end - begin)
        path = tmp_path / "zeros.mp4"
        path.write_bytes(data)
        with pytest.raises(FrameReadError, match=r"zeros\.mp4: (none of the \d+ frames can be read|holds no frames)"):
            open_video(path, on_error="skip")

    def test_start_behind_the_end(self, clip):
        with pytest.raises(FrameReadError, match="start=30 lies behind the last of its 30 frames"):
            open_video(clip, start=30)

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (3, 3), (5, 2)])
    def test_empty_range(self, clip, start, stop):
        with pytest.raises(ValueError, match="0 <= start < stop"):
            open_video(clip, start=start, stop=stop)

    def test_unknown_policy(self, clip):
        with pytest.raises(ValueError, match="'ignore'"):
            open_video(clip, on_error="ignore")

    def test_unknown_scheme(self):
        with pytest.raises(ValueError, match="https, rtsp"):
            open_video("gopher://host/clip.mp4")

    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_unreachable_address_without_its_password(self, scheme):
        with pytest.raises(FrameReadError, match=rf"^{scheme}://127\.0\.0\.1:9/live: cannot be opened") as caught:
            open_video(f"{scheme}://user:secret@127.0.0.1:9/live?token=secret")
        error: BaseException | None = caught.value
        while error is not None:  # a traceback prints the whole chain
            assert "secret" not in str(error)
            error = error.__cause__ or error.__context__


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(clip) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=clip.parent)) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_video_over_http(server, clip):
    with open_video(f"{server}/clip.mp4") as remote, open_video(clip) as local:
        assert remote.name == f"{server}/clip.mp4"
        for one, other in zip(remote, local, strict=True):
            np.testing.assert_array_equal(one.image, other.image)


def test_missing_video_over_http(server):
    with pytest.raises(FrameReadError, match=r"/gone\.mp4: cannot be opened"):
        open_video(f"{server}/gone.mp4")


class FakeCamera:
    """Stands in for cv2.VideoCapture: camera 3 exists and gives five frames, then it is unplugged."""

    def __init__(self, number: int) -> None:
        self.opened = number == 3
        self.left = 5

    def isOpened(self) -> bool:
        return self.opened

    def get(self, _property: int) -> float:
        return 15.0

    def grab(self) -> bool:
        self.left -= 1
        return self.opened and self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, picture(4 - self.left)[:, :, ::-1]

    def release(self) -> None:
        self.opened = False


@pytest.fixture
def camera(monkeypatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)


@pytest.mark.parametrize("number", [3, "3"])
@pytest.mark.usefixtures("camera")
def test_camera(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_video(number, stop=5) as source:
        assert (source.name, source.fps, source.length, source.size) == ("camera 3", 15.0, None, (96, 128))
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(5))
    assert frames[0].time == 0.0
    assert sorted(frame.time for frame in frames) == [frame.time for frame in frames]
    np.testing.assert_array_equal(frames[4].image, picture(4))


@pytest.mark.usefixtures("camera")
def test_camera_that_goes_away():
    with open_video(3) as source, pytest.raises(FrameReadError, match="camera 3: stopped giving frames"):
        list(source)


@pytest.mark.usefixtures("camera")
def test_camera_that_is_not_there():
    with pytest.raises(FrameReadError, match="camera 8: cannot be opened"):
        open_video(8)


def test_folder_named_like_a_camera(folder, monkeypatch):
    folder.rename(folder.parent / "0")
    monkeypatch.chdir(folder.parent)
    assert len(indices(open_video("0"))) == 6
