"""ImageNet VID: the miniature dataset as published readers see it, gaps, filters and cached tracks."""

import json
import pickle
import shutil

import lmdb
import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.imagenet_vid import ImageNetVid
from trackdata.datasets.imagenet_xml import parse_xml
from trackdata.sequences import AnnotationError, Dataset, iterate

VIDEO = "ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000001"


@pytest.fixture
def editable(mini, tmp_path):
    return shutil.copytree(mini / "vid", tmp_path / "vid", ignore=shutil.ignore_patterns(".trackdata"))


@pytest.mark.parametrize(
    ("case", "options"),
    # The options of the filtered case are not recorded; these leave out what it leaves out.
    [("train/imagenet_vid", {}), ("train/imagenet_vid_filtered", {"min_length": 10, "max_target_area": 0.9})],
)
def test_training_reader(anywhere, check_training, expected, case, options):
    dataset = ImageNetVid(anywhere / "vid", **options)
    assert isinstance(dataset, Dataset)
    assert not dataset.still
    check_training(dataset, case)
    for entry in expected[case]["sequences"]:
        sequence, description = dataset[entry["index"]], entry["sequence"]
        assert sequence.name.startswith(f"ILSVRC2015_train_{description['vid_id']:08d}.")
        start = description["start_frame"]
        assert sequence.attributes["frame_numbers"].tolist() == list(range(start, start + len(sequence)))
        assert [*sequence.attributes["resolution"]] == description["image_size"]


def test_toolkit_reader(anywhere, expected):
    dataset = ImageNetVid(anywhere / "vid", gaps="skip", plus_one=True, min_length=2, max_target_area=None)
    assert len(dataset) == len(expected["toolkit/imagenet_vid"])
    for sequence, entry in zip(iterate(dataset), expected["toolkit/imagenet_vid"], strict=True):
        assert sequence.name == entry["name"]
        assert sequence.attributes["frame_numbers"].tolist() == entry["frames"]
        assert sequence.boxes.tolist() == entry["anno"]
        assert [int(key[-11:-5]) for key in sequence.frames.keys] == entry["frames"]
        assert sequence.frames[len(sequence) - 1].shape == (36, 48, 3)


def test_published_names(mini):
    assert [len(open_dataset("VID", mini / "vid")), open_dataset("VID", mini / "vid").name] == [5, "VID"]
    with pytest.raises(AnnotationError, match="Annotations/VID/val: no annotation of ImageNet VID there"):
        open_dataset("SPARSETT_VID", mini / "vid")
    with pytest.raises(ValueError, match="VID is one split of ImageNet VID already"):
        open_dataset("VID", mini / "vid", "val")


def test_splits_have_indices_of_their_own(editable):
    """The cache of the GOT-10k toolkit does not record which parts it holds."""
    assert len(ImageNetVid(editable, "train")) == 5
    for kind in ("Annotations", "Data"):
        train = editable / kind / "VID" / "train" / "ILSVRC2015_VID_train_0003" / "ILSVRC2015_train_00001002"
        shutil.copytree(train, editable / kind / "VID" / "val" / "ILSVRC2015_val_00000000")
    both = ImageNetVid(editable, "train_val")
    assert [len(ImageNetVid(editable, "val")), len(both), len(ImageNetVid(editable, "train"))] == [2, 7, 5]
    assert both[5].name == "ILSVRC2015_val_00000000.0"
    assert both[5].boxes.tolist() == both[3].boxes.tolist()
    assert both[6].frames.keys[0] == "Data/VID/val/ILSVRC2015_val_00000000/000003.JPEG"
    np.testing.assert_array_equal(both[5].frames[7], both[3].frames[7])
    skipping = open_dataset("SPARSETT_VID", editable)
    assert [len(skipping), len(skipping[0]), skipping[0].boxes[0].tolist()] == [7, 12, [17, 11, 13, 10]]


def test_options_do_not_change_the_index(editable, monkeypatch):
    ImageNetVid(editable)
    monkeypatch.setattr("trackdata.datasets.imagenet_tracks.parse_xml", None)
    assert len(ImageNetVid(editable, gaps="skip", plus_one=True, max_target_area=None)[0]) == 12
    assert len(ImageNetVid(editable, max_target_area=0.5)) == 4
    assert len(ImageNetVid(editable, min_length=100)) == 0


def test_new_videos_are_noticed(editable):
    assert len(ImageNetVid(editable)) == 5
    folder = editable / "Annotations" / "VID" / "train" / VIDEO
    shutil.copytree(folder, folder.with_name("ILSVRC2015_train_00000002"))
    assert len(ImageNetVid(editable)) == 7


def test_pickled_datasets_are_light(mini):
    dataset = ImageNetVid(mini / "vid")
    sent = pickle.dumps(dataset)
    assert len(sent) < 1000
    assert pickle.loads(sent)[1].boxes.tolist() == dataset[1].boxes.tolist()
    assert dataset.sequence_names == tuple(sequence.name for sequence in iterate(dataset))
    assert [dataset[-1].name, dataset[4].name] == ["ILSVRC2015_train_00001002.1"] * 2
    with pytest.raises(IndexError):
        dataset[5]


def published_cache(dataset, expected):
    return [
        entry["sequence"] | {"anno": entry["bbox"], "target_visible": [bool(value) for value in entry["visible"]]}
        for entry in expected["train/imagenet_vid"]["sequences"]
    ]


