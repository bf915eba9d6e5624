"""Every dataset reads the same from its folder and from packs, and packs are laid out as published ones are."""

import json
from pathlib import Path

import lmdb
import numpy as np
import pytest

from trackdata.datasets import dataset_names, list_datasets, open_dataset
from trackdata.packing import Packed, check_pack, pack, plan
from trackdata.sequences import AnnotationError, FrameError
from trackdata.storage import open_store, walk

# Dataset, folder in the miniature archive, split.
CASES = [
    ("coco", "coco", "train2017"),
    ("davis2016", "davis", "train"),
    ("davis2017", "davis", "train"),
    ("folder", "got10k", "val"),
    ("got10k", "got10k", "test"),
    ("got10k", "got10k", "train"),
    ("got10k", "got10k", "val"),
    ("imagenet_det", "det", "train"),
    ("imagenet_vid", "vid", "train"),
    ("itb", "itb", None),
    ("lasot", "lasot", "all"),
    ("lasot", "lasot", "train"),
    ("lasot_ext", "lasot_ext", "all"),
    ("nfs", "nfs", "all"),
    ("otb2015", "otb", "all"),
    ("tc128", "tc128", None),
    ("tnl2k", "tnl2k", None),
    ("trackingnet", "trackingnet", "test"),
    ("trackingnet", "trackingnet", "train"),
    ("uav123", "uav", "all"),
    ("vot2018", "vot2018", None),
    ("vot2020", "vot2020", None),
    ("youtubevos", "youtubevos", "train"),
]
# Not in the miniature archive, or without files of its own.
ELSEWHERE = {"dtb70", "images", "kinetics", "saliency", "static_images", "uav20l", "vot2019", "vot2021", "vot2022"}
ELSEWHERE |= {f"vot{year}lt" for year in range(2018, 2023)}


def test_no_dataset_is_forgotten():
    known = {info.name for info in list_datasets() if not info.alias}
    assert known <= {name for name, _, _ in CASES} | ELSEWHERE


def describe(root: Path, name: str, split: str | None) -> list:
    """Everything that a dataset says, images included; what cannot be read by the kind of the error."""
    dataset = open_dataset(name, root, split)
    described = [len(dataset)]
    for index in range(len(dataset)):
        try:
            sequence = dataset[index]
        except AnnotationError:
            described.append("AnnotationError")
            continue
        described += [sequence.name, len(sequence), sequence.origin, sequence.object_class, sorted(sequence.attributes)]
        arrays = (sequence.boxes, sequence.valid, sequence.visible, sequence.absent, *sequence.attributes.values())
        described += [repr(np.asarray(array).tolist()) for array in arrays]  # NaN is like NaN
        for frame in range(len(sequence)):
            try:
                described.append(sequence.frames[frame].tobytes())
            except FrameError:
                described.append("FrameError")
            if sequence.masks is not None:
                described.append(np.packbits(sequence.masks(frame)).tobytes())
    return described


@pytest.mark.parametrize("kind", ["lmdb", "zip"])
@pytest.mark.parametrize(("name", "folder", "split"), CASES)
def test_the_same_from_folder_and_pack(mini, tmp_path, name, folder, split, kind):
    if name not in dataset_names():
        pytest.skip("there is no reader of it yet")
    output = tmp_path / "pack.zip" if kind == "zip" and name != "trackingnet" else tmp_path / "pack"
    assert pack(mini / folder, output, kind, name).complete
    files, packed = open_store(mini / folder), open_store(output)
    made = (
        {"imagenet_vid": {"cache.json"}, "trackingnet": {"seq_list.json"}}.get(name, set()) if kind == "lmdb" else set()
    )
    assert sorted(set(walk(packed)) - made) == sorted(walk(files))
    assert all(packed.read(key) == files.read(key) for key in walk(files))
    expected = describe(mini / folder, name, split)
    assert describe(output, name, split) == expected
    assert not set(map(str, expected)) <= {"AnnotationError", "FrameError", str(len(expected))}
    assert check_pack(mini / folder, output, kind, name).complete


@pytest.mark.parametrize("name", ["lasot", "got10k", "coco", "trackingnet"])
def test_published_keys(mini, tmp_path, name):
    """The names in the LMDB that were made for the published readers."""
    options = {"got10k": "train", "trackingnet": "train"}
    pack(mini / name, tmp_path / "pack", "lmdb", name, options.get(name))
    published, packed = open_store(mini / f"{name}_lmdb"), open_store(tmp_path / "pack")
    assert sorted(set(walk(packed)) - {"trackingnet_classmap.txt"}) == sorted(walk(published))
    for key in walk(published):
        if key != "seq_list.json":  # theirs is in the order of a file system
            assert packed.read(key) == published.read(key) or key.endswith("list.txt")
    if name == "trackingnet":
        assert sorted(json.loads(packed.read("seq_list.json"))) == sorted(json.loads(published.read("seq_list.json")))


def entries(folder: Path) -> dict[bytes, bytes]:
    with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return dict(transaction.cursor())


