"""LaSOT and LaSOT_ext: the miniature datasets, the published lists, and folders made by hand."""

import pickle
import shutil

import numpy as np
import pytest

from trackdata.datasets import dataset_info, open_dataset
from trackdata.datasets.lasot import Lasot
from trackdata.datasets.lasot_ext import LasotExt
from trackdata.evaluation.conventions import Pytracking
from trackdata.evaluation.records import Track, Truth
from trackdata.sequences import AnnotationError, FrameError, find, iterate


@pytest.fixture
def broken(mini, tmp_path):
    """A copy of the miniature dataset to damage."""
    return shutil.copytree(mini / "lasot", tmp_path / "lasot")


def test_training_reader(stored, check_training):
    dataset = Lasot(stored / "lasot", "train")
    check_training([find(dataset, "airplane-10"), find(dataset, "airplane-11")], "train/lasot")


def test_classes_are_the_folders(stored, expected):
    dataset = Lasot(stored / "lasot", "all")
    assert dataset.sequence_names == ("airplane-1", "airplane-10", "airplane-11", "basketball-2")
    assert sorted({sequence.object_class for sequence in iterate(dataset)}) == expected["train/lasot"]["classes"]


def test_lmdb(mini, check_training):
    dataset = Lasot(mini / "lasot_lmdb", "train")
    check_training([find(dataset, "airplane-10"), find(dataset, "airplane-11")], "lmdb/lasot")
    assert Lasot(mini / "lasot_lmdb", "all").sequence_names == Lasot(mini / "lasot", "all").sequence_names


def test_protocol_two(mini, expected):
    train, test = Lasot(mini / "lasot", "train"), Lasot(mini / "lasot", "test")
    split = expected["train/lasot_split"]
    assert len(train) == split["num_sequences"] == 1120
    assert list(train.sequence_names[:3]) == split["first"]
    assert list(train.sequence_names[-3:]) == split["last"]
    assert len(test) == 280
    every = {*train.sequence_names, *test.sequence_names}
    assert len(every) == 1400
    assert len({name.partition("-")[0] for name in every}) == 70


def test_numbers_of_every_class(stored, expected):
    case = expected["train/lasot_vid_ids"]
    dataset = Lasot(stored / "lasot", vid_ids=case["vid_ids"])
    assert list(dataset.sequence_names) == case["names"]
    assert dataset[0].object_class == "airplane"
    with pytest.raises(AnnotationError, match=r"airplane-2.groundtruth\.txt: there is no such file"):
        dataset[1]


def test_evaluation_readers(stored, check_evaluation):
    check_evaluation(Lasot(stored / "lasot", "test"), "test/lasot", stored)
    check_evaluation(LasotExt(stored / "lasot_ext"), "test/lasot_extension_subset", stored)


def test_extension(stored):
    dataset = LasotExt(stored / "lasot_ext")
    assert len(dataset) == len(set(dataset.sequence_names)) == 150
    assert len({name.partition("-")[0] for name in dataset.sequence_names}) == 15
    assert LasotExt(stored / "lasot_ext", "all").sequence_names == ("atv-1", "wingsuit-10")


def test_names(mini):
    assert open_dataset("LASOT", mini / "lasot").sequence_names == Lasot(mini / "lasot", "train").sequence_names
    assert open_dataset("LASOT", mini / "lasot").name == "LASOT"
    assert open_dataset("lasot", mini / "lasot", "test").name == "lasot_test"
    subset = open_dataset("lasot_extension_subset", mini / "lasot_ext")
    assert (subset.name, len(subset)) == ("lasot_extension_subset", 150)
    assert dataset_info("lasot_extension_subset").tag == "lasot_extension_subset"
    with pytest.raises(ValueError, match=r"needs a split \(train, test, all\) or vid_ids, got neither"):
        open_dataset("lasot", mini / "lasot")
    with pytest.raises(ValueError, match="got both"):
        Lasot(mini / "lasot", "train", vid_ids=[1])
    with pytest.raises(ValueError, match="no split 'val'"):
        Lasot(mini / "lasot", "val")
    with pytest.raises(ValueError, match="no split 'train'; there are test, all"):
        LasotExt(mini / "lasot_ext", "train")


def test_flags_and_visibility(broken):
    folder = broken / "airplane" / "airplane-1"
    before = find(Lasot(broken, "all"), "airplane-1")
    assert before.absent.astype(int).tolist() == [0, 0, 0, 1, 1, 0, 1, 1, 0]
    assert before.attributes["language"] == "a small thing moving"
    assert (before.origin, len(before.frames)) == (1, 9)
    # An empty box that no file flags, as in tiger-6: not visible, not absent.
    boxes = (folder / "groundtruth.txt").read_text().split()
    boxes[0] = "613,731,247,-11"
    (folder / "groundtruth.txt").write_text("\n".join(boxes))
    after = find(Lasot(broken, "all"), "airplane-1")
    assert (after.valid[0], after.visible[0], after.absent[0]) == (False, False, False)
    assert after.boxes[0].tolist() == [613, 731, 247, -11]


