"""YouTube-VOS: the miniature dataset as published readers see it, layouts, late and irregular objects, clean-ups."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from trackdata.datasets import open_dataset, open_videos
from trackdata.datasets.youtubevos import youtubevos, youtubevos_videos
from trackdata.labels import DAVIS_PALETTE, decode_labels, encode_labels, write_labels
from trackdata.masks import mask_box
from trackdata.sequences import AnnotationError, Dataset, iterate

FIRST, SECOND = "003234408d", "0043f083b5"  # the two videos


@pytest.fixture
def editable(mini, tmp_path):
    """A copy of the edition's folder."""
    return shutil.copytree(mini / "youtubevos" / "2019", tmp_path / "2019")


def edit_meta(part, change):
    meta = json.loads((part / "meta.json").read_text())
    change(meta["videos"])
    (part / "meta.json").write_text(json.dumps(meta))


def test_published_reader(anywhere, expected):
    dataset = youtubevos(anywhere / "youtubevos", "train", box_rule="pytracking")
    assert isinstance(dataset, Dataset)
    assert dataset.name == "youtubevos_2019_train"
    assert len(dataset) == len(expected["vos/youtubevos"])
    for sequence, entry in zip(iterate(dataset), expected["vos/youtubevos"], strict=True):
        assert sequence.name == f"{entry['sequence']}_{entry['object'][0]}"
        assert [Path(key).stem for key in sequence.frames.keys] == entry["frame_names"]
        assert sequence.attributes["pixels"].tolist() == entry["sizes"]
        assert sequence.visible.astype(int).tolist() == entry["visible"]
        assert sequence.boxes[[0, 4, 6]].tolist() == entry["bbox_of_frames_0_4_6"]
        assert [sequence.masks(index).sum() for index in (0, 4, 6)] == entry["mask_area"]
        assert dataset.sequence_names.index(sequence.name) == expected["vos/youtubevos"].index(entry)
        assert sequence.frames[0].shape[:2] == sequence.attributes["resolution"][::-1] == (162, 216)


def test_empty_masks_have_no_box_by_default(anywhere):
    sequence = youtubevos(anywhere / "youtubevos", "train")[0]
    empty = sequence.attributes["pixels"] == 0
    assert empty.tolist() == [False] * 4 + [True] * 2 + [False] * 3
    assert not sequence.boxes[empty].any()
    assert (sequence.valid == ~empty).all()
    assert (sequence.absent == empty).all()
    assert sequence.object_class == "penguin"


def test_boxes_that_pytracking_stores(anywhere, expected):
    for sequence in iterate(youtubevos(anywhere / "youtubevos", "train", box_rule="exclusive")):
        if sequence.attributes["video"] == FIRST:
            number = str(sequence.attributes["object"])
            stored = [frame.get(number, [0, 0, 0, 0]) for frame in expected["vos/youtubevos_meta_bboxes"].values()]
            assert sequence.boxes.tolist() == stored


def test_initial_boxes_of_the_published_reader(anywhere, expected):
    videos = open_videos("youtubevos", anywhere / "youtubevos", "train")
    for video, entry in zip(videos, expected["vos/youtubevos_init"], strict=True):
        found = {}
        for number, frame in video.first_frames.items():
            box = mask_box(video.labels(frame) == number, "exclusive").tolist()
            found.setdefault(str(frame), {})[str(number)] = box
        assert found == {frame: told["bbox"] for frame, told in entry.items()}
    assert videos[1].first_frames == {1: 0, 2: 3}
    assert videos[1].classes == {1: "penguin", 2: "ape"}
    assert videos[1].wanted.all()


def grey_level(number):
    """How OpenCV and Pillow make grey of a palette colour (ITU-R BT.601)."""
    return round(float(DAVIS_PALETTE[number] @ [0.299, 0.587, 0.114]))