def test_newlines_as_published_readers_want_them(mini, tmp_path):
    """They split at newlines, drop what follows the last, and do not trim list.txt."""
    as_is = pack(mini / "got10k", tmp_path / "as_is", dataset="got10k", split="train")
    assert as_is.packed[0].traps == 1
    assert "1 text files are misread by published LMDB readers" in str(as_is)
    source = tmp_path / "got10k"
    for key in ("train/GOT-10k_Train_000001/groundtruth.txt", "train/GOT-10k_Train_000001/meta_info.ini"):
        (source / key).parent.mkdir(parents=True, exist_ok=True)
        (source / key).write_bytes(b"1,2,3,4\n5,6,7,8")
    (source / "train" / "list.txt").write_bytes(b"GOT-10k_Train_000001\r\n")
    (source / "train" / "absence.label").write_bytes(b"")
    report = pack(source, tmp_path / "pack", dataset="got10k", newlines="published")
    assert report.packed[0].traps == 0
    found = entries(tmp_path / "pack")
    assert found[b"train/GOT-10k_Train_000001/groundtruth.txt"] == b"1,2,3,4\n5,6,7,8\n"
    assert found[b"train/GOT-10k_Train_000001/meta_info.ini"] == b"1,2,3,4\n5,6,7,8"
    assert found[b"train/list.txt"] == b"GOT-10k_Train_000001"
    assert found[b"train/absence.label"] == b""
    assert check_pack(source, tmp_path / "pack", dataset="got10k").complete
    assert check_pack(None, tmp_path / "pack").complete


def test_vid_for_readers_without_xml(mini, tmp_path):
    pack(mini / "vid", tmp_path / "pack", dataset="imagenet_vid", split="train")
    tracks = json.loads(entries(tmp_path / "pack")[b"cache.json"])
    assert set(tracks[0]) == {
        *("set_id", "vid_id", "class_name", "start_frame", "anno", "target_visible", "image_size")
    }
    cached = tmp_path / "cached"
    cached.mkdir()
    (cached / "cache.json").write_text(json.dumps(tracks))
    (cached / "Data").symlink_to(mini / "vid" / "Data")
    with_xml, without = open_dataset("imagenet_vid", mini / "vid"), open_dataset("imagenet_vid", cached)
    assert len(with_xml) == len(without) > 0
    for one, other in zip(
        map(with_xml.__getitem__, range(len(with_xml))), map(without.__getitem__, range(len(without))), strict=True
    ):
        assert one.boxes.tolist() == other.boxes.tolist()
        assert one.visible.tolist() == other.visible.tolist()
        assert one.object_class == other.object_class
        assert one.frames.keys == other.frames.keys


def keys(root: Path, dataset: str, split: str | None, kind: str = "lmdb") -> list[str]:
    (container,) = plan(open_store(root), kind, dataset, split).containers
    return container.keys()


def test_splits(mini, tmp_path):
    assert {key.split("/")[0] for key in keys(mini / "got10k", "got10k", "val")} == {"val"}
    assert {key.split("/")[0] for key in keys(mini / "got10k", "got10k", None)} == {"train", "val", "test"}
    assert keys(mini / "got10k" / "train", "got10k", "train") == keys(mini / "got10k", "got10k", "train")
    assert {key.split("/")[1] for key in keys(mini / "lasot", "lasot", "test")} == {"airplane-1"}
    assert len(plan(open_store(mini / "trackingnet"), "lmdb", "trackingnet", "train_3").containers) == 1
    assert keys(mini / "trackingnet" / "TRAIN_0", "trackingnet", None)[0].startswith("anno/")
    assert set(keys(mini / "vid", "imagenet_vid", "val")) == {"cache.json"}
    for dataset, split in (("got10k", "tset"), ("lasot", "val"), ("coco", "val2017"), ("imagenet_vid", "test")):
        with pytest.raises(ValueError, match=f"has no split '{split}'"):
            plan(open_store(mini), "lmdb", dataset, split)
    with pytest.raises(ValueError, match=r"OTB.* is packed as a whole; leave out the split 'all'"):
        plan(open_store(mini / "otb"), "lmdb", "otb2015", "all")
    with pytest.raises(ValueError, match="a tree of files is packed as a whole"):
        plan(open_store(mini / "otb"), split="all")
    with pytest.raises(AnnotationError, match="TRAIN_5"):
        plan(open_store(mini / "trackingnet"), "lmdb", "trackingnet", "train_5")


def test_images_of_coco_get_their_published_place(mini, tmp_path):
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    annotation = (mini / "coco" / "annotations" / "instances_train2017.json").read_bytes()
    (root / "annotations" / "instances_train2017.json").write_bytes(annotation)
    (root / "train2017").symlink_to(mini / "coco" / "images" / "train2017")
    for split in (None, "train2017"):
        assert keys(root, "coco", split) == keys(mini / "coco", "coco", None)
    pack(root, tmp_path / "pack", dataset="coco")
    assert describe(tmp_path / "pack", "coco", "train2017") == describe(root, "coco", "train2017")


def test_a_loose_file_that_is_missing_is_found(mini, tmp_path):
    report = pack(mini / "trackingnet", tmp_path / "pack", dataset="trackingnet")
    assert [part.path.name for part in report.packed] == ["TRAIN_0_lmdb", "TRAIN_3_lmdb", "TEST_lmdb"]
    (tmp_path / "pack" / "seq_list.json").unlink()
    found = check_pack(mini / "trackingnet", tmp_path / "pack", dataset="trackingnet")
    assert found.problems() == [f"{tmp_path / 'pack'}: seq_list.json is missing or differs"]
    assert isinstance(found.packed[0], Packed)