def test_an_empty_box_without_a_flag_scores_as_published(broken):
    folder = broken / "airplane" / "airplane-1"
    boxes = (folder / "groundtruth.txt").read_text().split()
    boxes[2] = "13,7,14,-9"
    (folder / "groundtruth.txt").write_text("\n".join(boxes))
    truth = Truth.of(find(Lasot(broken, "all"), "airplane-1"))
    errors = Pytracking("ostrack", "lasot").errors(Track(np.abs(truth.boxes)), truth)
    assert errors.valid[:4].tolist() == [True, True, False, False]
    # Published: a hit in normalised precision for the empty box, none for the absent target in frame 3.
    assert errors.relative[2:4].tolist() == [-1, np.inf]
    assert errors.center[2:4].tolist() == [np.inf, np.inf]


def test_flags_in_other_shapes(broken):
    folder = broken / "airplane" / "airplane-1"
    before = find(Lasot(broken, "all"), "airplane-1")
    flags = (folder / "out_of_view.txt").read_text().split(",")
    (folder / "out_of_view.txt").write_bytes("\r\n".join(flags).encode() + b"\r\n\r\n")
    boxes = (folder / "groundtruth.txt").read_text().split()
    (folder / "groundtruth.txt").write_bytes("\r\n".join(row.replace(",", "\t") for row in boxes).encode() + b"\n\n")
    after = find(Lasot(broken, "all"), "airplane-1")
    np.testing.assert_array_equal(after.boxes, before.boxes)
    np.testing.assert_array_equal(after.visible, before.visible)


def test_wrong_numbers_of_flags(broken):
    flags = broken / "airplane" / "airplane-1" / "full_occlusion.txt"
    flags.write_text("0,0,0")
    with pytest.raises(AnnotationError, match=r"full_occlusion\.txt: 3 numbers for 9 frames"):
        find(Lasot(broken, "all"), "airplane-1")
    flags.unlink()
    with pytest.raises(AnnotationError, match=r"full_occlusion\.txt: there is no such file"):
        find(Lasot(broken, "all"), "airplane-1")
    flags.with_name("out_of_view.txt").unlink()
    sequence = find(Lasot(broken, "all"), "airplane-1")
    assert (sequence.visible, sequence.absent) == (None, None)


def test_more_images_than_boxes(broken, write_image):
    # monkey-17 has 2,260 annotated frames, and some copies more images
    images = broken / "airplane" / "airplane-1" / "img"
    write_image(images / "00000010.jpg")
    assert len(find(Lasot(broken, "all"), "airplane-1")) == 9
    (images / "00000009.jpg").unlink()
    sequence = find(Lasot(broken, "all"), "airplane-1")
    assert len(sequence) == 9
    with pytest.raises(FrameError, match=r"00000009\.jpg"):
        sequence.frames[8]


@pytest.mark.parametrize("place", ["att", "annos/att"])
def test_attributes(broken, place):
    (broken / place).mkdir(parents=True)
    (broken / place / "airplane-1.txt").write_text("0,1,0,0,0,1,0,0,1,0,0,0,1,0\n")
    dataset = Lasot(broken, "all")
    held = ("Partial Occlusion", "Rotation", "Scale Variation", "Low Resolution")
    assert find(dataset, "airplane-1").attributes["challenges"] == held
    assert "challenges" not in find(dataset, "airplane-10").attributes
    assert len(dataset_info("lasot").challenges) == 14


def test_one_archive_for_each_class(mini, tmp_path, check_training):
    # As LaSOT is downloaded: airplane.zip with the folder airplane inside.
    for name in ("airplane", "basketball"):
        shutil.make_archive(str(tmp_path / name), "zip", mini / "lasot", name)
    dataset = Lasot(tmp_path, "all")
    assert dataset.sequence_names == ("airplane-1", "airplane-10", "airplane-11", "basketball-2")
    copy = pickle.loads(pickle.dumps(dataset))
    check_training([find(copy, "airplane-10"), find(copy, "airplane-11")], "train/lasot")


def test_building_reads_no_annotation(broken):
    shutil.rmtree(broken / "airplane" / "airplane-10" / "img")
    (broken / "airplane" / "airplane-10" / "groundtruth.txt").write_text("nonsense")
    dataset = Lasot(broken, "all")
    assert len(dataset[0]) == 9
    with pytest.raises(AnnotationError, match=r"groundtruth\.txt: line 1: 'nonsense' is not a number"):
        dataset[1]


def test_no_classes(tmp_path):
    with pytest.raises(AnnotationError, match="no folder <class> with sequences"):
        Lasot(tmp_path, "all")
    with pytest.raises(AnnotationError, match="no folder <class> with sequences"):
        Lasot(tmp_path, vid_ids=[1])
    assert len(Lasot(tmp_path, "test")) == 280
