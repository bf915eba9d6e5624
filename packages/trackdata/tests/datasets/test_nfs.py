"""NfS: the miniature dataset in the converted layout, and the original layout beside the GOT-10k toolkit's reader."""

import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.nfs import Nfs
from trackdata.sequences import AnnotationError, find


def write_original(root, name, speed, rows, images):
    """A sequence of the original layout: VATIC's columns, and empty images."""
    folder = root / name / str(speed)
    (folder / name).mkdir(parents=True)
    for number in range(1, images + 1):
        (folder / name / f"{number:05d}.jpg").touch()
    lines = [f'0 {row} {row + 1} {row + 11.5} {row + 31} {row} 0 0 1 "a ball"' for row in range(rows)]
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def test_miniature_dataset(stored, check_evaluation):
    check_evaluation(Nfs(stored / "nfs"), "test/nfs", stored)
    assert Nfs(stored / "nfs", "all").sequence_names == ("nfs_MachLoop_jet",)


def test_converted_list(mini):
    dataset = Nfs(mini / "nfs")
    assert (len(dataset), dataset.name) == (100, "nfs")
    assert dataset.sequence_names == Nfs(mini / "nfs", "converted").sequence_names
    with pytest.raises(AnnotationError, match=r"nfs_Gymnastics\.txt: there is no such file"):
        find(dataset, "nfs_Gymnastics")
    with pytest.raises(ValueError, match="no split '60'"):
        Nfs(mini / "nfs", "60")


def test_wrong_numbers_of_boxes(tmp_path):
    (tmp_path / "anno").mkdir()
    (tmp_path / "anno" / "nfs_bee.txt").write_text("1\t2\t3\t4\n" * 44)
    with pytest.raises(AnnotationError, match=r"nfs_bee\.txt: 44 boxes for the 45 images 1 to 45"):
        find(Nfs(tmp_path), "nfs_bee")


@pytest.fixture
def original(tmp_path):
    root = tmp_path / "nfs"
    write_original(root, "bee", 240, rows=80, images=80)
    write_original(root, "bee", 30, rows=80, images=10)  # a row for each frame at 240
    write_original(root, "yoyo", 30, rows=12, images=12)
    write_original(root, "walking", 30, rows=12, images=11)
    write_original(root, "suv", 30, rows=11, images=12)
    write_original(root, "tiger", 30, rows=85, images=10)  # 11 rows after every eighth is taken
    return root


def test_original_layout(original):
    dataset = Nfs(original)
    assert dataset.name == "nfs_30"
    assert dataset.sequence_names == ("bee", "suv", "tiger", "walking", "yoyo")
    assert {name: len(find(dataset, name)) for name in dataset.sequence_names} == {
        "bee": 10,
        "suv": 11,
        "tiger": 10,
        "walking": 11,
        "yoyo": 12,
    }
    assert find(dataset, "bee").boxes[1].tolist() == [8, 9, 11.5, 30]
    assert find(dataset, "yoyo").boxes[1].tolist() == [1, 2, 11.5, 30]
    assert (find(dataset, "bee").object_class, len(find(Nfs(original, "240"), "bee"))) == ("insect", 80)
    assert find(dataset, "suv").frames.keys[-1] == "suv/30/suv/00011.jpg"


@pytest.mark.parametrize("speed", [30, 240])
def test_as_the_toolkit_reads_it(original, speed):
    toolkit = pytest.importorskip("got10k.datasets").NfS(str(original), speed)
    ours = Nfs(original, str(speed))
    assert list(ours.sequence_names) == toolkit.seq_names
    for name in toolkit.seq_names:
        images, boxes = toolkit[name]
        sequence = find(ours, name)
        assert [str(original / key) for key in sequence.frames.keys] == images
        np.testing.assert_array_equal(sequence.boxes, boxes)


def test_original_that_does_not_fit(original, tmp_path):
    write_original(tmp_path / "a", "bee", 30, rows=14, images=12)
    with pytest.raises(AnnotationError, match=r"bee\.txt: 14 boxes for 12 images"):
        Nfs(tmp_path / "a", "30")[0]
    file = original / "yoyo" / "30" / "yoyo.txt"
    file.write_text("0 1 2 3 4 0 0 0 1 x\n0 1 2 3\n")
    with pytest.raises(AnnotationError, match=r"yoyo\.txt: line 2: expected track, left, top, right, bottom"):
        find(Nfs(original), "yoyo")
    file.write_text("0 1 2 x 4 0 0 0 1 x\n")
    with pytest.raises(AnnotationError, match=r"yoyo\.txt: line 1: 'x' is not a number"):
        find(Nfs(original), "yoyo")
    with pytest.raises(AnnotationError, match=r"no files <name>/30/<name>\.txt"):
        open_dataset("nfs", original / "bee")
    with pytest.raises(AnnotationError, match="no files nfs_<name>"):
        Nfs(original, "all")


def test_attributes(mini, tmp_path):
    (tmp_path / "anno" / "att").mkdir(parents=True)
    (tmp_path / "anno" / "nfs_bee.txt").write_text("1\t2\t3\t4\n" * 45)
    (tmp_path / "anno" / "att" / "nfs_bee.txt").write_text("0,1,0,0,1,0,0,0,1")
    assert find(Nfs(tmp_path), "nfs_bee").attributes["challenges"] == (
        "Scale Variation",
        "Fast Motion",
        "Low Resolution",
    )
