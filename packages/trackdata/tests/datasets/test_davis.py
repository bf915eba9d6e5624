"""DAVIS: objects of the miniature dataset as pytracking reads them, layouts, editions and damaged label maps."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from trackdata.datasets import UnknownDatasetError, open_dataset, open_videos
from trackdata.datasets.davis import davis, davis_videos
from trackdata.labels import decode_labels, encode_labels, write_labels
from trackdata.masks import mask_box
from trackdata.sequences import AnnotationError, Dataset, iterate
from trackdata.videos import VideoList


@pytest.fixture
def editable(mini, tmp_path):
    return shutil.copytree(mini / "davis", tmp_path / "davis", ignore=shutil.ignore_patterns(".trackdata"))


def relabel(root, change, pattern="*/*.png"):
    """Change label maps in place: ``change(labels)`` returns the new ones."""
    for path in (root / "Annotations" / "480p").glob(pattern):
        path.write_bytes(encode_labels(change(decode_labels(path.read_bytes(), path))))


def test_published_reader(anywhere, expected):
    dataset = davis(anywhere / "davis", "train", box_rule="pytracking")
    assert isinstance(dataset, Dataset)
    assert not dataset.still
    assert len(dataset) == len(expected["vos/davis"])
    for sequence, entry in zip(iterate(dataset), expected["vos/davis"], strict=True):
        assert sequence.name == f"{entry['sequence']}_{entry['object'][0]}"
        assert [Path(key).stem for key in sequence.frames.keys] == entry["frame_names"]
        assert sequence.attributes["pixels"].tolist() == entry["sizes"]
        assert sequence.visible.astype(int).tolist() == entry["visible"]
        assert sequence.boxes[[0, 4, 6]].tolist() == entry["bbox_of_frames_0_4_6"]
        assert [sequence.masks(index).sum() for index in (0, 4, 6)] == entry["mask_area"]
        assert sequence.frames[6].shape == (36, 48, 3)
        assert sequence.attributes["resolution"] == (48, 36)


def test_boxes_that_pytracking_stores(anywhere, expected):
    dataset = davis(anywhere / "davis", "train", box_rule="exclusive")
    for sequence in iterate(dataset):
        if sequence.attributes["video"] == "bear":
            number = str(sequence.attributes["object"])
            boxes = [frame[number] for frame in expected["vos/davis_meta_bboxes"].values()]
            assert sequence.boxes.tolist() == boxes


def test_default_boxes_are_those_around_the_masks(mini):
    for sequence in iterate(davis(mini / "davis", "train")):
        np.testing.assert_array_equal(
            sequence.boxes, [mask_box(sequence.masks(index)) for index in range(len(sequence))]
        )
        assert sequence.valid.all()
        assert not sequence.absent.any()


def test_videos(anywhere):
    videos = open_videos("davis2017", anywhere / "davis", "train")
    assert isinstance(videos, VideoList)
    assert (videos.name, videos.video_names) == ("davis2017_train", ("bear", "boat"))
    bear = videos[0]
    assert (bear.name, len(bear), bear.objects, bear.size) == ("bear", 7, (1, 2), (36, 48))
    assert bear.frame_names == tuple(f"{number:05d}" for number in range(7))
    assert bear.first_frames == {1: 0, 2: 0}
    assert bear.classes == {1: None, 2: None}
    assert bear.annotated.all()
    assert bear.wanted.all()
    labels = bear.labels(3)
    assert (labels.shape, np.unique(labels).tolist()) == ((36, 48), [0, 1, 2])
    np.testing.assert_array_equal(videos.find("bear").labels(3), labels)
    received = pickle.loads(pickle.dumps(videos))
    np.testing.assert_array_equal(received[1].frames[6], videos[1].frames[6])
    assert [video.name for video in received] == ["bear", "boat"]
    with pytest.raises(KeyError, match="davis2017_train has no video 'dog' among its 2"):
        videos.find("dog")


def test_objects_of_2016_are_one(anywhere):
    videos = davis_videos(anywhere / "davis", "train", year=2016)  # the list on disk is that of 2017
    assert len(videos) == 30
    bear, both = videos.find("bear"), davis_videos(anywhere / "davis", "train").find("bear")
    assert bear.objects == (1,)
    np.testing.assert_array_equal(bear.labels(2), both.labels(2) > 0)


def test_official_lists():
    from trackdata.datasets.lists import read_list

    # The videos of 2016 are among those of 2017.
    for part, count, first in (("train", 30, "bear"), ("val", 20, "blackswan")):
        names = read_list(f"davis2016_{part}")
        assert (len(names), len(set(names)), names[0]) == (count, count, first)
        assert set(names) <= set(read_list(f"davis2017_{part}"))


@pytest.mark.parametrize(
    ("edition", "folder"),
    [
        (2017, "DAVIS"),
        (2017, "2017/trainval"),
        (2017, "DAVIS/2017/trainval"),
        (2017, "trainval"),
        (2016, "2016"),
        (2016, "DAVIS"),
        (2016, "DAVIS/2016"),
    ],
)
def test_layouts(editable, tmp_path, edition, folder):
    target = tmp_path / "data" / folder
    target.parent.mkdir(parents=True, exist_ok=True)
    editable.rename(target)
    (target / "ImageSets" / "2017").rename(target / "ImageSets" / str(edition))
    videos = davis_videos(tmp_path / "data", "train", year=edition)
    assert videos.video_names == ("bear", "boat")
    assert len(videos[1]) == 7
    assert len(davis(tmp_path / "data", "train", year=edition)) == (3 if edition == 2017 else 2)


def test_stcn_has_the_list_of_2016_beside_the_videos_of_2017(editable, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(editable, root / "2016")
    shutil.rmtree(root / "2016" / "ImageSets")
    (root / "2016" / "ImageSets").mkdir()
    lists = root / "2017" / "trainval" / "ImageSets" / "2016"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("boat\n")
    assert davis_videos(root, "train", year=2016).video_names == ("boat",)
    assert len(davis_videos(root / "2016", "val", year=2016)) == 20  # the official ones


def test_list_of_the_first_edition(editable):
    shutil.rmtree(editable / "ImageSets")
    lists = editable / "ImageSets" / "480p"
    lists.mkdir(parents=True)
    lines = [
        f"/JPEGImages/480p/{name}/{number:05d}.jpg /Annotations/480p/{name}/{number:05d}.png"
        for name in ("boat", "bear")
        for number in range(3)
    ]
    (lists / "val.txt").write_text("\n".join(lines))
    assert davis_videos(editable, "val", year=2016).video_names == ("boat", "bear")


def test_grey_annotation_of_2016(editable):
    for path in (editable / "Annotations" / "480p" / "boat").iterdir():
        labels = decode_labels(path.read_bytes(), path)
        path.write_bytes(encode_labels(np.where(labels > 0, 255, 0), palette=None))
    boat = davis_videos(editable, "train", year=2016).find("boat")
    before = davis_videos(editable, "train").find("boat")
    np.testing.assert_array_equal(boat.labels(0), before.labels(0) == 255)
    assert before.objects == ()  # 255 means void in 2017


@pytest.fixture
def test_dev(editable):
    """Only the first label map of each video, and the objects 1 and 3 in bear."""
    relabel(editable, lambda labels: np.where(labels == 2, 3, labels))
    for path in (editable / "Annotations" / "480p").glob("*/*.png"):
        if path.stem != "00000":
            path.unlink()
    (editable / "ImageSets" / "2017" / "test-dev.txt").write_text("bear\nboat\n")
    return editable


def test_masks_of_the_first_frame_only(test_dev):
    bear = davis_videos(test_dev, "test-dev")[0]
    assert (bear.objects, bear.annotated.tolist()) == ((1, 3), [True] + [False] * 6)
    assert bear.labels(1) is None
    assert bear.wanted.all()
    dataset = davis(test_dev, "test-dev")
    assert [sequence.name for sequence in iterate(dataset)] == ["bear_1", "bear_3", "boat_1"]
    sequence = dataset[1]
    assert (len(sequence), sequence.boxes.tolist(), sequence.valid.tolist()) == (7, [[2, 20, 6, 10]], [True])
    assert sequence.visible is None
    assert sequence.absent is None
    assert sequence.masks(0).sum() == 60
    with pytest.raises(AnnotationError, match="bear: frame 00002 has no label map"):
        sequence.masks(2)
    with pytest.raises(AnnotationError, match=r"test-challenge\.txt: there is no such file"):
        davis_videos(test_dev, "test-challenge")


def test_videos_with_a_fault_are_found_when_they_are_asked_for(editable, caplog):
    labels = editable / "Annotations" / "480p"
    (labels / "bear" / "00002.png").unlink()
    (labels / "boat" / "00003.png").write_bytes(b"x")
    shutil.copytree(editable / "JPEGImages" / "480p" / "boat", editable / "JPEGImages" / "480p" / "dog")
    shutil.copytree(labels / "boat", labels / "dog")
    (labels / "dog" / "00003.png").write_bytes((labels / "dog" / "00002.png").read_bytes())
    (editable / "ImageSets" / "2017" / "train.txt").write_text("bear\nswan\nboat\ndog\n")
    dataset = davis(editable, "train")
    assert "davis2017_train: 3 of 4 videos cannot be read" in caplog.text
    assert dataset.sequence_names == ("bear", "swan", "boat", "dog_1")
    assert len(dataset) == 4
    for index, message in enumerate(
        [r"bear/00002\.png: there is no such file", "swan: no images there", r"boat/00003\.png: the file is damaged"]
    ):
        with pytest.raises(AnnotationError, match=message):
            dataset[index]
    assert dataset[3].name == "dog_1"
    videos = davis_videos(editable, "train")
    with pytest.raises(AnnotationError, match=r"bear/00002\.png: there is no such file"):
        videos[0]
    with pytest.raises(AnnotationError, match=r"boat/00003\.png: the file is damaged"):
        videos[2].labels(3)
    # Mended in place, which no folder tells of: only what was unreadable is looked at again.
    (labels / "boat" / "00003.png").write_bytes((labels / "boat" / "00002.png").read_bytes())
    with pytest.raises(AnnotationError, match="boat: could not be read before, but now; open the dataset again"):
        dataset[2]
    assert davis(editable, "train")[2].name == "boat_1"


def test_label_maps_are_decoded_once(editable, monkeypatch):
    before = davis(editable, "train")
    monkeypatch.setattr("trackdata.datasets.object_tracks.label_extents", None)
    again = davis(editable, "train", min_pixels=100)
    assert again[0].boxes.tolist() == before[0].boxes.tolist()
    assert [sequence.visible.all() for sequence in iterate(again)] == [True, False, True]
    sent = pickle.dumps(again)
    assert len(sent) < 1500
    assert pickle.loads(sent)[1].boxes.tolist() == before[1].boxes.tolist()
    assert [before[-1].name, before[2].name] == ["boat_1", "boat_1"]
    with pytest.raises(IndexError):
        before[3]


def test_objects_that_disappear(editable):
    path = editable / "Annotations" / "480p" / "bear" / "00003.png"
    labels = decode_labels(path.read_bytes(), path)
    labels[labels == 2] = 0
    labels[5, 5:13] = 2  # eight pixels: there, but not to be seen
    write_labels(path, labels)
    path = path.with_name("00004.png")
    write_labels(path, np.where(decode_labels(path.read_bytes(), path) == 2, 0, 1))
    sequence = davis(editable, "train")[1]
    assert sequence.boxes[3:5].tolist() == [[5, 5, 8, 1], [0, 0, 0, 0]]
    assert sequence.valid.tolist() == [True, True, True, True, False, True, True]
    assert sequence.visible.tolist() == [True, True, True, False, False, True, True]
    assert sequence.absent.tolist() == [False, False, False, False, True, False, False]
    assert not sequence.masks(4).any()


def test_options_that_do_not_exist(mini):
    with pytest.raises(ValueError, match="there is no DAVIS 2018; there are 2016, 2017"):
        davis_videos(mini / "davis", year=2018)
    with pytest.raises(ValueError, match="DAVIS 2016 has no split 'test-dev'; there are train, val, trainval"):
        open_dataset("davis2016", mini / "davis", "test-dev")
    with pytest.raises(AnnotationError, match="no folder JPEGImages/480p with videos of DAVIS there"):
        open_videos("davis2017", mini / "vid")
    with pytest.raises(ValueError, match="keep is one of all, visible, got 'none'"):
        davis(mini / "davis", "train", keep="none")
    with pytest.raises(ValueError, match="a box rule is one of inclusive"):
        davis(mini / "davis", "train", box_rule="tight")
    with pytest.raises(
        UnknownDatasetError, match=r"got10k is no dataset of segmented videos \(there are: .*davis2016, davis2017"
    ):
        open_videos("got10k", mini / "got10k")
