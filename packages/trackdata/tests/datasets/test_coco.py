"""COCO: the miniature dataset as published readers see it, both layouts, and files that are not as they should be."""

import json
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackdata.datasets import open_dataset
from trackdata.datasets.coco import Coco
from trackdata.json_arrays import array_elements
from trackdata.sequences import AnnotationError, Dataset, FrameError

FILE = "annotations/instances_train2017.json"


@pytest.fixture
def editable(mini, tmp_path):
    """A copy of the miniature dataset, and a function that replaces its annotation by a changed one."""
    root = shutil.copytree(mini / "coco", tmp_path / "coco")
    content = json.loads((root / FILE).read_text())

    def edit(change):
        changed = json.loads(json.dumps(content))
        change(changed)
        (root / FILE).write_text(json.dumps(changed))
        return root

    return edit


@pytest.fixture(params=["folder", "zip", "lmdb"])
def root(request, mini, archive):
    """The miniature dataset in each kind of storage."""
    return {"folder": mini / "coco", "zip": archive / "coco", "lmdb": mini / "coco_lmdb"}[request.param]


@pytest.mark.parametrize("case", ["train/coco_pairs", "lmdb/coco"])
def test_one_item_per_annotation(root, expected, case):
    dataset = Coco(root)
    assert isinstance(dataset, Dataset)
    assert dataset.still
    assert len(dataset) == expected[case]["num_sequences"]
    for entry in expected[case]["sequences"]:
        sequence = dataset[entry["index"]]
        assert (sequence.name, len(sequence)) == (entry["sequence"], 1)
        np.testing.assert_allclose(sequence.boxes, entry["bbox"], atol=1e-4, rtol=0)
        assert sequence.object_class == entry["meta"]["object_class_name"]
        assert sequence.attributes["major_class"] == entry["meta"]["major_class"]
        image, mask = sequence.frames[0], sequence.masks(0)
        assert [*image.shape] == entry["frames"][0]["shape"]
        np.testing.assert_allclose(image.mean((0, 1)), entry["frames"][0]["mean"], atol=1.5)
        assert (mask.dtype, mask.shape, mask.sum()) == (bool, image.shape[:2], entry["mask_area"])
        assert sequence.attributes["resolution"] == (image.shape[1], image.shape[0])
    assert [sequence.valid.tolist() for sequence in map(dataset.__getitem__, range(4))] == [[True]] * 3 + [[False]]


def test_published_size_rule(root, expected):
    """OSTrack calls annotations of more than 50 pixels valid; asked for, the others are left out."""
    dataset = Coco(root, "train2017", min_size=50)
    valid = [entry["sequence"] for entry in expected["train/coco_pairs"]["sequences"] if entry["valid"] == [1]]
    assert [dataset[index].name for index in range(len(dataset))] == valid
    assert len(Coco(root, min_size=0)) == 3  # the one without width goes
    assert len(Coco(root, min_size=1000)) == 0


def test_one_item_per_image(root):
    dataset = Coco(root, items="images", crowd=True)
    first, second = dataset[0], dataset[-1]
    assert [len(dataset), first.name, second.name] == [2, "000000000011", "000000000022"]
    assert first.boxes.tolist() == [[5.5, 6.25, 60.5, 55.75], [10, 10, 20.25, 51], [40, 30, 30, 20]]
    assert first.attributes["annotations"] == (900, 907, 914)
    assert first.attributes["classes"] == ("dog", "car", "person")
    assert first.object_class is None
    assert (len(first), first.frames[2].shape) == (3, (72, 96, 3))
    crowd = np.zeros(72 * 96, bool)
    crowd[1440:1940] = True  # its run lengths, column by column
    np.testing.assert_array_equal(first.masks(2), crowd.reshape(96, 72).T)
    assert second.valid.tolist() == [True, False]
    assert len(Coco(root, items="images")[0]) == 2  # without the crowd
    with pytest.raises(IndexError):
        dataset[2]


def test_images_without_annotation_are_no_items(editable):
    def change(content):
        content["images"].insert(0, {"id": 5, "file_name": "x.jpg", "width": 4, "height": 4})

    dataset = Coco(editable(change), items="images")
    assert [dataset[0].name, dataset[1].name, len(dataset)] == ["000000000011", "000000000022", 2]


def test_published_names(mini):
    pairs = open_dataset("COCO17", mini / "coco")
    assert (len(pairs), pairs[0].masks) == (4, None)
    assert open_dataset("coco", mini / "coco")[0].masks is not None
    sparse = open_dataset("SPARSETT_COCO", mini / "coco")
    assert (sparse.name, len(sparse), len(sparse[0])) == ("SPARSETT_COCO", 2, 3)
    with pytest.raises(ValueError, match="COCO17 is one split of COCO already"):
        open_dataset("COCO17", mini / "coco", "val2017")
    with pytest.raises(
        AnnotationError, match=r"instances_train2014\.json: there is no such file \(splits there: train2017"
    ):
        open_dataset("COCO14", mini / "coco")


def test_images_below_the_root(mini, tmp_path):
    shutil.copytree(mini / "coco" / "annotations", tmp_path / "annotations")
    shutil.copytree(mini / "coco" / "images" / "train2017", tmp_path / "train2017")
    assert Coco(tmp_path)[0].frames[0].shape == (72, 96, 3)


