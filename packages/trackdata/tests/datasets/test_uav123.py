"""UAV123 and UAV20L: the miniature dataset, the lists, and the GOT-10k toolkit's own reader on the same files."""

import shutil

import numpy as np
import pytest

from trackdata.datasets import dataset_info, open_dataset
from trackdata.datasets.uav123 import Uav, sequences
from trackdata.sequences import AnnotationError, find


def write_boxes(root, entries, absent=()):
    for entry in entries.values():
        rows = [f"{row},{row},{row % 9 + 1},5" for row in range(entry.first, entry.last + 1)]
        for row in absent:
            rows[row] = "NaN,NaN,NaN,NaN"
        (root / entry.annotation).parent.mkdir(parents=True, exist_ok=True)
        (root / entry.annotation).write_text("\n".join(rows) + "\n")


def test_miniature_dataset(stored, check_evaluation):
    check_evaluation(Uav(stored / "uav"), "test/uav", stored)


def test_absent_targets(mini, expected):
    nan = {entry["name"]: entry["gt_nan"] for entry in expected["test/uav"]}
    sequence = find(Uav(mini / "uav"), "uav_bird1_2")
    assert sequence.absent.sum() == nan["uav_bird1_2"] == 40
    assert not sequence.valid[sequence.absent].any()
    assert (sequence.visible, sequence.origin) == (None, 1)
    assert find(Uav(mini / "uav"), "uav_bike2").absent.sum() == 0


def test_lists(tmp_path):
    dataset, long = Uav(tmp_path), Uav(tmp_path, version="UAV20L")
    assert (len(dataset), len(long)) == (123, 20)
    assert sum(entry.last - entry.first + 1 for entry in sequences("UAV123").values()) == 112_578
    assert sum(entry.last - entry.first + 1 for entry in sequences("UAV20L").values()) == 58_670
    assert all(name.startswith("uav_") for name in dataset.sequence_names)
    assert open_dataset("uav20l", tmp_path).sequence_names == long.sequence_names
    assert open_dataset("uav", tmp_path).sequence_names == dataset.sequence_names
    assert (dataset_info("uav123").tag, dataset_info("uav20l").tag) == ("uav", "uav")
    with pytest.raises(AnnotationError, match=r"anno/UAV123/bike1\.txt: there is no such file"):
        dataset[0]
    with pytest.raises(ValueError, match="UAV20L has no split 'test'"):
        open_dataset("uav20l", tmp_path, "test")


@pytest.mark.parametrize("version", ["UAV123", "UAV20L"])
def test_as_the_toolkit_reads_it(tmp_path, version):
    reader = pytest.importorskip("got10k.datasets").UAV123
    entries = sequences(version, prefix=False)
    write_boxes(tmp_path, entries, absent=(3, 7))
    for folder in ("a", "b", "c"):  # the toolkit wants more than three folders
        (tmp_path / folder).mkdir()
    toolkit, ours = reader(str(tmp_path), version), Uav(tmp_path, "toolkit", version=version)
    assert set(toolkit.seq_names) == set(ours.sequence_names)
    assert set(Uav(tmp_path, "all", version=version).sequence_names) == set(ours.sequence_names)
    for name in toolkit.seq_names:
        images, boxes = toolkit[name]
        sequence = find(ours, name)
        assert [str(tmp_path / key) for key in sequence.frames.keys] == images
        np.testing.assert_array_equal(sequence.boxes, boxes)
        assert np.flatnonzero(sequence.absent).tolist() == [3, 7]


def test_long_sequences_have_the_classes_of_their_videos():
    short = {entry.folder: entry.object_class for entry in sequences("UAV123").values()}
    assert all(entry.object_class == short[entry.folder] for entry in sequences("UAV20L").values())


def test_wrong_numbers_of_boxes(mini, tmp_path):
    root = shutil.copytree(mini / "uav", tmp_path / "uav")
    file = root / "anno" / "UAV123" / "bike2.txt"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]))
    with pytest.raises(AnnotationError, match=r"bike2\.txt: 552 boxes for the 553 images 1 to 553"):
        find(Uav(root), "uav_bike2")


def test_attributes(mini, tmp_path):
    root = shutil.copytree(mini / "uav", tmp_path / "uav")
    attributes = root / "anno" / "UAV123" / "att"
    attributes.mkdir()
    (attributes / "bike2.txt").write_text("1,0,0,1,0,0,0,0,0,0,0,1\n")
    held = ("Scale Variation", "Fast Motion", "Similar Object")
    assert find(Uav(root), "uav_bike2").attributes["challenges"] == held
    assert find(Uav(root, "toolkit"), "bike2").attributes["challenges"] == held
    assert "challenges" not in find(Uav(root), "uav_bird1_2").attributes
    assert len(dataset_info("uav123").challenges) == 12


def test_other_sequences_in_the_layout(tmp_path, write_image):
    for name, rows in (("mine", 3), ("mine_10", 1), ("mine_2", 1)):
        (tmp_path / "anno" / "UAV123").mkdir(parents=True, exist_ok=True)
        (tmp_path / "anno" / "UAV123" / f"{name}.txt").write_text("1,2,3,4\n" * rows)
        for number in range(1, rows + 1):
            write_image(tmp_path / "data_seq" / "UAV123" / name / f"{number:06d}.jpg", grey=number)
    dataset = open_dataset("uav123", tmp_path, "all")
    assert dataset.sequence_names == ("mine", "mine_2", "mine_10")
    assert [frame[0, 0, 0] for frame in (dataset[0].frames[index] for index in range(3))] == [1, 2, 3]
    with pytest.raises(AnnotationError, match="UAV20L: no files of boxes there"):
        open_dataset("uav20l", tmp_path, "all")
