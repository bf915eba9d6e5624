"""Benchmarks without a list, whose sequences are the folders on disk: TNL2K, TC128, ITB, DTB70."""

import shutil

import numpy as np
import pytest

from trackdata.datasets import dataset_info, open_dataset
from trackdata.sequences import AnnotationError, find, iterate


@pytest.mark.parametrize(
    ("name", "folder", "case"),
    [
        ("tnl2k", "tnl2k", "test/tnl2k_patched"),
        ("tc128", "tc128", "test/tc128"),
        ("tc128ce", "tc128", "test/tc128ce"),
        ("itb", "itb", "test/itb"),
    ],
)
def test_miniature_datasets(stored, check_evaluation, expected, name, folder, case):
    dataset = open_dataset(name, stored / folder)
    check_evaluation(dataset, case, stored)
    assert len(dataset) == len(expected[case])
    assert all(sequence.frames[0].shape == (36, 48, 3) for sequence in iterate(dataset))


@pytest.mark.parametrize("name", ["tnl2k", "itb", "dtb70"])
def test_there_are_no_splits(tmp_path, name):
    with pytest.raises(ValueError, match="has no split 'test'; it has none"):
        open_dataset(name, tmp_path, "test")


@pytest.mark.parametrize("name", ["tnl2k", "tc128", "tc128ce", "itb", "dtb70"])
def test_empty_folders(tmp_path, name):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(AnnotationError, match="no folder"):
        open_dataset(name, tmp_path)


# TNL2K


def test_sentences(stored, expected):
    assert "test/tnl2k" in expected["errors"]  # published: the reader passes an argument that does not exist
    dataset = open_dataset("tnl2k", stored / "tnl2k")
    sentences = {sequence.name: sequence.attributes["language"] for sequence in iterate(dataset)}
    assert sentences == expected["test/tnl2k_language"]


def test_tnl2k_counts_and_attributes(mini, tmp_path):
    name = "CartoonXiYouJi_video_Z01_done"
    root = shutil.copytree(mini / "tnl2k", tmp_path / "tnl2k")
    (root / "att").mkdir()
    (root / "att" / f"{name}_attribute.txt").write_text("0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,0\n")
    (root / name / "language.txt").unlink()
    sequence = find(open_dataset("tnl2k", root), name)
    assert sequence.attributes == {"challenges": ("Fast Motion", "Adversarial Samples", "Thermal Crossover")}
    assert len(dataset_info("tnl2k").challenges) == 17
    (root / name / "imgs" / "00006.jpg").unlink()
    with pytest.raises(AnnotationError, match=r"groundtruth\.txt: 6 boxes for 5 images in .*imgs"):
        find(open_dataset("tnl2k", root), name)
    shutil.rmtree(root / name / "imgs")
    with pytest.raises(AnnotationError, match="imgs: no images there"):
        find(open_dataset("tnl2k", root), name)


# TC128


@pytest.fixture
def tc128(mini, tmp_path):
    return shutil.copytree(mini / "tc128", tmp_path / "tc128")


def test_tc128_as_the_toolkit_reads_it(tc128):
    toolkit = pytest.importorskip("got10k.datasets").TColor128(str(tc128), download=False)
    ours = open_dataset("tc128", tc128)
    assert list(ours.sequence_names) == toolkit.seq_names
    for name in toolkit.seq_names:
        images, boxes = toolkit[name]
        assert [str(tc128 / key) for key in find(ours, name).frames.keys] == images
        np.testing.assert_array_equal(find(ours, name).boxes, boxes)


def test_tc128_ranges(tc128):
    file = tc128 / "Ball_ce1" / "Ball_ce1_frames.txt"
    file.write_text("5\t12\r\n")
    assert find(open_dataset("tc128", tc128, "ce"), "Ball_ce1").origin == 1
    file.write_text("5,13")
    with pytest.raises(AnnotationError, match=r"Ball_ce1_gt\.txt: 8 boxes for the frames 5 to 13"):
        find(open_dataset("tc128", tc128), "Ball_ce1")
    file.write_text("5")
    with pytest.raises(AnnotationError, match=r"Ball_ce1_frames\.txt: 1 numbers for 2"):
        find(open_dataset("tc128", tc128), "Ball_ce1")
    file.unlink()
    with pytest.raises(AnnotationError, match=r"Ball_ce1: there is no file \*_frames\.txt"):
        find(open_dataset("tc128", tc128), "Ball_ce1")


# ITB


def test_itb_has_its_own_tag(mini):
    assert dataset_info("itb").tag == "itb"  # published: otb
    assert open_dataset("itb", mini / "itb")[0].object_class == "unknown"


def test_itb_scenes(mini, tmp_path):
    root = shutil.copytree(mini / "itb", tmp_path / "itb")
    shutil.copytree(root / "Animal", root / "Animal.old")  # a dot: passed over
    shutil.copytree(root / "Animal" / "bird-1", root / "Aerial" / "bird-10")
    assert open_dataset("itb", root).sequence_names == ("bird-10", "bird-1")
    boxes = root / "Aerial" / "bird-10" / "groundtruth.txt"
    boxes.write_text(boxes.read_text().replace(",", " "))
    dataset = open_dataset("itb", root)
    np.testing.assert_array_equal(dataset[0].boxes, dataset[1].boxes)
    (root / "Aerial" / "bird-10" / "00003.jpg").unlink()
    with pytest.raises(AnnotationError, match="5 boxes for 4 images"):
        open_dataset("itb", root)[0]
    shutil.copytree(root / "Animal" / "bird-1", root / "Sport" / "bird-1")
    with pytest.raises(AnnotationError, match="two sequences bird-1, in Animal/bird-1 and Sport/bird-1"):
        open_dataset("itb", root)


# DTB70


@pytest.fixture
def dtb70(tmp_path, write_image):
    for name, length in (("Animal1", 4), ("Yacht4", 12)):
        for number in range(1, length + 1):
            write_image(tmp_path / name / "img" / f"{number:05d}.jpg", grey=number)
        rows = [f"{number},{number},5,6" for number in range(length)]
        (tmp_path / name / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_dtb70_as_the_toolkit_reads_it(dtb70):
    toolkit = pytest.importorskip("got10k.datasets").DTB70(str(dtb70))
    ours = open_dataset("dtb70", dtb70)
    assert list(ours.sequence_names) == toolkit.seq_names == ["Animal1", "Yacht4"]
    for name in toolkit.seq_names:
        images, boxes = toolkit[name]
        assert [str(dtb70 / key) for key in find(ours, name).frames.keys] == images
        np.testing.assert_array_equal(find(ours, name).boxes, boxes)


def test_dtb70_counts_and_attributes(dtb70):
    assert find(open_dataset("dtb70", dtb70), "Yacht4").frames[9][0, 0, 0] == 10
    (dtb70 / "Animal1" / "attrs.txt").write_text("FCM, MB")
    sequence = find(open_dataset("dtb70", dtb70), "Animal1")
    assert sequence.attributes["challenges"] == ("Fast Camera Motion", "Motion Blur")
    (dtb70 / "Animal1" / "img" / "00005.jpg").touch()
    with pytest.raises(AnnotationError, match=r"groundtruth_rect\.txt: 4 boxes for 5 images"):
        find(open_dataset("dtb70", dtb70), "Animal1")
