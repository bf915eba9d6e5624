"""Your own video files with boxes: in folders, beside a text file, and straight from Python."""

import pickle
import shutil
import zipfile

import av
import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.folder import Folder, video_with_boxes
from trackdata.sequences import AnnotationError, iterate

COUNT = 12
BOXES = [[index, 2, 10, 8] for index in range(COUNT)]
TEXT = "\n".join("{},{},{},{}".format(*box) for box in BOXES)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video of 12 frames; frame k is grey of level 15 * k + 20."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for index in range(COUNT):
            image = np.full((24, 32, 3), 15 * index + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def root(clip, tmp_path, write_image):
    """dog.mp4 with dog.txt; a folder cat with one video; a folder bird of images; a video without boxes."""
    root = tmp_path / "mine"
    (root / "cat").mkdir(parents=True)
    shutil.copy(clip, root / "dog.mp4")
    (root / "dog.txt").write_text(TEXT)
    shutil.copy(clip, root / "cat" / "film.MP4")
    (root / "cat" / "groundtruth.txt").write_text("1,2,3,4\n")
    for number in range(3):
        write_image(root / "bird" / f"{number}.png", number)
    (root / "bird" / "groundtruth_rect.txt").write_text("1,2,3,4\n" * 3)
    shutil.copy(clip, root / "unknown.mp4")
    return root


def levels(sequence):
    return [round((float(sequence.frames[index].mean()) - 20) / 15) for index in range(len(sequence))]


def test_a_folder_of_videos(root):
    dataset = open_dataset("folder", root)
    assert dataset.sequence_names == ("bird", "cat", "dog")
    bird, cat, dog = iterate(dataset)
    assert (dog.name, dog.boxes.tolist(), levels(dog)) == ("dog", BOXES, list(range(COUNT)))
    assert (cat.boxes.tolist(), levels(cat)) == ([[1, 2, 3, 4]], list(range(COUNT)))
    assert [bird.origin, cat.origin, dog.origin, len(bird)] == [1, 0, 0, 3]
    assert Folder(root, origin=1)[2].origin == 1
    received = pickle.loads(pickle.dumps(dataset))
    assert received[2].frames[5].shape == (24, 32, 3)


def test_one_video(root):
    for place in (root / "dog.mp4", str(root / "dog.mp4")):
        dataset = Folder(place)
        assert (dataset.name, dataset.sequence_names, dataset[0].boxes.tolist()) == ("dog", ("dog",), BOXES)
    assert Folder(root / "cat").sequence_names == ("cat",)
    assert len(Folder(root / "cat", name="mine")[0]) == COUNT
    with pytest.raises(AnnotationError, match=r"unknown\.txt: there is no such file"):
        Folder(root / "unknown.mp4")[0]
    with pytest.raises(AnnotationError, match=r"nothing\.mp4"):
        Folder(root / "nothing.mp4")[0]


def test_from_python(root):
    expected = np.array(BOXES, float)
    for boxes in (None, root / "dog.txt", str(root / "dog.txt"), BOXES, expected, expected.astype(np.float32)):
        sequence = video_with_boxes(root / "dog.mp4", boxes)
        assert (sequence.name, sequence.boxes.dtype) == ("dog", np.float64)
        np.testing.assert_array_equal(sequence.boxes, expected)
        assert sequence.valid.all()
    assert levels(sequence) == list(range(COUNT))
    start = video_with_boxes(str(root / "dog.mp4"), (1, 2, 3, 4), name="run", origin=1)
    assert (start.name, start.boxes.tolist(), start.origin, len(start)) == ("run", [[1, 2, 3, 4]], 1, COUNT)
    images = video_with_boxes(root / "bird")
    assert (images.name, images.boxes.tolist(), len(images)) == ("bird", [[1, 2, 3, 4]] * 3, 3)
    assert video_with_boxes(root / "cat", [[1, 2, 3, 4]] * COUNT).valid.sum() == COUNT


def test_boxes_that_do_not_fit(root):
    with pytest.raises(AnnotationError, match="the boxes given: 2 boxes for 12 frames of dog"):
        video_with_boxes(root / "dog.mp4", BOXES[:2])
    with pytest.raises(ValueError, match=r"boxes are \(N, 4\) or \(4,\) numbers x, y, w, h, got shape \(12, 3\)"):
        video_with_boxes(root / "dog.mp4", np.zeros((12, 3)))
    with pytest.raises(AnnotationError, match=r"unknown\.txt: there is no such file"):
        video_with_boxes(root / "unknown.mp4")
    (root / "dog.txt").write_text(TEXT + "\n1,2,3,4")
    with pytest.raises(AnnotationError, match=r"dog\.txt: 13 boxes for 12 frames of dog"):
        Folder(root)[2]


def test_folders_that_leave_a_choice(root):
    shutil.copy(root / "dog.mp4", root / "cat" / "more.mp4")
    with pytest.raises(AnnotationError, match=r"cat: one video file makes a sequence, there are film\.MP4, more\.mp4"):
        Folder(root)[1]
    (root / "dog").mkdir()
    (root / "dog" / "boxes.txt").write_text(TEXT)
    with pytest.raises(AnnotationError, match="dog: there are a folder and a video file of this name"):
        Folder(root)


def test_damaged_video(root):
    (root / "dog.mp4").write_bytes(b"x" * 1000)
    with pytest.raises(AnnotationError, match=r"dog\.mp4"):
        Folder(root)[2]


def test_archives_hold_no_videos(root, tmp_path):
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*.*"):
            archive.write(file, file.relative_to(root))
    dataset = Folder(path)
    assert dataset.sequence_names == ("bird", "cat", "dog")
    assert len(dataset[0]) == 3
    for index in (1, 2):
        with pytest.raises(AnnotationError, match="a video file cannot be read inside an archive; unpack it"):
            dataset[index]
