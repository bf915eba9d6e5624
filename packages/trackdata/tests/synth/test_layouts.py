"""Layouts of boxes, written and read back by the dataset's own reader: the same boxes, flags and pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.datasets.lists import read_table
from trackdata.sequences import find, iterate
from trackdata.synth import SynthConfig, generate_sequence, preset, write_layout
from trackdata.synth.layouts import Order, layout
from trackdata.synth.layouts.classes import NAMES
from trackdata.synth.world.places import SETTINGS

PUBLISHED_LENGTHS = {"otb2015": 2, "uav123": 1, "nfs": 2}  # sequences of their lists that are written here

SINGLE = {
    # layout: split to open, origin
    "lasot": ("all", 1),
    "lasot_ext": ("all", 1),
    "trackingnet": ("train", 0),
    "tnl2k": (None, 0),
    "tc128": (None, 1),
    "itb": (None, 0),
    "dtb70": (None, 1),
}


@pytest.mark.parametrize("name", SINGLE)
def test_single_objects_read_back(shifted, check_frames, write, name):
    split, origin = SINGLE[name]
    written = write(name)
    for root in written.roots():
        dataset = open_dataset(name, root, split)
        assert len(dataset) == 3
        for number, item in enumerate(written.items):
            video, sequence = written.video(number), find(dataset, item.name)
            track = video.tracks[0]
            assert np.array_equal(sequence.boxes, shifted(track.boxes, origin))
            assert sequence.origin == origin
            assert np.array_equal(sequence.valid, ~track.outside)
            check_frames(sequence, video, [(0, 0), (13, 13)])
            if name.startswith("lasot"):
                assert np.array_equal(sequence.absent, track.absent)
                assert np.array_equal(sequence.visible, ~track.absent)
            if name in ("lasot", "lasot_ext", "tnl2k"):
                assert "shape" in sequence.attributes["language"]
            if name in ("lasot", "lasot_ext"):
                assert set(sequence.attributes["challenges"]) == set(video.challenges)
            if name == "dtb70":
                held = {"Full Occlusion", "Partial Occlusion"} & set(video.challenges)
                assert ("Occlusion" in sequence.attributes["challenges"]) == bool(held)


def test_some_targets_leave_and_some_are_hidden(write):
    """The sequences above do test what they are meant to."""
    written = write("lasot")
    tracks = [written.video(number).tracks[0] for number in range(3)]
    assert any(track.outside.any() for track in tracks)
    assert any((track.hidden > 0).any() for track in tracks)
    assert any(track.cut.any() for track in tracks)


def test_trackingnet_publishes_first_boxes_and_classes(write):
    written = write("trackingnet", "test")
    test = open_dataset("trackingnet", written.root, "test")
    assert [len(sequence.boxes) for sequence in iterate(test)] == [1, 1, 1]
    assert [len(sequence) for sequence in iterate(test)] == [14, 14, 14]
    write("trackingnet", "train_3", 1)
    write("trackingnet", "train_5", 1)
    train = open_dataset("trackingnet", written.root, "train")
    assert [sequence.object_class for sequence in iterate(train)] == ["shape", "shape"]
    text = (written.root / "TRAIN_3" / "anno").glob("*.txt").__next__().read_text()
    assert all(len(number.split(".")[1]) == 2 for number in text.replace("\n", ",").strip(",").split(","))


def test_official_names_come_first(write):
    written = write("lasot", "test")
    assert [item.name for item in written.items] == ["airplane-1", "airplane-9", "airplane-13"]
    dataset = open_dataset("lasot", written.root, "test")
    assert len(dataset) == 280
    assert len(dataset[0].boxes) == 14
    assert [item.name for item in layout("davis2017").plan(Order("val", 2, 5))] == ["bike-packing", "blackswan"]
    assert [item.name for item in layout("vot2018").plan(Order("test", 2, 5))] == ["ants1", "ants3"]
    assert [item.name for item in layout("vot2018").plan(Order("test", 61, 5))][-1] == "synth1"
    assert [item.name for item in layout("lasot").plan(Order("test", 2, 5, listed=False))] == ["shape-1", "shape-2"]


@pytest.mark.parametrize("name", PUBLISHED_LENGTHS)
def test_published_lists_read_back_with_their_lengths(shifted, check_frames, write, config, name):
    written = write(name, sequences=PUBLISHED_LENGTHS[name], config=replace(config, size=(48, 36), clutter=(0, 0)))
    origin = 0 if name == "nfs" else 1
    table = read_table({"nfs": "nfs30"}.get(name, name))
    for root in written.roots():
        dataset = open_dataset(name, root)
        assert len(dataset) == len(table)
        for number, item in enumerate(written.items):
            video = written.video(number)
            for entry in item.plan.entries:
                sequence = find_by_name(dataset, entry.name)
                track = video.tracks[0]
                expected = shifted(track.boxes, origin)[entry.skip :]
                if name == "uav123":
                    expected[track.absent] = np.nan
                    assert np.array_equal(sequence.absent, track.absent)
                assert np.array_equal(sequence.boxes, expected, equal_nan=True)
                assert len(sequence) == entry.last - entry.first + 1 - entry.skip
                check_frames(sequence, video, [(0, entry.skip), (len(sequence) - 1, len(video) - 1)])
                known = {"Occlusion", "Out-of-View", "Fast Motion"}
                assert sequence.attributes["challenges"]
                assert ("Out-of-View" in sequence.attributes["challenges"]) == ("Out-of-View" in video.challenges), (
                    known
                )


def find_by_name(dataset, name):
    return dataset[dataset.sequence_names.index(name)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["otb2015", "uav123", "uav20l"])
def test_long_and_shared_videos_of_published_lists(tmp_path, name):
    """Two targets in one video (Jogging, Skating2), parts of one video (bird1 of UAV123), videos that begin later."""
    table = read_table(name)
    wanted = {"otb2015": ("Jogging_1", "Tiger1", "David"), "uav123": ("uav_person22",), "uav20l": ("car3",)}[name]
    known = layout(name)
    items = known.plan(Order(known.splits[0], 123, 10))
    chosen = [item for item in items if {entry.name for entry in item.plan.entries} & set(wanted)]
    tiny = SynthConfig(size=(32, 32), clutter=(0, 0), distractors=(0, 0), bystanders=(0, 0), occluders=(0, 0))
    write_layout(replace(known, plan=lambda order: chosen), tmp_path, None, 1, tiny)
    dataset = open_dataset(name, tmp_path)
    for item in chosen:
        for entry, place in zip(item.plan.entries, item.plan.tracks, strict=True):
            config = replace(tiny, frames=item.frames, objects=item.objects or (1, 1))
            video = generate_sequence(0, known.splits[0], item.number, config)
            sequence = find_by_name(dataset, entry.name)
            assert len(sequence) == table[entry.name].last - table[entry.name].first + 1 - entry.skip
            assert len(sequence.boxes) == len(sequence)
            first = entry.first - item.plan.first + entry.skip
            box = video.annotations(first)[place].box
            if name == "otb2015":  # the second target may come in later; the drones' are NaN then
                assert sequence.boxes[0, 2:].tolist() == box[2:].tolist()
            assert np.array_equal(sequence.frames[0], video.frame(first))


@pytest.mark.parametrize("name", ["otb2015", "uav123", "uav20l", "nfs"])
def test_names_outside_the_lists_have_the_length_asked_for(shifted, write, name):
    written = write(name, sequences=2, listed=False)
    dataset = open_dataset(name, written.root, "all")
    assert len(dataset) == 2
    for number in range(2):
        assert len(dataset[number]) == 14
        boxes = shifted(written.video(number).tracks[0].boxes, 0 if name == "nfs" else 1)
        valid = dataset[number].valid
        assert np.array_equal(dataset[number].boxes[valid], boxes[valid])


def test_targets_of_one_video_and_parts_of_one_video_share_their_images():
    by_folder = {item.places[0]: item for item in layout("otb2015").plan(Order("otb2015", 100, 10))}
    assert by_folder["Jogging/img"].objects == (2, 2)
    assert by_folder["Jogging/img"].plan.tracks == (0, 1)
    assert by_folder["David/img"].plan.first == 300
    parts = {item.places[0]: item for item in layout("uav123").plan(Order("test", 123, 10))}["data_seq/UAV123/bird1"]
    assert [entry.name for entry in parts.plan.entries] == ["uav_bird1_1", "uav_bird1_2", "uav_bird1_3"]
    assert parts.plan.tracks == (0, 0, 0)
    assert parts.frames == max(entry.last for entry in parts.plan.entries)


def test_worlds_are_written_as_flat_scenes_are(write, shifted):
    written = write("lasot", sequences=1, config=preset("rich", size=(96, 72), frames=5))
    track, read = written.video(0).tracks[0], open_dataset("lasot", written.root, "all")[0]
    assert np.array_equal(read.boxes, shifted(track.boxes, 1))
    assert NAMES[track.object_class].word in read.attributes["language"]


def test_all_sorts_of_targets_have_names_in_the_datasets():
    sorts = {sort for setting in SETTINGS.values() for sort in (*setting.standing, *setting.flying)}
    assert sorts <= NAMES.keys()
