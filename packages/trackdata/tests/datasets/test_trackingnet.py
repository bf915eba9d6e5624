"""TrackingNet: the miniature dataset as folders, archive and LMDB, its chunks, orders and class map."""

import json
import pickle
import shutil

import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.trackingnet import CLASSES, TrackingNet
from trackdata.sequences import AnnotationError, FrameError, find, iterate

CLASS_MAP = {
    "a1qoB1eERn0_0": "person",
    "cVrxfV0w29w_0": "person",
    "Nf1aqv5Fg5o_0": "airplane",
    "bJqhWaDN0hQ_1": "dog",
    "D0jRA5TKT-o_0": "potted plant",  # one of the two that are no training video
}


def add_class_map(root):
    lines = [f"{video}\t{name}" for video, name in CLASS_MAP.items()]
    (root / "trackingnet_classmap.txt").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    return root


@pytest.fixture
def copied(mini, tmp_path):
    """A copy of the miniature dataset with a class map."""
    return add_class_map(shutil.copytree(mini / "trackingnet", tmp_path / "trackingnet"))


def test_training_reader(copied, check_training, expected):
    dataset = TrackingNet(copied, "train")
    check_training(dataset, "train/trackingnet")
    assert [f"({chunk}, {name!r})" for chunk, name in zip((0, 0, 3, 3), dataset.sequence_names, strict=True)] == [
        entry["sequence"] for entry in expected["train/trackingnet"]["sequences"]
    ]
    classes = sorted({sequence.object_class for sequence in iterate(dataset)})
    assert classes == expected["train/trackingnet"]["classes"]
    assert set(classes) < set(CLASSES)
    assert len(CLASSES) == 22


def test_archives(copied, tmp_path, check_training):
    shutil.make_archive(str(tmp_path / "whole"), "zip", copied)
    check_training(TrackingNet(tmp_path / "whole.zip", "train"), "train/trackingnet")
    parts = tmp_path / "parts"
    for chunk in ("TRAIN_0", "TRAIN_3", "TEST"):
        shutil.make_archive(str(parts / chunk), "tar", copied / chunk)
    shutil.copy(copied / "trackingnet_classmap.txt", parts)
    dataset = pickle.loads(pickle.dumps(TrackingNet(parts, "train")))
    check_training(dataset, "train/trackingnet")


def test_lmdb(mini, tmp_path, check_training, expected):
    root = add_class_map(shutil.copytree(mini / "trackingnet_lmdb", tmp_path / "trackingnet_lmdb"))
    dataset = TrackingNet(root, "train")
    check_training(dataset, "lmdb/trackingnet")
    assert [f"[{chunk}, {name!r}]" for chunk, name in zip((0, 0, 3, 3), dataset.sequence_names, strict=True)] == [
        entry["sequence"] for entry in expected["lmdb/trackingnet"]["sequences"]
    ]
    # published: chunks that are asked for are ignored
    assert TrackingNet(root, "train_3").sequence_names == ("bJqhWaDN0hQ_1", "Nf1aqv5Fg5o_0")
    # without the list: the folder reader's order
    (root / "seq_list.json").unlink()
    check_training(TrackingNet(root, "train"), "train/trackingnet")
    (root / "seq_list.json").write_text('{"videos": 3}')
    with pytest.raises(AnnotationError, match=r"seq_list\.json: expected \[\[chunk, video\], \.\.\.\]"):
        TrackingNet(root, "train")


def test_lists_that_name_a_video_twice(copied):
    # as the published list of TRAIN_0 does with AwVdVzh1Eh0_0
    listed = [[0, "cVrxfV0w29w_0"], [0, "a1qoB1eERn0_0"], [0, "cVrxfV0w29w_0"]]
    (copied / "seq_list.json").write_text(json.dumps(listed))
    assert TrackingNet(copied, "train").sequence_names == ("cVrxfV0w29w_0", "a1qoB1eERn0_0")
    assert TrackingNet(copied, "train_3").sequence_names == ("Nf1aqv5Fg5o_0", "bJqhWaDN0hQ_1")  # not in the list
    assert TrackingNet(copied, "test").sequence_names == ("YaXKZdSEwt4_0", "y-DH0Xn9Bg0_0")


def test_evaluation_reader(stored, check_evaluation):
    dataset = TrackingNet(stored / "trackingnet", "test")
    check_evaluation(dataset, "test/trackingnet", stored)
    assert dataset[0].frames[-1].shape == (36, 48, 3)


