"""The readers on miniature datasets, on published label files, and on broken folders."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from trackdata.datasets import UnknownDatasetError, dataset_names, open_dataset
from trackdata.datasets.folder import Folder, natural_key
from trackdata.datasets.got10k import Got10k, split_positions
from trackdata.sequences import AnnotationError, Dataset, FrameError, find, iterate

VECTORS = Path(__file__).parent / "conformance"
EXPECTED = json.loads((VECTORS / "readers_expected.json").read_text())["expected"]


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    root = tmp_path_factory.mktemp("mini")
    with zipfile.ZipFile(VECTORS / "mini_datasets.zip") as archive:
        archive.extractall(root, [name for name in archive.namelist() if name.startswith("got10k/")])
    return root / "got10k"


@pytest.fixture
def broken(mini, tmp_path):
    """A copy of the miniature training folder to damage, and its first sequence's folder."""
    shutil.copytree(mini / "train", tmp_path / "train")
    return tmp_path / "train", tmp_path / "train" / "GOT-10k_Train_000001"


@pytest.mark.parametrize(("case", "split"), [("train/got10k_all", "train"), ("train/got10k_official_val", "val")])
def test_training_reader(mini, case, split):
    dataset = Got10k(mini, split)
    assert isinstance(dataset, Dataset)
    assert len(dataset) == EXPECTED[case]["num_sequences"]
    for expected in EXPECTED[case]["sequences"]:
        sequence = dataset[expected["index"]]
        assert sequence.name == expected["sequence"]
        assert sequence.boxes.tolist() == expected["bbox"]
        assert sequence.valid.astype(int).tolist() == expected["valid"]
        assert sequence.visible.astype(int).tolist() == expected["visible"]
        assert sequence.attributes["visible_ratio"].tolist() == expected["visible_ratio"]
        meta = {**sequence.attributes, "object_class_name": sequence.object_class}
        assert {key: meta[key] for key in expected["meta"]} == expected["meta"]
        for index, frame in zip((0, 2, 5), expected["frames"], strict=True):
            image = sequence.frames[index]
            assert list(image.shape) == frame["shape"]
            np.testing.assert_allclose(image.mean((0, 1)), frame["mean"], atol=1.5)
    assert sorted({sequence.object_class for sequence in iterate(dataset)}) == EXPECTED[case]["classes"]


@pytest.mark.parametrize(("case", "split"), [("test/got10k_val", "val"), ("test/got10k_test", "test")])
def test_evaluation_reader(mini, case, split):
    dataset = Got10k(mini, split)
    assert len(dataset) == len(EXPECTED[case])
    for sequence, expected in zip(iterate(dataset), EXPECTED[case], strict=True):
        assert sequence.name == expected["name"]
        assert len(sequence) == expected["length"]
        paths = [str(Path(sequence.frames.store.where(key)).relative_to(mini.parent)) for key in sequence.frames.keys]
        assert [paths[0], paths[-1]] == expected["first_frame"] + expected["last_frame"]
        assert sequence.boxes[: len(expected["gt_first"])].tolist() == expected["gt_first"]
        assert len(sequence.boxes) == len(sequence.valid) == expected["gt_rows"]


def test_toolkit_meta(mini):
    for sequence, expected in zip(iterate(Got10k(mini / "val")), EXPECTED["toolkit/got10k_val"], strict=True):
        meta = dict(expected["meta"])
        assert (sequence.attributes["visible_ratio"] * 8).tolist() == meta.pop("cover")
        assert sequence.absent.tolist() == [bool(value) for value in meta.pop("absence")]
        assert sequence.attributes["cut_by_image"].tolist() == [bool(value) for value in meta.pop("cut_by_image")]
        assert {key: sequence.attributes[key] for key in meta} == meta


def write_sequence(folder, boxes, **labels):
    folder.mkdir(parents=True)
    np.savetxt(folder / "groundtruth.txt", boxes, delimiter=",", fmt="%.4f")
    for name, values in labels.items():
        np.savetxt(folder / f"{name}.label", values, fmt="%d")
    for number in range(1, len(boxes) + 1):
        cv2.imwrite(str(folder / f"{number:08d}.jpg"), np.full((24, 32, 3), number, np.uint8))
    (folder.parent / "list.txt").write_text(f"{folder.name}\n")


def test_published_visibility_rule(tmp_path):
    vectors = np.load(VECTORS / "visibility_filters.npz")
    meta = json.loads(str(vectors["meta"]))
    write_sequence(tmp_path / "a", meta["boxes_xywh"], absence=meta["got10k_absence"], cover=meta["got10k_cover"])
    sequence = Got10k(tmp_path)[0]
    np.testing.assert_array_equal(sequence.valid, vectors["out/got10k/valid"].astype(bool))
    np.testing.assert_array_equal(sequence.visible, vectors["out/got10k/visible"].astype(bool))
    np.testing.assert_allclose(sequence.attributes["visible_ratio"], vectors["out/got10k/visible_ratio"])


