"""Still images with masks: salient objects and the static images of STCN."""

import pickle

import lmdb
import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.masked_images import STATIC
from trackdata.labels import DAVIS_PALETTE, write_labels
from trackdata.sequences import AnnotationError, Dataset, FrameError, iterate

MASK = np.zeros((24, 32), np.uint8)
MASK[4:10, 5:20] = 255
MASK[10, 5:20] = 254  # smoothed edge
MASK[11, 5:20] = 90


@pytest.fixture
def root(tmp_path, write_image):
    for number, mask in ((1, MASK), (2, np.zeros_like(MASK)), (10, MASK.T)):
        write_image(tmp_path / "images" / f"{number:08d}.jpg", number, mask.shape[::-1])
        write_labels(tmp_path / "gt" / f"{number:08d}.png", mask, palette=None)
    return tmp_path


def test_salient_objects(root):
    dataset = open_dataset("saliency", root)
    assert isinstance(dataset, Dataset)
    assert dataset.still
    assert dataset.sequence_names == ("00000001", "00000002", "00000010")
    first, empty, turned = iterate(dataset)
    assert (first.boxes.tolist(), first.valid.tolist()) == ([[5, 4, 15, 6]], [True])  # only 255 is the object
    np.testing.assert_array_equal(first.masks(0), MASK == 255)
    assert first.attributes["pixels"].tolist() == [90]
    assert (empty.boxes.tolist(), empty.valid.tolist()) == ([[0, 0, 0, 0]], [False])
    assert (turned.boxes.tolist(), turned.attributes["resolution"]) == ([[4, 5, 6, 15]], (24, 32))
    assert (len(turned), turned.frames[0].shape) == (1, (32, 24, 3))
    with pytest.raises(IndexError):
        first.masks(1)
    assert pickle.loads(pickle.dumps(dataset))[0].masks(0).sum() == 90


def test_salient_objects_in_lmdb(root, tmp_path_factory):
    target = tmp_path_factory.mktemp("packed") / "saliency_lmdb"
    with lmdb.open(str(target), map_size=1 << 22) as environment, environment.begin(write=True) as keys:
        for path in root.rglob("*.*"):
            keys.put(path.relative_to(root).as_posix().encode(), path.read_bytes())
    packed, folder = open_dataset("saliency", target), open_dataset("saliency", root)
    for one, other in zip(iterate(packed), iterate(folder), strict=True):
        assert one.boxes.tolist() == other.boxes.tolist()
        np.testing.assert_array_equal(one.frames[0], other.frames[0])


def test_damaged_masks(root):
    (root / "gt" / "00000001.png").unlink()
    (root / "gt" / "00000002.png").write_bytes(b"")
    (root / "images" / "00000010.jpg").write_bytes(b"x")
    dataset = open_dataset("saliency", root)
    with pytest.raises(AnnotationError, match=r"gt/00000001\.png: there is no such file"):
        dataset[0]
    with pytest.raises(AnnotationError, match=r"gt/00000002\.png: the file is damaged or no image"):
        dataset[1]
    with pytest.raises(FrameError, match=r"00000010\.jpg"):
        dataset[2].frames[0]


def test_static_images(tmp_path, write_image):
    for key in ("fss/cat/1", "fss/ant/2", "DUTS-TR/b", "ecssd/a.b"):
        write_image(tmp_path / f"{key}.jpg", 9)
        write_labels(tmp_path / f"{key}.png", MASK, palette=None)
    dataset = open_dataset("static_images", tmp_path)
    assert dataset.sequence_names == ("fss/ant/2", "fss/cat/1", "DUTS-TR/b", "ecssd/a.b")
    assert dataset[3].boxes.tolist() == [[5, 4, 15, 7]]  # half of the grey levels upwards
    assert dataset[3].frames[0].shape == (24, 32, 3)
    assert open_dataset("static_images", tmp_path, "fss").sequence_names == ("fss/ant/2", "fss/cat/1")
    assert open_dataset("static_images", tmp_path, "fss").name == "static_images_fss"
    write_labels(tmp_path / "ecssd" / "a.b.png", (MASK > 0).astype(np.uint8), palette=np.array([[0, 0, 0], [255] * 3]))
    assert open_dataset("static_images", tmp_path)[3].boxes.tolist() == [[5, 4, 15, 8]]
    write_labels(tmp_path / "ecssd" / "a.b.png", (MASK > 0).astype(np.uint8), palette=DAVIS_PALETTE)
    assert not open_dataset("static_images", tmp_path)[3].valid.any()  # dark red is no white
    (tmp_path / "fss" / "cat" / "1.png").unlink()
    with pytest.raises(AnnotationError, match=r"fss/cat/1\.png: there is no such file, but an image of this name"):
        open_dataset("static_images", tmp_path)


def test_what_does_not_exist(tmp_path):
    with pytest.raises(AnnotationError, match=r"images: no images there; expected images/00000001\.jpg"):
        open_dataset("saliency", tmp_path)
    with pytest.raises(ValueError, match="the set of salient objects has no split 'train'; it has none"):
        open_dataset("saliency", tmp_path, "train")
    with pytest.raises(ValueError, match=f"the set of static images has no split 'x'; there are {', '.join(STATIC)}"):
        open_dataset("static_images", tmp_path, "x")
    with pytest.raises(AnnotationError, match="ecssd: no images there"):
        open_dataset("static_images", tmp_path, "ecssd")