def test_frames_are_in_the_order_of_their_numbers(copied):
    sequence = find(TrackingNet(copied, "test"), "YaXKZdSEwt4_0")
    keys = sequence.frames.keys
    assert [key.rpartition("/")[2] for key in keys] == [f"{number}.jpg" for number in range(11)]
    shutil.rmtree(copied / "TEST" / "frames" / "YaXKZdSEwt4_0")
    with pytest.raises(AnnotationError, match=r"YaXKZdSEwt4_0: no frames; expected 0\.jpg"):
        find(TrackingNet(copied, "test"), "YaXKZdSEwt4_0")


def test_line_ends_and_leading_blanks(copied):
    file = copied / "TRAIN_3" / "anno" / "bJqhWaDN0hQ_1.txt"
    before = find(TrackingNet(copied, "train_3"), "bJqhWaDN0hQ_1").boxes
    file.write_bytes(b"".join(b"  " + line + b" \r\n" for line in file.read_bytes().splitlines()))
    np.testing.assert_array_equal(find(TrackingNet(copied, "train_3"), "bJqhWaDN0hQ_1").boxes, before)


def test_classes_without_a_map(mini, copied):
    assert {sequence.object_class for sequence in iterate(TrackingNet(mini / "trackingnet", "train"))} == {"unknown"}
    # published: a KeyError while a video is read that the map leaves out
    (copied / "trackingnet_classmap.txt").write_text("a1qoB1eERn0_0\tperson\n")
    classes = [sequence.object_class for sequence in iterate(TrackingNet(copied, "train"))]
    assert classes == ["person", "unknown", "unknown", "unknown"]


def test_chunks_come_in_the_order_of_their_numbers(copied):
    for number in (10, 2):
        anno = copied / f"TRAIN_{number}" / "anno"
        anno.mkdir(parents=True)
        (anno / f"-x{number}_0.txt").write_text("1,2,3,4\n5,6,7,8\n")
    names = TrackingNet(copied, "train").sequence_names
    assert [name for name in names if name.startswith("-")] == ["-x2_0", "-x10_0"]
    assert names[-1] == "-x10_0"


def test_splits_and_places(copied):
    assert len(open_dataset("TRACKINGNET", copied)) == len(TrackingNet(copied, "train")) == 4
    assert TrackingNet(copied, "train_0").sequence_names == ("a1qoB1eERn0_0", "cVrxfV0w29w_0")
    assert TrackingNet(copied / "TRAIN_3").sequence_names == ("Nf1aqv5Fg5o_0", "bJqhWaDN0hQ_1")
    assert len(find(TrackingNet(copied / "TRAIN_3", "train_3"), "Nf1aqv5Fg5o_0")) == 22
    with pytest.raises(AnnotationError, match="no part of the split 'train_0'"):
        TrackingNet(copied / "TRAIN_3", "train_0")
    with pytest.raises(AnnotationError, match=r"no folder TRAIN_1, TRAIN_2, .*the split 'train' takes those"):
        TrackingNet(copied, "train_full")
    with pytest.raises(AnnotationError, match="no folder TRAIN_7 of TrackingNet"):
        TrackingNet(copied, "train_7")
    with pytest.raises(AnnotationError, match=r"found: TEST, TRAIN_0, TRAIN_3\) give a split"):
        TrackingNet(copied)
    with pytest.raises(ValueError, match="no split 'train_12'"):
        TrackingNet(copied, "train_12")


def test_a_video_in_two_chunks(copied):
    shutil.copy(copied / "TRAIN_0" / "anno" / "cVrxfV0w29w_0.txt", copied / "TRAIN_3" / "anno")
    with pytest.raises(AnnotationError, match="cVrxfV0w29w_0 is in both TRAIN_0 and TRAIN_3"):
        TrackingNet(copied, "train")


def test_missing_frames_are_found_when_they_are_read(copied):
    (copied / "TRAIN_0" / "frames" / "cVrxfV0w29w_0" / "19.jpg").unlink()
    sequence = find(TrackingNet(copied, "train_0"), "cVrxfV0w29w_0")
    assert len(sequence) == 20
    with pytest.raises(FrameError, match=r"19\.jpg"):
        sequence.frames[19]


def test_building_reads_no_annotation(copied):
    (copied / "TRAIN_0" / "anno" / "cVrxfV0w29w_0.txt").write_text("")
    (copied / "trackingnet_classmap.txt").write_bytes(b"\xff")
    dataset = TrackingNet(copied, "train")
    with pytest.raises(AnnotationError, match="holds no boxes"):
        dataset[1]
    with pytest.raises(AnnotationError, match=r"trackingnet_classmap\.txt: not a text file"):
        dataset[0]
