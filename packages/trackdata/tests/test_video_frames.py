"""Frames of video files asked for in order, out of order, from several processes and of several files in turn."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import av
import numpy as np
import pytest

import trackdata.video_frames
from trackcore.video import FrameReadError
from trackdata.clips import read_clip, read_frames
from trackdata.errors import AnnotationError
from trackdata.video_frames import VideoFrames, open_frames

COUNT = 50


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two files of 50 frames with one key frame each; frame k is grey of level 4 * k + 20, and 3 more in the second."""
    paths = [tmp_path_factory.mktemp("videos") / f"{name}.mp4" for name in ("a", "b")]
    for shift, path in zip((0, 3), paths, strict=True):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
            stream.codec_context.gop_size = 1000
            for index in range(COUNT):
                image = np.full((24, 32, 3), 4 * index + 20 + shift, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
    return paths


@pytest.fixture
def single(monkeypatch):
    """Which frames are decoded on their own."""
    asked = []

    def read(path, indices):
        asked.extend(indices)
        return read_clip(path, indices)

    monkeypatch.setattr(trackdata.video_frames, "read_clip", read)
    return asked


def level(frames, index):
    return round((float(frames[index].mean()) - 20) / 4)


def test_in_order_one_decoder_does_it_all(videos, single, monkeypatch):
    opened = []
    begin = trackdata.video_frames.open_video
    monkeypatch.setattr(trackdata.video_frames, "open_video", lambda path: opened.append(path) or begin(path))
    frames = open_frames(videos[0])
    assert len(frames) == COUNT
    for _ in range(2):
        assert [level(frames, index) for index in range(COUNT)] == list(range(COUNT))
    assert (opened, single) == ([videos[0]] * 2, [])


def test_single_frames_are_decoded_on_their_own(videos, single):
    frames = open_frames(videos[0])
    order = [30, 31, 0, 1, 5, 4, 49, 2, -1, 6]
    assert [level(frames, index) for index in order] == [30, 31, 0, 1, 5, 4, 49, 2, 49, 6]
    assert single == [30, 31, 4, 49, 2, 49]  # 5 and 6 lie a little ahead of what was read last
    np.testing.assert_array_equal(frames[17], read_clip(videos[0], [17])[0])
    with pytest.raises(IndexError):
        frames[COUNT]


def test_two_videos_in_turn(videos):
    first, second = map(open_frames, videos)
    for index in range(10):
        assert level(first, index) == index
        assert round(float(second[index].mean())) == pytest.approx(4 * index + 23, abs=1)


def _levels(frames):
    return [level(frames, index) for index in range(6)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_have_decoders_of_their_own(videos, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {method}")
    frames = open_frames(videos[0])
    assert level(frames, 0) == 0  # open here, three frames before the others begin
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(_levels, [frames] * 2)) == [list(range(6))] * 2
    assert [level(frames, index) for index in range(1, 6)] == list(range(1, 6))


def test_threads(videos):
    frames = open_frames(videos[0])
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(_levels, [frames] * 8)) == [list(range(6))] * 8


def test_it_is_a_kind_of_clip(videos):
    frames = pickle.loads(pickle.dumps(open_frames(videos[0])))
    assert frames == VideoFrames(videos[0], COUNT)
    assert [round((float(image.mean()) - 20) / 4) for image in read_frames(frames, [7, 3, 7])] == [7, 3, 7]


def test_files_that_change_or_are_no_videos(videos, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(videos[0].read_bytes())
    frames = open_frames(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FrameReadError, match=r"a\.mp4"):
        frames[0]
    path.unlink()
    with pytest.raises(FrameReadError, match=r"a\.mp4"):
        frames[0]
    with pytest.raises(AnnotationError, match=r"a\.mp4"):
        open_frames(path)