def test_published_splits():
    positions = {split: split_positions(split) for split in ("train_part", "val_part", "vottrain", "votval")}
    assert {split: len(numbers) for split, numbers in positions.items()} == {
        "train_part": 7934,
        "val_part": 1401,
        "vottrain": 7086,
        "votval": 1249,
    }
    assert sorted(positions["train_part"] + positions["val_part"]) == list(range(9335))
    assert set(positions["vottrain"]) < set(positions["train_part"])
    assert set(positions["votval"]) < set(positions["val_part"])


def test_fixed_splits_remove_the_sequences_the_published_ones_were_meant_to():
    # Number 4 is the first forbidden one: position 3. The published lists removed position 4 instead.
    published = set(split_positions("vottrain") + split_positions("votval"))
    fixed = set(split_positions("vottrain_fixed") + split_positions("votval_fixed"))
    assert (3 in published, 4 in published) == (True, False)
    assert 3 not in fixed
    assert len(published) == len(fixed) == 8335
    assert len(published - fixed) == len(fixed - published) == 890


def test_split_lists_count_positions_from_zero(tmp_path):
    names = [f"GOT-10k_Train_{number:06d}" for number in range(1, 9336)]
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n\n\n")
    dataset = open_dataset("GOT10K_vottrain", tmp_path)
    assert dataset.name == "GOT10K_vottrain"
    assert len(dataset) == 7086
    assert dataset.sequence_names[0] == names[split_positions("vottrain")[0]] == "GOT-10k_Train_003785"
    assert len(open_dataset("GOT10K_train_full", tmp_path)) == 9335


def test_lists_that_are_too_short_for_a_split(mini):
    for split in ("vottrain", "votval_fixed", "train_full"):
        with pytest.raises(AnnotationError, match=r"lists 6 sequences.*use the split 'train'"):
            Got10k(mini, split)


def test_places_of_the_list(mini, tmp_path):
    assert len(Got10k(mini / "train", "train")) == len(Got10k(mini / "train")) == len(Got10k(mini, "train")) == 6
    with pytest.raises(AnnotationError, match="folders test, train, val give a split"):
        Got10k(mini)
    with pytest.raises(AnnotationError, match="in the folder 'val'"):
        Got10k(mini / "train", "val")
    with pytest.raises(AnnotationError, match="no such folder"):
        Got10k(tmp_path / "nowhere", "val")
    with pytest.raises(AnnotationError, match=r"expected train/list\.txt"):
        Got10k(tmp_path, "train")
    with pytest.raises(ValueError, match="no split 'validation'"):
        Got10k(mini, "validation")


def test_building_reads_no_annotation(broken):
    root, folder = broken
    shutil.rmtree(folder)
    dataset = Got10k(root)
    assert len(dataset[1]) == 22
    with pytest.raises(AnnotationError, match=r"000001.*no such file"):
        dataset[0]


def test_sequences_are_kept_but_do_not_travel(mini):
    dataset = Got10k(mini, "train")
    assert dataset[0] is dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy[0] is not dataset[0]
    assert copy[-1].name == dataset[5].name
    with pytest.raises(IndexError):
        dataset[6]


def test_finding_by_name(mini):
    dataset = Got10k(mini, "train")
    assert find(dataset, "GOT-10k_Train_000003") is dataset[2]
    with pytest.raises(KeyError, match="got10k_train has no sequence 'x' among its 6"):
        find(dataset, "x")


def test_text_in_other_shapes(broken):
    root, folder = broken
    before = Got10k(root)[0]
    rows = (folder / "groundtruth.txt").read_text().split()
    (folder / "groundtruth.txt").write_bytes("\r\n".join(row.replace(",", "\t") for row in rows).encode())
    (folder / "absence.label").write_text(" ".join((folder / "absence.label").read_text().split()))
    (root / "list.txt").write_bytes((root / "list.txt").read_bytes().replace(b"\n", b"\r\n") + b"\r\n\n")
    after = Got10k(root)
    assert len(after) == 6
    np.testing.assert_array_equal(after[0].boxes, before.boxes)
    np.testing.assert_array_equal(after[0].visible, before.visible)


def test_nan_and_zero_boxes_are_neither_valid_nor_visible(broken):
    root, folder = broken
    rows = (folder / "groundtruth.txt").read_text().splitlines()
    rows[0], rows[1], rows[2] = "NaN,NaN,NaN,NaN", "5,5,0,0", "5,5,10,-2"
    (folder / "groundtruth.txt").write_text("\n".join(rows))
    sequence = Got10k(root)[0]
    assert sequence.valid[:4].tolist() == [False, False, False, True]
    assert sequence.visible[:4].tolist() == [False, False, False, True]


