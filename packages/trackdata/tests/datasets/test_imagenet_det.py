"""ImageNet DET: both published views of the miniature dataset, its two kinds of folder names, damaged files."""

import shutil

import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.imagenet_det import ImageNetDet
from trackdata.sequences import AnnotationError, Dataset, iterate


@pytest.fixture
def editable(mini, tmp_path):
    return shutil.copytree(mini / "det", tmp_path / "det", ignore=shutil.ignore_patterns(".trackdata"))


def listed(dataset):
    return [
        {"path": sequence.frames.keys[0].removeprefix("Data/DET/train/"), "anno": sequence.boxes[0].tolist()}
        for sequence in iterate(dataset)
    ]


def test_one_item_per_object(anywhere, expected):
    dataset = ImageNetDet(anywhere / "det")
    assert isinstance(dataset, Dataset)
    assert dataset.still
    assert listed(dataset) == expected["alpharefine/imagenet_det"]["all"]  # without the validation images in i
    sequence = dataset[-1]
    assert sequence.name == "ILSVRC2014_train_00000001.0"
    assert sequence.object_class == "n02691156"
    assert sequence.attributes["resolution"] == (48, 36)
    assert (len(sequence), sequence.frames[0].shape) == (1, (36, 48, 3))


def test_published_size_rule(anywhere, expected):
    kept = expected["alpharefine/imagenet_det"]["kept"]
    published = open_dataset("ALPHAREFINE_DET", anywhere / "det")
    assert listed(published) == [{key: entry[key] for key in ("path", "anno")} for entry in kept]
    assert [[*sequence.attributes["resolution"]] for sequence in iterate(published)] == [
        entry["image_size"] for entry in kept
    ]
    assert len(ImageNetDet(anywhere / "det", max_target_area=1.0)) == 3
    # Areas 900, 400 and 1080 of 1728 pixels.
    assert [sequence.name for sequence in iterate(ImageNetDet(anywhere / "det", max_target_area=0.75))] == [
        "n01443537_10007.0",
        "n01443537_10007.1",
    ]


def test_one_item_per_image(anywhere):
    dataset = open_dataset("SPARSETT_DET", anywhere / "det")  # finds nothing of 2014
    sequence = dataset[0]
    assert [len(dataset), len(sequence), sequence.name] == [1, 2, "n01443537_10007"]
    assert sequence.boxes.tolist() == [[0, 3, 31, 31], [5, 6, 21, 21]]
    assert sequence.attributes["classes"] == ("n01443537", "n01443537")
    np.testing.assert_array_equal(sequence.frames[0], sequence.frames[1])
    assert [len(sequence) for sequence in iterate(ImageNetDet(anywhere / "det", items="images"))] == [2, 1]


def test_official_names_of_folders(editable):
    before = listed(ImageNetDet(editable))
    for kind in ("Annotations", "Data"):
        folder = editable / kind / "DET" / "train"
        for old, new in (("a", "ILSVRC2013_train"), ("b", "ILSVRC2014_train_0000"), ("c", "ILSVRC2014_train_0001")):
            (folder / old).rename(folder / new)
    dataset = ImageNetDet(editable)
    assert [entry["anno"] for entry in listed(dataset)] == [entry["anno"] for entry in before]
    assert listed(dataset)[2]["path"] == "ILSVRC2014_train_0000/ILSVRC2014_train_00000001.JPEG"
    assert len(open_dataset("SPARSETT_DET", editable)) == 1
    assert all(sequence.frames[0].shape == (36, 48, 3) for sequence in iterate(dataset))


def test_files_are_read_once(editable, monkeypatch):
    ImageNetDet(editable)
    monkeypatch.setattr("trackdata.datasets.imagenet_det.parse_xml", None)
    assert len(open_dataset("ALPHAREFINE_DET", editable)) == 2


def test_what_is_no_detection_data(mini, editable):
    with pytest.raises(
        AnnotationError, match="no annotation of ImageNet DET there; expected folders ILSVRC2013_train, "
    ):
        ImageNetDet(mini / "vid")
    with pytest.raises(ValueError, match="ImageNet DET has no split 'val'; there are train"):
        ImageNetDet(editable, "val")
    with pytest.raises(ValueError, match="items is one of objects, images, got 'boxes'"):
        ImageNetDet(editable, items="boxes")
    with pytest.raises(ValueError, match="area_rule is one of box, published, got 'w'"):
        ImageNetDet(editable, area_rule="w")
    damaged = editable / "Annotations" / "DET" / "train" / "a" / "n01443537" / "n01443537_10007.xml"
    damaged.write_text(damaged.read_text()[:90])
    with pytest.raises(AnnotationError, match=r"n01443537_10007\.xml: not an annotation of ImageNet"):
        ImageNetDet(editable)