@pytest.fixture
def cached(mini, expected, tmp_path):
    """LMDB as made for OSTrack: pytracking's cache.json and the images, no XML."""
    root = tmp_path / "vid_lmdb"
    environment = lmdb.open(str(root), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        transaction.put(b"cache.json", json.dumps(published_cache(mini, expected)).encode())
        for image in (mini / "vid" / "Data").rglob("*.JPEG"):
            transaction.put(image.relative_to(mini / "vid").as_posix().encode(), image.read_bytes())
    environment.close()
    return root


def test_tracks_from_the_published_cache(cached, mini, check_training):
    dataset, direct = ImageNetVid(cached), ImageNetVid(mini / "vid")
    check_training(dataset, "train/imagenet_vid")
    assert [sequence.name for sequence in iterate(dataset)] == [sequence.name for sequence in iterate(direct)]
    assert ImageNetVid(cached, plus_one=True)[0].boxes[0].tolist() == [17, 11, 13, 10]
    check_training(ImageNetVid(cached, min_length=10, max_target_area=0.9), "train/imagenet_vid_filtered")


def test_what_the_published_cache_does_not_know(cached):
    with pytest.raises(ValueError, match="gaps='skip' needs Annotations/VID/train"):
        ImageNetVid(cached, gaps="skip")
    with pytest.raises(AnnotationError, match=r"cache\.json: no tracks of the val part there"):
        ImageNetVid(cached, "val")


def test_xml_wins_over_the_cache(editable):
    (editable / "cache.json").write_text("[]")
    assert len(ImageNetVid(editable)) == 5


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '[{"set_id": 0, "vid_id": 1, "image_size": [4, 4]}]'])
def test_damaged_cache(tmp_path, text):
    (tmp_path / "cache.json").write_text(text)
    with pytest.raises(AnnotationError, match=r"cache\.json: (not a list of tracks|no tracks)"):
        ImageNetVid(tmp_path)


OBJECT = (
    "<object><trackid>0</trackid><name>n1</name><bndbox><xmax>9</xmax><xmin>1</xmin><ymax>8</ymax><ymin>2</ymin></bndbox>"
    "<occluded>1</occluded></object>"
)


def xml(*objects, size="<size><width>48</width><height>36</height></size>"):
    return f"<annotation>{size}{''.join(objects)}</annotation>".encode()


def test_xml():
    still = OBJECT.replace("<trackid>0</trackid>", "").replace("<occluded>1</occluded>", "")
    size, objects = parse_xml(xml(OBJECT, still), "x.xml")
    assert size == (48, 36)
    assert objects == (("n1", (1, 2, 9, 8), 0, True), ("n1", (1, 2, 9, 8), None, False))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no element found"),
        (xml(OBJECT)[:60], "unclosed token|no element found"),
        (b"\x00\xff\xfe", "syntax error|not well-formed"),
        (xml(size=""), "'annotation' has no 'size/width'"),
        (xml(OBJECT.replace("<xmax>9</xmax>", "")), "'object' has no 'bndbox/xmax'"),
        (xml(OBJECT.replace("<name>n1</name>", "")), "'object' has no 'name'"),
        (xml(OBJECT.replace("9", "nine")), "invalid literal"),
    ],
)
def test_damaged_xml_names_the_file(editable, data, message):
    with pytest.raises(AnnotationError, match=rf"x\.xml: not an annotation of ImageNet \(.*({message})"):
        parse_xml(data, "x.xml")
    (editable / "Annotations" / "VID" / "train" / VIDEO / "000005.xml").write_bytes(data)
    with pytest.raises(AnnotationError, match=r"000005\.xml: "):
        ImageNetVid(editable)


def test_unusual_tracks(tmp_path):
    folder = tmp_path / "Annotations" / "VID" / "train" / VIDEO
    folder.mkdir(parents=True)
    twice = OBJECT.replace("<xmin>1", "<xmin>5")  # the same track again: the first box counts
    contents = [xml(OBJECT, twice), xml(), xml(OBJECT.replace("<trackid>0", "<trackid>10")), xml(OBJECT)]
    for number, content in enumerate(contents):
        (folder / f"{number:06d}.xml").write_bytes(content)
    (folder / "notes.txt").write_text("x")
    whole = ImageNetVid(tmp_path, gaps="skip")
    assert [(sequence.name[-3:], sequence.attributes["frame_numbers"].tolist()) for sequence in iterate(whole)] == [
        ("1.0", [0, 3]),
        (".10", [2]),
    ]
    assert whole[0].boxes.tolist() == [[1, 2, 8, 6]] * 2
    assert whole[0].visible.tolist() == [False, False]
    assert [len(sequence) for sequence in iterate(ImageNetVid(tmp_path))] == [1, 1]
    (folder / "000004.xml").write_bytes(xml(OBJECT.replace("<trackid>0</trackid>", "")))
    shutil.rmtree(tmp_path / ".trackdata")
    with pytest.raises(AnnotationError, match=r"000004\.xml: an object without trackid"):
        ImageNetVid(tmp_path)


def test_options_that_do_not_exist(mini):
    with pytest.raises(ValueError, match="ImageNet VID has no split 'test'; there are train, val, train_val"):
        ImageNetVid(mini / "vid", "test")
    with pytest.raises(ValueError, match="gaps is one of end, skip, got 'fill'"):
        ImageNetVid(mini / "vid", gaps="fill")