def test_alpha_refine(anywhere, expected):
    dataset = open_dataset("ALPHAREFINE_YOUTUBEVOS", anywhere / "youtubevos")
    assert len(dataset) == len(expected["alpharefine/youtube_vos"])
    for sequence, entry in zip(iterate(dataset), expected["alpharefine/youtube_vos"], strict=True):
        assert [f"{Path(key).parent.name}/{Path(key).stem}" for key in sequence.frames.keys] == entry["frames"]
        assert sequence.boxes.tolist() == entry["boxes"]
        assert [grey_level(sequence.attributes["object"])] == entry["ids"]  # the published ids are grey levels
        assert sequence.visible.all()
        masks = [sequence.masks(index) for index in range(len(sequence))]
        assert [mask_box(mask).tolist() for mask in masks] == entry["boxes"]
        assert [mask.sum() for mask in masks] == sequence.attributes["pixels"].tolist()


def test_objects_too_small_or_too_large_for_alpha_refine(mini):
    root = mini / "youtubevos"
    pixels = youtubevos(root, "train")[0].attributes["pixels"]
    kept = youtubevos(root, "train", min_pixels=2700, keep="visible")
    assert kept[0].attributes["frame_numbers"].tolist() == np.flatnonzero(pixels > 2700).tolist()
    assert [sequence.name for sequence in iterate(kept)] == [f"{FIRST}_1", f"{SECOND}_1"]
    # The first boxes are 60 x 45, 30 x 50, 65 x 50 and 30 x 50 in images of 216 x 162.
    assert len(youtubevos(root, "train", max_target_area=0.29)) == 3


@pytest.fixture
def valid(editable):
    """The miniature part as a validation part: only first appearances are annotated, object 2 is called 7."""
    part = editable / "train"
    for path in (part / "Annotations").glob("*/*.png"):
        labels = decode_labels(path.read_bytes(), path)
        write_labels(path, np.where(labels == 2, 7, labels))
        if path.stem != "00000" and (path.parent.name, path.stem) != (SECOND, "00015"):
            path.unlink()
    path = part / "Annotations" / SECOND / "00015.png"
    path.write_bytes(encode_labels(np.where(decode_labels(path.read_bytes(), path) == 7, 7, 0)))

    def change(videos):
        for video in videos.values():
            video["objects"]["7"] = video["objects"].pop("2")

    edit_meta(part, change)
    return part.rename(editable / "valid")


def test_first_appearances(valid):
    videos = youtubevos_videos(valid.parent)
    assert (videos.name, videos.video_names) == ("youtubevos_2019_valid", (FIRST, SECOND))
    second = videos[1]
    assert (second.objects, second.first_frames) == ((1, 7), {1: 0, 7: 3})
    assert second.annotated.tolist() == [True, False, False, True] + [False] * 5
    assert second.labels(1) is None
    assert np.unique(second.labels(3)).tolist() == [0, 7]
    dataset = youtubevos(valid.parent, "valid")
    assert [sequence.name for sequence in iterate(dataset)] == [
        f"{FIRST}_1",
        f"{FIRST}_7",
        f"{SECOND}_1",
        f"{SECOND}_7",
    ]
    late = dataset[3]
    assert [Path(key).stem for key in late.frames.keys] == ["00015", "00020", "00025", "00030", "00035", "00040"]
    assert late.boxes.tolist() == [[40, 100, 30, 50]]
    assert (late.valid.tolist(), late.visible, late.absent) == ([True], None, None)
    assert late.attributes["frame_numbers"].tolist() == [3, 4, 5, 6, 7, 8]
    assert late.masks(0).sum() == 1500


def test_all_frames(valid, write_image):
    edition = valid.parent
    for name in (FIRST, SECOND):
        for number in range(44):
            write_image(edition / "valid_all_frames" / "JPEGImages" / name / f"{number:05d}.jpg", number, (216, 162))
    videos = youtubevos_videos(edition, "valid", frames="all")
    second = videos[1]
    assert (videos.name, len(second), second.first_frames) == ("youtubevos_2019_valid_all", 44, {1: 0, 7: 15})
    assert np.flatnonzero(second.wanted).tolist() == list(range(0, 41, 5))
    assert np.flatnonzero(second.annotated).tolist() == [0, 15]
    assert abs(float(second.frames[15].mean()) - 15) <= 1
    assert len(youtubevos(edition, "valid", frames="all")[3]) == 29
    assert len(youtubevos(edition, "valid")[3]) == 6