def test_the_annotation_is_parsed_once_and_not_sent_to_workers(editable, monkeypatch):
    root = editable(lambda content: None)
    first = Coco(root)
    assert first[0].masks(0).sum() == 3360
    monkeypatch.setattr("trackdata.datasets.coco.array_elements", None)
    again = Coco(root)
    assert (again[0].name, again[0].masks(0).sum()) == ("900", 3360)
    sent = pickle.dumps(first)
    assert len(sent) < 1000
    received = pickle.loads(sent)
    assert received[1].boxes.tolist() == first[1].boxes.tolist()
    assert received[1].masks(0).sum() == 1020
    assert pickle.loads(pickle.dumps(first[0])).masks(0).sum() == 3360


def test_a_changed_annotation_is_read_again(editable):
    assert len(Coco(editable(lambda content: None))) == 4
    root = editable(lambda content: content["annotations"].pop())
    assert len(Coco(root)) == 3


def test_forms_of_segmentation(editable):
    square = [2, 1, 6, 1, 6, 5, 2, 5]

    def change(content):
        one, two, _, three, four = content["annotations"]
        one["segmentation"] = [square, [10, 1, 12, 1, 12, 5, 10, 5]]  # two parts
        two["segmentation"] = {"size": [72, 96], "counts": "Ph6"}  # compressed: no pixel
        three["segmentation"] = []
        del four["segmentation"]

    dataset = Coco(editable(change))
    expected = np.zeros((72, 96), bool)
    expected[1:5, 2:6] = expected[1:5, 10:12] = True
    np.testing.assert_array_equal(dataset[0].masks(0), expected)
    assert not dataset[1].masks(0).any()
    for index, number in ((2, 921), (3, 928)):
        with pytest.raises(AnnotationError, match=f"the annotation {number} has no segmentation"):
            dataset[index].masks(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["annotations"][1].pop("bbox"), "of 'annotations' has no 'bbox'"),
        (lambda content: content["annotations"][1]["bbox"].pop(), "of 'annotations' is not as COCO has them"),
        (lambda content: content["images"][0].pop("height"), "of 'images' has no 'height'"),
        (lambda content: content["images"].append(7), "element 7 of 'images' is not as COCO has them"),
        (lambda content: content["images"].pop(), "annotations name images that are not listed, for example 22"),
        (
            lambda content: content["categories"].clear(),
            "annotations name categories that are not listed, for example 18",
        ),
    ],
)
def test_damaged_annotation_names_the_file(editable, change, message):
    with pytest.raises(AnnotationError, match=rf"instances_train2017\.json: .*{message}"):
        Coco(editable(change))


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [72, 96], "counts": [1, "a"]},
        {"size": [7, 9], "counts": [63]},  # of another image
        {"counts": [63]},
        {"size": [72, 96], "counts": "Ph"},  # cut off
        7,
        [[1e12, 0, 5, 5, 9, 9]],  # would take all memory
        [[0, 0, float("nan"), 5, 9, 9]],
        {"size": [72, 96], "counts": [10, 5]},  # too few pixels, the others would be anything
        {"size": [72, 96], "counts": [6912, 1]},
        {"size": [72, 96], "counts": "P"},  # says that more follows
    ],
)
def test_damaged_segmentation_names_the_annotation(editable, segmentation):
    dataset = Coco(editable(lambda content: content["annotations"][0].update(segmentation=segmentation)))
    assert dataset[0].name == "900"
    with pytest.raises(AnnotationError, match="segmentation of annotation 900: "):
        dataset[1].masks(0)


def test_folders_that_are_no_coco(mini, tmp_path):
    with pytest.raises(AnnotationError, match=r"no annotation of COCO there; expected instances_train2017\.json"):
        Coco(mini / "lasot")
    root = shutil.copytree(mini / "coco", tmp_path / "coco")
    shutil.copy(root / FILE, root / "annotations" / "instances_val2017.json")
    with pytest.raises(AnnotationError, match="several splits of COCO, give one of train2017, val2017"):
        Coco(root)
    with pytest.raises(ValueError, match="items is one of annotations, images, got 'boxes'"):
        Coco(root, "val2017", items="boxes")
    shutil.rmtree(root / "images")
    dataset = Coco(root, "val2017")
    with pytest.raises(FrameError, match=r"images/val2017/000000000011\.jpg: there is no such image"):
        dataset[0].frames[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", []),
        (
            ' { "a" : [ 1 , [2] ] ,\n"b":{"c":[3]}, "d":[],"e" :"[", "f":[{"g":[]}]}',
            [("a", 1), ("a", [2]), ("f", {"g": []})],
        ),
    ],
)
def test_elements_of_arrays(text, found):
    assert list(array_elements(text, "x.json")) == found
    full = json.loads(text)
    assert found == [(name, element) for name, value in full.items() if isinstance(value, list) for element in value]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": [1', '{"a": [1 2]}', '{"a" [1]}', '{"a": [1,]}', '{"a": [1]'])
def test_text_that_is_no_json_object(text):
    with pytest.raises(AnnotationError, match=r"x\.json: not the JSON that was expected"):
        list(array_elements(text, "x.json"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.integers(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=5), st.sampled_from([None, 0, 3]), st.booleans(), st.integers(0, 10**6)
)
def test_any_json_object_and_any_part_of_it(content, indent, ascii_only, cut):
    text = json.dumps(content, indent=indent, ensure_ascii=ascii_only)
    whole = [(name, element) for name, value in content.items() if isinstance(value, list) for element in value]
    assert list(array_elements(text, "x.json")) == whole
    with pytest.raises(AnnotationError):
        list(array_elements(text[: cut % len(text)], "x.json"))
