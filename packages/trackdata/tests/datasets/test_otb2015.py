"""OTB: the miniature dataset, the published special cases, and the GOT-10k toolkit's own reader on the same folders."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from trackdata.datasets import dataset_info, open_dataset
from trackdata.datasets.otb2015 import Otb2015, sequences
from trackdata.sequences import AnnotationError, find

# What the benchmark's page and the published readers say: (first number, last number) of the images.
RANGES = {
    "David": (300, 770),
    "BlurCar1": (247, 988),
    "BlurCar3": (3, 359),
    "BlurCar4": (18, 397),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Tiger1": (6, 354),
}


def boxes_of(rows):
    """Rows that tell where they are."""
    return "\n".join(f"{row},{row + 1},{10 + row % 5},{20 + row % 7}" for row in range(1, rows + 1))


def write(root, name, images, rows, file="groundtruth_rect.txt", digits=4):
    """A sequence of empty images, numbered from 1, with ``rows`` boxes."""
    folder = root / name / "img"
    folder.mkdir(parents=True, exist_ok=True)
    for number in images:
        (folder / f"{number:0{digits}d}.jpg").touch()
    (root / name / file).write_text(boxes_of(rows))


@pytest.fixture(scope="module")
def otb(tmp_path_factory):
    """Every special sequence with the files of the original download, and two plain ones."""
    root = tmp_path_factory.mktemp("otb")
    write(root, "David", range(1, 771), 471)
    write(root, "BlurCar1", range(247, 989), 742)
    write(root, "BlurCar3", range(3, 360), 357)
    write(root, "BlurCar4", range(18, 398), 380)
    write(root, "Diving", range(1, 232), 215)
    write(root, "Football1", range(1, 75), 74)
    write(root, "Freeman3", range(1, 461), 460)
    write(root, "Freeman4", range(1, 284), 283)
    write(root, "Tiger1", range(1, 355), 354)
    write(root, "Board", range(1, 699), 698, digits=5)
    write(root, "KiteSurf", range(1, 85), 84)
    write(root, "Deer", range(1, 72), 71)
    write(root, "Human4", range(1, 668), 667, "groundtruth_rect.2.txt")
    (root / "Human4" / "groundtruth_rect.1.txt").write_text("\n")
    for name, length in (("Jogging", 307), ("Skating2", 473)):
        for target in (1, 2):
            write(root, name, range(1, length + 1), length, f"groundtruth_rect.{target}.txt")
    return root


def test_miniature_dataset(stored, check_evaluation):
    check_evaluation(Otb2015(stored / "otb"), "test/otb", stored)


def test_lists(tmp_path):
    assert len(Otb2015(tmp_path)) == len(Otb2015(tmp_path, "otb2015")) == len(Otb2015(tmp_path, "toolkit")) == 100
    assert len(Otb2015(tmp_path, "tb50")) == 50
    assert len(Otb2015(tmp_path, "otb2013")) == 51  # 50 videos, Jogging with two targets
    assert set(Otb2015(tmp_path, "tb50").sequence_names) < set(Otb2015(tmp_path).sequence_names)
    assert {"Jogging_1", "Jogging_2", "Skating2_1", "Skating2_2", "Human4_2"} < set(Otb2015(tmp_path).sequence_names)
    assert open_dataset("otb", tmp_path).name == "otb"
    assert dataset_info("otb2015").tag == dataset_info("otb").tag == "otb"
    with pytest.raises(ValueError, match="no split 'test'"):
        open_dataset("otb2015", tmp_path, "test")
    with pytest.raises(AnnotationError, match=r"Basketball.groundtruth_rect\.txt: there is no such file"):
        Otb2015(tmp_path)[0]


def on_disk(root, dataset):
    names = [name for name in dataset.sequence_names if (root / sequences(None)[name].annotation).is_file()]
    return [dataset[dataset.sequence_names.index(name)] for name in names]


def test_special_cases(otb):
    found = on_disk(otb, Otb2015(otb))
    assert len(found) == 17  # 15 folders, two of which have two targets
    for sequence in found:
        numbers = [int(Path(key).stem) for key in sequence.frames.keys]
        first, last = RANGES.get(sequence.name, (1, len(numbers)))
        assert numbers == list(range(first, last + 1)), sequence.name
        assert all((otb / key).is_file() for key in sequence.frames.keys), sequence.name
        skipped = 5 if sequence.name == "Tiger1" else 0
        assert sequence.boxes[0].tolist()[:2] == [1 + skipped, 2 + skipped]
        assert (len(sequence.boxes), sequence.origin) == (len(numbers), 1)
    assert [sequence.object_class for sequence in found if sequence.name in ("David", "Deer")] == ["face", "mammal"]


def test_as_the_toolkit_reads_it(otb):
    toolkit = pytest.importorskip("got10k.datasets").OTB(str(otb), 2015, download=False)
    ours = Otb2015(otb, "toolkit")
    assert set(toolkit.seq_names) < set(ours.sequence_names)
    assert [name for name in ours.sequence_names if name in toolkit.seq_names] == toolkit.seq_names
    for name in toolkit.seq_names:
        images, boxes = toolkit[name]
        sequence = find(ours, name)
        assert [str(otb / key) for key in sequence.frames.keys] == images
        np.testing.assert_array_equal(sequence.boxes, boxes)
    assert len(find(ours, "Tiger1")) == 354


def test_subsets_are_those_of_the_toolkit(otb):
    reader = pytest.importorskip("got10k.datasets").OTB
    for split, version in (("otb2013", 2013), ("tb50", "tb50")):
        theirs = set(reader._OTB__version_dict[version])
        assert {entry.folder.partition("/")[0] for entry in sequences(split).values()} == theirs


def test_everything_on_disk(otb, tmp_path):
    dataset = Otb2015(otb, "all")
    assert len(dataset) == 17
    assert "Human4_2" in dataset.sequence_names
    assert "Human4_1" not in dataset.sequence_names  # the empty file
    write(tmp_path, "Mine", (2, 10, 9), 3)
    write(tmp_path, "Two", (1,), 1, "groundtruth_rect.1.txt")
    write(tmp_path, "Two", (1,), 1, "groundtruth_rect.2.txt")
    (tmp_path / "notes").mkdir()
    dataset = pickle.loads(pickle.dumps(Otb2015(tmp_path, "all")))
    assert dataset.sequence_names == ("Mine", "Two_1", "Two_2")
    assert dataset[0].frames.keys == ("Mine/img/0002.jpg", "Mine/img/0009.jpg", "Mine/img/0010.jpg")
    (tmp_path / "Mine" / "img" / "0009.jpg").unlink()
    with pytest.raises(AnnotationError, match="3 boxes for 2 images"):
        Otb2015(tmp_path, "all")[0]
    with pytest.raises(AnnotationError, match="no folder with a file groundtruth_rect"):
        Otb2015(tmp_path / "notes", "all")


def test_separators(otb, tmp_path):
    rows = boxes_of(71).splitlines()
    for separator, end in ((",", "\n"), ("\t", "\r\n"), (" ", "\n\n"), (", ", "\r\n")):
        write(tmp_path, "Deer", (), 0)
        (tmp_path / "Deer" / "groundtruth_rect.txt").write_bytes(
            end.join(row.replace(",", separator) for row in rows).encode()
        )
        sequence = find(Otb2015(tmp_path), "Deer")
        np.testing.assert_array_equal(sequence.boxes, find(Otb2015(otb), "Deer").boxes)


def test_wrong_numbers_of_boxes(tmp_path):
    write(tmp_path, "Deer", (), 70)
    with pytest.raises(AnnotationError, match=r"Deer.groundtruth_rect\.txt: 70 boxes for the 71 images 1 to 71"):
        find(Otb2015(tmp_path), "Deer")
    write(tmp_path, "Tiger1", (), 349)  # rows that were skipped already
    with pytest.raises(AnnotationError, match="349 boxes for the 354 images"):
        find(Otb2015(tmp_path), "Tiger1")


@pytest.mark.parametrize(
    "text",
    [
        "IV, SV, OCC, OV",  # abbreviations, as in jwlim/tracker_benchmark
        "OV\nOCC\nSV\nIV\n",
        "illumination variation, scale variation, occlusion, out of view",
        "1,0,1,1,0,0,0,0,1,0,0",
        "1 0 1 1 0 0 0 0 1 0 0\r\n",
    ],
)
def test_attributes(tmp_path, text):
    write(tmp_path, "Deer", (), 71)
    (tmp_path / "Deer" / "attrs.txt").write_text(text)
    held = ("Illumination Variation", "Scale Variation", "Occlusion", "Out-of-View")
    assert find(Otb2015(tmp_path), "Deer").attributes["challenges"] == held
    assert find(Otb2015(tmp_path, "all"), "Deer").attributes["challenges"] == held


def test_attributes_that_are_not_known(tmp_path):
    write(tmp_path, "Deer", (), 71)
    (tmp_path / "Deer" / "attrs.txt").write_text("IV, XX")
    with pytest.raises(AnnotationError, match=r"attrs\.txt: 'XX' is none of the attributes IV \(Illumination"):
        find(Otb2015(tmp_path), "Deer")
    (tmp_path / "Deer" / "attrs.txt").write_text("1,0,1")
    with pytest.raises(AnnotationError, match=r"attrs\.txt: 3 flags for the 11 attributes IV, OPR"):
        find(Otb2015(tmp_path), "Deer")


def test_building_reads_no_annotation(tmp_path):
    write(tmp_path, "Deer", (), 71)
    (tmp_path / "Deer" / "groundtruth_rect.txt").write_text("nonsense")
    dataset = Otb2015(tmp_path, "all")
    assert dataset.sequence_names == ("Deer",)
    with pytest.raises(AnnotationError, match="'nonsense' is not a number"):
        dataset[0]