def test_layout_of_stcn(valid, editable, tmp_path):
    (editable / "valid" / "JPEGImages").rename(tmp_path / "frames")
    root = tmp_path / "data"
    (root / "YouTube" / "all_frames" / "valid_all_frames").mkdir(parents=True)
    (tmp_path / "frames").rename(root / "YouTube" / "all_frames" / "valid_all_frames" / "JPEGImages")
    (editable / "valid").rename(root / "YouTube" / "valid")
    for place in (root, root / "YouTube"):
        videos = youtubevos_videos(place, "valid", frames="all")
        assert (videos.name, len(videos[1])) == ("youtubevos_2019_valid_all", 9)
        with pytest.raises(AnnotationError, match=r"valid/JPEGImages: no frames there; .* give frames='all'"):
            youtubevos_videos(place, "valid")
    shutil.copytree(root / "YouTube", root / "YouTube2018")
    with pytest.raises(
        AnnotationError, match="holds YouTube/valid and YouTube2018/valid; give the edition and the split"
    ):
        youtubevos_videos(root, "valid", frames="all")
    assert youtubevos_videos(root, "2018/valid", frames="all").name == "youtubevos_2018_valid_all"


def test_resized_frames(mini, editable):
    shutil.copytree(editable / "train", editable / "train_480p", ignore=shutil.ignore_patterns("meta.json"))
    path = editable / "train_480p" / "Annotations" / FIRST / "00000.png"
    write_labels(path, np.repeat(decode_labels(path.read_bytes(), path), 3, axis=0))
    videos = youtubevos_videos(editable, "train", resized=480)
    assert (videos.name, videos[0].size, videos[0].classes[2]) == ("youtubevos_2019_train_480p", (486, 216), "ape")
    assert youtubevos_videos(editable, "train")[0].size == (162, 216)


def test_without_meta(valid):
    """Objects and first frames then come from the label maps."""
    (valid / "meta.json").unlink()
    second = youtubevos_videos(valid.parent, "valid")[1]
    assert second.first_frames == {1: 0, 7: 3}
    assert second.classes == {1: None, 7: None}
    assert second.wanted.all()


def test_lists(editable):
    part = editable / "train"
    for old, new in ((FIRST, "1336440745"), (SECOND, "d82a0aa15b")):  # left out by STCN; in jjvalid
        for kind in ("JPEGImages", "Annotations"):
            (part / kind / old).rename(part / kind / new)
    (part / "meta.json").unlink()
    names = {
        split: youtubevos_videos(editable, split).video_names for split in ("train", "train_stcn", "jjtrain", "jjvalid")
    }
    assert names == {
        "train": ("1336440745", "d82a0aa15b"),
        "train_stcn": ("d82a0aa15b",),
        "jjtrain": ("1336440745",),
        "jjvalid": ("d82a0aa15b",),
    }
    dataset = youtubevos(editable, "jjtrain")
    assert (dataset.name, [sequence.name for sequence in iterate(dataset)]) == (
        "youtubevos_2019_jjtrain",
        ["1336440745_1", "1336440745_2"],
    )


def test_cleanups(editable):
    part = editable / "train"
    for kind in ("JPEGImages", "Annotations"):
        (part / kind / FIRST).rename(part / kind / "7053e4f41e")
    edit_meta(part, lambda videos: videos.update({"7053e4f41e": videos.pop(FIRST)}))
    assert youtubevos_videos(editable, "train").find("7053e4f41e").first_frames == {1: 0, 2: 0}
    assert youtubevos_videos(editable, "train", starts=True).find("7053e4f41e").first_frames == {1: 0, 2: 4}
    # 216 x 162 is 4:3, too narrow; make the other one wide enough.
    assert youtubevos_videos(editable, "train", aspect=True).video_names == ()
    write_labels(part / "Annotations" / SECOND / "00000.png", np.ones((100, 150), np.uint8))
    assert youtubevos_videos(editable, "train", aspect=True).video_names == (SECOND,)