def test_missing_meta_and_labels(broken):
    root, folder = broken
    (folder / "meta_info.ini").unlink()
    assert Got10k(root)[0].object_class == "unknown"
    (folder / "cover.label").unlink()
    with pytest.raises(AnnotationError, match=r"cover\.label: there is no such file"):
        Got10k(root)[0]
    (folder / "absence.label").unlink()
    sequence = Got10k(root)[0]
    assert sequence.visible is None
    assert sequence.absent is None


@pytest.mark.parametrize("name", ["groundtruth.txt", "absence.label", "cover.label", "cut_by_image.label"])
def test_annotation_of_the_wrong_length_names_the_file(broken, name):
    root, folder = broken
    lines = (folder / name).read_text().splitlines()
    (folder / name).write_text("\n".join(lines[:-3]))
    with pytest.raises(AnnotationError, match=rf"{name}: 18 "):
        Got10k(root)[0]


def test_missing_last_frames_are_an_annotation_error_and_holes_a_frame_error(broken):
    root, folder = broken
    (folder / "00000007.jpg").unlink()
    sequence = Got10k(root)[0]
    assert len(sequence) == 21
    assert sequence.frames[5].shape == (36, 48, 3)
    with pytest.raises(FrameError, match=r"00000007\.jpg"):
        sequence.frames[6]
    with pytest.raises(IndexError):
        sequence.frames[21]
    (folder / "00000021.jpg").unlink()
    with pytest.raises(AnnotationError, match="21 boxes, but the folder's last frame is number 20"):
        Got10k(root)[0]
    for image in folder.glob("*.jpg"):
        image.unlink()
    with pytest.raises(AnnotationError, match="no frames; expected 00000001"):
        Got10k(root)[0]


def test_a_sequence_of_one_frame(tmp_path):
    write_sequence(tmp_path / "one", [[1, 2, 3, 4]], absence=[0], cover=[8])
    sequence = Got10k(tmp_path)[0]
    assert len(sequence) == 1
    assert sequence.visible.tolist() == [True]


def test_folder_of_sequences(tmp_path):
    for name, place in (("b", "img"), ("a", ""), ("c", "JPEGImages")):
        folder = tmp_path / name / place
        folder.mkdir(parents=True)
        for number in (1, 2, 10):
            cv2.imwrite(str(folder / f"frame{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "a" / "boxes.txt").write_text("1 2 3 4\n1 2 3 4\nnan nan nan nan\n")
    (tmp_path / "b" / "groundtruth_rect.txt").write_text("1,2,3,4\n" * 3)
    (tmp_path / "c" / "groundtruth.txt").write_text("0,0,4,0,4,6,0,6\n")
    (tmp_path / "notes").mkdir()
    dataset = Folder(tmp_path, name="mine")
    assert dataset.sequence_names == ("a", "b", "c")
    assert [sequence.origin for sequence in iterate(dataset)] == [0, 1, 0]
    assert [frame[0, 0, 0] for frame in (dataset[0].frames[index] for index in range(3))] == [1, 2, 10]
    assert dataset[0].valid.tolist() == [True, True, False]
    assert dataset[2].boxes.tolist() == [[0, 0, 4, 6]]
    assert len(pickle.loads(pickle.dumps(dataset))[1]) == 3
    assert Folder(tmp_path, origin=0)[1].origin == 0
    alone = Folder(tmp_path / "b")
    assert (alone.name, alone.sequence_names, len(alone[0])) == ("b", ("b",), 3)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(AnnotationError, match="no such folder"):
        Folder(tmp_path / "nowhere")
    with pytest.raises(AnnotationError, match=r"holds one of groundtruth_rect\.txt"):
        Folder(tmp_path)
    (tmp_path / "boxes.txt").write_text("1,2,3,4\n1,2,3,4\n")
    with pytest.raises(AnnotationError, match="no images"):
        Folder(tmp_path)[0]
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(AnnotationError, match="2 boxes for 1 frames"):
        Folder(tmp_path)[0]


def test_natural_order():
    names = ["10.jpg", "2.jpg", "frame_1.png", "02b.jpg", "frame_10.png", "frame_9.png"]
    assert sorted(names, key=natural_key) == [
        "2.jpg",
        "02b.jpg",
        "10.jpg",
        "frame_1.png",
        "frame_9.png",
        "frame_10.png",
    ]


def test_names_are_data(mini):
    assert dataset_names() == sorted(dataset_names())
    assert {"got10k", "folder", "GOT10K_vottrain", "GOT10K_official_val"} <= set(dataset_names())
    assert open_dataset("GOT10K_official_val", mini).sequence_names == Got10k(mini, "val").sequence_names
    assert open_dataset("folder", mini, "val").sequence_names == Got10k(mini, "val").sequence_names
    with pytest.raises(UnknownDatasetError, match="did you mean 'got10k'"):
        open_dataset("got-10k", mini)
    with pytest.raises(ValueError, match="one split of GOT-10k already"):
        open_dataset("GOT10K_votval", mini, "val")
