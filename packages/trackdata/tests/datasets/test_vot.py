"""VOT: the miniature sequences as published readers see them, the toolkit's layout, masks, tags and anchors."""

import pickle
import shutil

import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.lists import read_list
from trackdata.datasets.vot import LISTS, Vot
from trackdata.regions import Mask, Polygon, Rectangle, format_region
from trackdata.sequences import AnnotationError, find, iterate


@pytest.fixture
def sequence_folder(tmp_path, write_image):
    """``make(lines, color="color", ...)`` writes a sequence "a" with a frame for each line of its annotation."""

    def make(lines, frames=None, color="color", **files):
        folder = tmp_path / "data" / "a"
        for number in range(1, 1 + (len(lines) if frames is None else frames)):
            write_image(folder / color / f"{number:08d}.jpg", number)
        (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        return tmp_path / "data"

    return make


def test_published_reader(anywhere, check_evaluation):
    dataset = open_dataset("vot2018", anywhere / "vot2018")
    check_evaluation(dataset, "test/vot18", anywhere)
    assert (dataset.name, len(dataset)) == ("vot2018", 60)
    ants, bag = find(dataset, "ants1"), dataset[dataset.sequence_names.index("bag")]
    assert isinstance(ants.attributes["regions"][0], Polygon)
    assert isinstance(bag.attributes["regions"][0], Rectangle)
    assert not ants.absent.any()
    assert ants.masks is None
    assert ants.frames[5].shape == (36, 48, 3)
    with pytest.raises(AnnotationError, match=r"bmx/groundtruth\.txt: there is no such file"):
        dataset[dataset.sequence_names.index("bmx")]
    assert open_dataset("vot18", anywhere / "vot2018").sequence_names == dataset.sequence_names


@pytest.mark.parametrize("challenge", LISTS)
def test_published_lists(challenge):
    names = read_list(LISTS[challenge])
    assert len(names) == len(set(names)) == (62 if challenge == "vot2022" else 60)


def test_masks_of_the_published_reader(mini, tmp_path, expected, write_image):
    root = shutil.copytree(mini / "vot2020", tmp_path / "vot2020")
    with pytest.raises(AnnotationError, match=r"agility: no frames there; expected color/%08d\.jpg or"):
        find(Vot(root, challenge="vot2020"), "agility")
    for number in (1, 2):
        write_image(root / "agility" / "color" / f"{number:08d}.jpg", size=(16, 12))
    sequence = Vot(root, challenge="vot2020")[read_list("vot2020_st").index("agility")]
    tight = Vot(root, mask_box="tight")[0]
    for index, entry in enumerate(expected["test/vot2020_masks"]):
        region = sequence.attributes["regions"][index]
        assert isinstance(region, Mask)
        assert [region.x, region.y] == entry["offset"]
        assert region.pixels.astype(int).tolist() == entry["mask"]
        assert sequence.boxes[index].tolist() == entry["box_used"]
        mask = sequence.masks(index)
        assert mask.shape == (12, 16)
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
        assert tight.boxes[index].tolist() == box
    assert tight.boxes[0].tolist() == [4, 3, 4, 2]


def test_layout_of_the_toolkit(mini, tmp_path):
    """A workspace: sequences/list.txt, and a file that says where the frames are."""
    folder = shutil.copytree(mini / "vot2018" / "bag", tmp_path / "sequences" / "bag")
    (tmp_path / "sequences" / "list.txt").write_text("bag\n")
    (folder / "color").rename(folder / "rgb")
    (folder / "sequence").write_text(
        "channels.color=rgb/%08d.jpg\nfps=30\nformat=default\nheight=36\nlength=6\nname=bag\nwidth=48\n"
    )
    for place in (tmp_path, tmp_path / "sequences"):
        dataset = Vot(place, challenge="vot2022")
        assert dataset.sequence_names == ("bag",)
        sequence = dataset[0]
        assert sequence.attributes["resolution"] == (48, 36)
        assert sequence.attributes["fps"] == 30
        assert sequence.frames.keys[-1] == "bag/rgb/00000006.jpg"
        assert sequence.frames[5].shape == (36, 48, 3)


@pytest.mark.parametrize("color", ["color", "."])
def test_classic_layout(sequence_folder, color):
    root = sequence_folder(["1,2,3,4"] * 3, color=color)
    sequence = Vot(root)[0]
    assert [round(float(sequence.frames[index].mean())) for index in range(3)] == [1, 2, 3]
    assert [Vot(root).name, Vot(root, challenge="vot2019lt").name, Vot(root, name="mine").name] == [
        "vot",
        "vot2019lt",
        "mine",
    ]


def test_frames_without_target(sequence_folder):
    root = sequence_folder(["1,2,3,4", "0", "nan,nan,nan,nan", "m0,0,0,0", "m2,3,2,1,0,2", "1,2,0,4"])
    sequence = Vot(root)[0]
    assert sequence.absent.tolist() == [False, True, True, True, False, True]
    assert (sequence.valid == ~sequence.absent).all()
    assert sequence.boxes[4].tolist() == [2, 3, 2, 1]
    assert not sequence.masks(1).any()
    assert np.argwhere(sequence.masks(4)).tolist() == [[3, 2], [3, 3]]


def test_tags_anchors_and_values(sequence_folder):
    root = sequence_folder(
        ["1,2,3,4"] * 4,
        occlusion__tag="0\n1\n1\n0\n",
        camera_motion__tag="0\n0\n",  # shorter: zeros follow
        motion_change__tag="",
        anchor__value="1\n0\n-1\n0\n",
        speed__value="0.5\nnan\n2\n3\n",
    )
    attributes = Vot(root)[0].attributes
    assert {tag: holds.tolist() for tag, holds in attributes["challenge_frames"].items()} == {
        "camera_motion": [False] * 4,
        "motion_change": [False] * 4,
        "occlusion": [False, True, True, False],
    }
    assert attributes["challenges"] == ("occlusion",)
    assert attributes["anchors"].tolist() == [1, 0, -1, 0]
    assert list(attributes["values"]) == ["speed"]
    np.testing.assert_array_equal(attributes["values"]["speed"], [0.5, np.nan, 2, 3])


def test_long_sequences_have_as_many_frames_as_regions(sequence_folder):
    assert len(Vot(sequence_folder(["1,2,3,4"] * 3, frames=5))[0]) == 3


@pytest.mark.parametrize(
    ("lines", "frames", "files", "message"),
    [
        (["1,2,3,4"] * 3, 2, {}, r"a/color/00000003\.jpg: there is no such frame, but 3 regions in groundtruth\.txt"),
        ([], 1, {}, r"groundtruth\.txt: the file holds no regions"),
        (["1,2,3,4", "1,2,3"], None, {}, r"groundtruth\.txt: line 2: '1,2,3' is no region"),
        (["m1,2,x,4,3"], None, {}, r"groundtruth\.txt: line 1: .* is no region"),
        (["1,2,3,4"], None, {"occlusion__tag": "0\n1\n"}, r"occlusion\.tag: 2 numbers for 1 frames"),
        (["1,2,3,4"], None, {"occlusion__tag": "yes\n"}, r"occlusion\.tag: line 1: 'yes' is not a number"),
        (["1,2,3,4"], None, {"sequence": "width=x\nheight=3\n"}, "sequence: 'x' is not a number"),
        (["1,2,3,4"], None, {"sequence": "channels.color=ir/%06d.png\n"}, r"a: no frames there; expected ir/%06d\.png"),
    ],
)
def test_damaged_sequences(sequence_folder, lines, frames, files, message):
    dataset = Vot(sequence_folder(lines, frames, **files))
    with pytest.raises(AnnotationError, match=message):
        dataset[0]


def test_masks_are_written_back(sequence_folder):
    line = "m3,2,6,4,7,4,2,4,7"
    sequence = Vot(sequence_folder([line]))[0]
    assert format_region(sequence.attributes["regions"][0]) == line
    received = pickle.loads(pickle.dumps(sequence))
    np.testing.assert_array_equal(received.masks(0), sequence.masks(0))


def test_what_does_not_exist(mini, tmp_path):
    with pytest.raises(ValueError, match=r"challenge is one of vot2018, .*, got 'vot2017'"):
        Vot(mini / "vot2018", challenge="vot2017")
    with pytest.raises(ValueError, match="mask_box is one of header, tight, got 'loose'"):
        Vot(mini / "vot2018", mask_box="loose")
    with pytest.raises(ValueError, match="vot2018 has no split 'test'; it has none"):
        open_dataset("vot2018", mini / "vot2018", "test")
    for challenge in ("vot2018", "vot2021", "vot2018lt"):
        with pytest.raises(AnnotationError, match=rf"no sequences of {challenge} there; expected list\.txt"):
            open_dataset(challenge, tmp_path)


def test_boxes_of_every_region(anywhere):
    for sequence in iterate(Vot(anywhere / "vot2018")):
        assert sequence.boxes.shape == (6, 4)
        assert len(sequence.attributes["regions"]) == 6