def test_more_than_255_objects(editable):
    part = editable / "train"
    for path in (part / "Annotations" / FIRST).iterdir():
        labels = decode_labels(path.read_bytes(), path).astype(np.uint16)
        write_labels(path, np.where(labels == 2, 300, labels))
    edit_meta(part, lambda videos: videos[FIRST]["objects"].update({"300": videos[FIRST]["objects"].pop("2")}))
    assert youtubevos_videos(editable, "train")[0].labels(0).dtype == np.uint16
    sequence = youtubevos(editable, "train")[1]
    assert (sequence.name, sequence.masks(0).sum(), sequence.valid.all()) == (f"{FIRST}_300", 1500, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda videos: videos.pop(FIRST), rf"meta\.json: does not know the video {FIRST}"),
        (
            lambda videos: videos[FIRST]["objects"]["2"].pop("frames"),
            r"is not described as expected \(KeyError\('frames'",
        ),
        (lambda videos: videos[FIRST].update(objects=[1]), "is not described as expected"),
        (lambda videos: videos[FIRST]["objects"].update(x={"frames": ["00000"]}), "is not described as expected"),
        (
            lambda videos: videos[FIRST]["objects"]["2"]["frames"].clear(),
            f"object 2 of the video {FIRST} has no frames",
        ),
        (
            lambda videos: videos[FIRST]["objects"]["2"]["frames"].append("9"),
            "there is no frame 9, which meta.json lists",
        ),
    ],
)
def test_damaged_meta(editable, change, message):
    edit_meta(editable / "train", change)
    videos = youtubevos_videos(editable, "train")
    with pytest.raises(AnnotationError, match=message):
        videos[0]
    assert videos[1].objects == (1, 2)
    dataset = youtubevos(editable, "train")  # one place for the video whose objects are not known
    assert len(dataset) == 3
    with pytest.raises(AnnotationError, match=message):
        dataset[0]


def test_damaged_files(editable):
    part = editable / "train"
    (part / "Annotations" / SECOND / "00015.png").unlink()
    with pytest.raises(AnnotationError, match=r"00015\.png: there is no such file, but object 2 begins in this frame"):
        youtubevos_videos(editable, "train")[1]
    shutil.rmtree(part / "Annotations" / FIRST)
    (part / "Annotations" / FIRST).mkdir()
    with pytest.raises(AnnotationError, match=r"00000\.png: there is no such file, but object 1"):
        youtubevos_videos(editable, "train")[0]
    with pytest.raises(AnnotationError, match=f"{FIRST}: no label maps there"):
        youtubevos_videos(editable, "train", aspect=True)
    (part / "meta.json").write_text("[]")
    with pytest.raises(AnnotationError, match=r"meta\.json: not the meta.json of YouTube-VOS"):
        youtubevos_videos(editable, "train")[1]


def test_copies_are_light(mini):
    dataset = youtubevos(mini / "youtubevos", "train")
    sent = pickle.dumps(dataset)
    assert len(sent) < 1800
    assert pickle.loads(sent)[2].boxes.tolist() == dataset[2].boxes.tolist()


def test_what_does_not_exist(mini, editable):
    with pytest.raises(ValueError, match="YouTube-VOS has no split 'val'; there are train, valid, test, train_stcn"):
        youtubevos_videos(editable, "val")
    with pytest.raises(ValueError, match="YouTube-VOS has no edition '2020'; there are 2019, 2018"):
        youtubevos_videos(editable, "2020/valid")
    with pytest.raises(ValueError, match="frames is one of listed, all, got 'some'"):
        youtubevos_videos(editable, "train", frames="some")
    with pytest.raises(AnnotationError, match=r"no label maps of YouTube-VOS there; expected one of .*2018/train"):
        youtubevos_videos(editable, "2018/train")
    with pytest.raises(AnnotationError, match="no label maps of YouTube-VOS there"):
        youtubevos_videos(mini / "vid", "train")
    with pytest.raises(AnnotationError, match="train_all_frames/JPEGImages: no frames there"):
        youtubevos_videos(editable, "train", frames="all")
