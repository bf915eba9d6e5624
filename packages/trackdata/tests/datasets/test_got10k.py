"""What GOT-10k's reader offers beside the splits: positions, LMDB, archives, missing meta data."""

import shutil

import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.got10k import Got10k
from trackdata.sequences import AnnotationError, iterate


@pytest.mark.parametrize(("case", "split"), [("train/got10k_all", "train"), ("train/got10k_official_val", "val")])
def test_training_reader(stored, check_training, expected, case, split):
    dataset = Got10k(stored / "got10k", split)
    check_training(dataset, case)
    assert sorted({sequence.object_class for sequence in iterate(dataset)}) == expected[case]["classes"]


def test_positions_keep_their_order(stored, check_training, expected):
    dataset = Got10k(stored / "got10k", "train", seq_ids=[4, 1])
    check_training(dataset, "train/got10k_seq_ids")
    names = [entry["sequence"] for entry in expected["train/got10k_seq_ids"]["sequences"]]
    assert list(dataset.sequence_names) == names
    assert Got10k(stored / "got10k" / "train", seq_ids=(4, 1)).sequence_names == dataset.sequence_names


def test_positions_outside_the_list(mini):
    with pytest.raises(AnnotationError, match=r"lists 6 sequences, there is no position 6"):
        Got10k(mini / "got10k", "train", seq_ids=[6])
    with pytest.raises(AnnotationError, match="no position -1"):
        Got10k(mini / "got10k", "train", seq_ids=[-1])
    with pytest.raises(ValueError, match="'vottrain' is a list of positions itself"):
        Got10k(mini / "got10k", "vottrain", seq_ids=[0])


def test_lmdb(mini, check_training, expected):
    dataset = Got10k(mini / "got10k_lmdb", "train")
    check_training(dataset, "lmdb/got10k")
    for entry in expected["lmdb/got10k"]["sequences"]:
        meta = dataset[entry["index"]].attributes
        assert meta["visible_ratio"].tolist() == entry["visible_ratio"]
        assert meta["motion_class"] == entry["meta"]["motion_class"]


def test_evaluation_reader(stored, check_evaluation):
    for split in ("val", "test"):
        check_evaluation(Got10k(stored / "got10k", split), f"test/got10k_{split}", stored)


def test_a_missing_meta_file_leaves_the_class_unknown(mini, tmp_path, expected):
    # published: "TypeError: '<' not supported between instances of 'NoneType' and 'str'" when classes are sorted
    assert "train/got10k with one meta_info.ini missing" in expected["errors"]
    shutil.copytree(mini / "got10k" / "train", tmp_path / "train")
    (tmp_path / "train" / "GOT-10k_Train_000002" / "meta_info.ini").unlink()
    classes = [sequence.object_class for sequence in iterate(open_dataset("got10k", tmp_path, "train"))]
    assert classes[1] == "unknown"
    assert len(sorted(classes)) == 6
