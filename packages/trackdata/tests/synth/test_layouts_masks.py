"""Layouts of masks, still images and several objects, written and read back by the dataset's own reader."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trackdata.clips import ClipFrames, inspect_clip
from trackdata.datasets import open_dataset, open_videos
from trackdata.regions import Mask, Polygon, region_box
from trackdata.sequences import iterate
from trackdata.synth import generate_sequence
from trackdata.synth.annotations import mask_bounds
from trackdata.synth.layouts.coco import outline


@pytest.mark.parametrize("name", ["davis2016", "davis2017"])
def test_davis_reads_back(check_frames, write, name):
    written = write(name)
    for root in written.roots():
        videos = open_videos(name, root, "train")
        assert list(videos.video_names) == [item.name for item in written.items]
        for number, read in enumerate(videos):
            video = written.video(number)
            first = [k for k, track in enumerate(video.tracks) if not track.absent[0]]
            assert read.objects == tuple(range(1, len(first) + 1))
            assert read.annotated.all()
            for index in (0, 6, 13):
                expected = np.zeros((60, 80), np.uint8)
                for label, place in enumerate(first, start=1):
                    expected[video.masks(index)[place].visible] = label
                assert np.array_equal(read.labels(index), expected)
            check_frames(read, video, [(5, 5)])
        sequences = open_dataset(name, root, "train")
        assert np.array_equal(sequences[0].boxes, written.video(0).tracks[0].visible_boxes)


@pytest.mark.parametrize("split", ["train", "valid"])
def test_youtubevos_reads_back(write, config, check_frames, split):
    written = write("youtubevos", split, 3, replace(config, objects=(3, 3)))
    later = 0
    for root in written.roots():
        videos = {video.name: video for video in open_videos("youtubevos", root, split)}
        assert set(videos) == {item.name for item in written.items}
        for number, item in enumerate(written.items):
            video, read = written.video(number), videos[item.name]
            assert read.frame_names == ("00000", "00005", "00010")
            numbers = [k + 1 + (number % 2 == 1 and k > 0) for k in range(len(video.tracks))]
            shown = {
                label: next(i for i, index in enumerate((0, 5, 10)) if not track.absent[index])
                for label, track in zip(numbers, video.tracks, strict=True)
                if not track.absent[[0, 5, 10]].all()
            }
            assert dict(read.first_frames) == shown
            later += sum(place > 0 for place in shown.values())
            for place, index in enumerate((0, 5, 10)):
                labels = read.labels(place)
                for label, masks in zip(numbers, video.masks(index), strict=True):
                    if split == "train" or shown.get(label) == place:
                        assert np.array_equal(labels == label, masks.visible)
                    else:
                        assert labels is None or not (labels == label).any()
            check_frames(read, video, [(1, 5)])
    assert later


def test_coco_reads_back(check_frames, write):
    written = write("coco", "val2017", 5)
    assert written.report.frames == 5
    for root in written.roots():
        dataset = open_dataset("coco", root, "val2017")
        objects = [
            (n, k) for n in range(5) for k, found in enumerate(written.video(n).annotations(7)) if not found.absent
        ]
        assert len(dataset) == len(objects)
        for sequence, (number, place) in zip(iterate(dataset), objects, strict=True):
            video = written.video(number)
            assert np.array_equal(sequence.boxes[0], video.annotations(7)[place].visible_box)
            assert np.array_equal(sequence.masks(0), video.masks(7)[place].visible)
            check_frames(sequence, video, [(0, 7)])


def test_outlines_say_exactly_what_masks_say(config):
    from pycocotools import mask as rle

    def drawn(segmentation, shape):
        if isinstance(segmentation, list):
            return rle.decode(rle.merge(rle.frPyObjects(segmentation, *shape))).astype(bool)
        return rle.decode(segmentation).astype(bool)

    block, ring = np.zeros((12, 15), bool), np.zeros((12, 15), bool)
    block[2:7, 3:9] = block[4:10, 6:8] = True
    ring[1:9, 1:9] = True
    ring[3:5, 4:7] = False
    noise = np.random.default_rng(0).random((12, 15)) < 0.4
    for mask, polygons in ((block, True), (ring, False), (noise, None), (np.eye(12, 15, dtype=bool), None)):
        found = outline(mask)
        assert np.array_equal(drawn(found, mask.shape), mask)
        assert polygons is None or isinstance(found, list) == polygons
    masks = [generate_sequence(0, "train", k, config).mask(0) for k in range(12)]
    assert sum(isinstance(outline(mask), list) for mask in masks) >= 6  # polygons are the rule


def test_imagenet_vid_reads_back(check_frames, write):
    written = write("imagenet_vid", sequences=4)
    gaps = 0
    for root in written.roots():
        tracks = {s.name: s for s in iterate(open_dataset("imagenet_vid", root))}
        for number, item in enumerate(written.items):
            video = written.video(number)
            for place, track in enumerate(video.tracks):
                present = np.flatnonzero(~track.absent)
                if len(present) == 0:
                    assert f"{item.name}.{place}" not in tracks
                    continue
                # sequences end at the first gap
                breaks = np.flatnonzero(np.diff(present) > 1)
                gaps += len(breaks)
                kept = present[: breaks[0] + 1] if len(breaks) else present
                sequence = tracks[f"{item.name}.{place}"]
                assert np.array_equal(sequence.attributes["frame_numbers"], kept)
                assert np.array_equal(sequence.boxes, track.boxes[kept])
                assert np.array_equal(sequence.visible, track.hidden[kept] <= 0.25)
                check_frames(sequence, video, [(0, kept[0])])
    assert gaps


def test_imagenet_det_reads_back(check_frames, write):
    written = write("imagenet_det", sequences=4)
    for root in written.roots():
        found = {s.name: s for s in iterate(open_dataset("imagenet_det", root))}
        expected = {}
        for number, item in enumerate(written.items):
            shown = [annotation for annotation in written.video(number).annotations(7) if not annotation.absent]
            expected |= {f"{item.name}.{place}": (number, a) for place, a in enumerate(shown)}
        assert found.keys() == expected.keys()
        for name, (number, annotation) in expected.items():
            assert np.array_equal(found[name].boxes[0], annotation.visible_box)
            check_frames(found[name], written.video(number), [(0, 7)])


@pytest.mark.parametrize("name", ["vot2018", "vot2020", "vot2021", "vot2022", "vot2018lt", "vot2020lt"])
def test_vot_reads_back(check_frames, write, name):
    written = write(name, sequences=2)
    for root in written.roots():
        dataset = open_dataset(name, root)
        for number, sequence in enumerate(iterate(dataset)):
            video = written.video(number)
            track = video.tracks[0]
            assert np.array_equal(sequence.absent, track.absent)
            shown = np.flatnonzero(~track.absent)
            for index in shown[::4]:
                region, masks = sequence.attributes["regions"][index], video.masks(index)[0]
                if name.endswith("lt"):
                    assert np.array_equal(sequence.boxes[index], track.boxes[index])
                elif name >= "vot2020":
                    assert isinstance(region, Mask)
                    assert np.array_equal(sequence.masks(index), masks.visible)
                    assert np.array_equal(sequence.boxes[index], track.visible_boxes[index])
                else:
                    assert isinstance(region, Polygon)
                    assert len(region.points) == 4
                    x, y, w, h = region_box(region)
                    bx, by, bw, bh = track.boxes[index]
                    assert x <= bx + 0.01
                    assert y <= by + 0.01
                    assert x + w >= bx + bw - 0.01
                    assert y + h >= by + bh - 0.01
            tags = sequence.attributes["challenge_frames"]
            assert np.array_equal(tags["size_change"], video.challenge_frames["Scale Variation"])
            assert len(tags) == 5
            if name >= "vot2020" and not name.endswith("lt"):
                anchors = sequence.attributes["anchors"]
                assert anchors[np.flatnonzero(anchors)[0]] == 1
                assert anchors[np.flatnonzero(anchors)[-1]] == -1
            check_frames(sequence, video, [(3, 3)])


def test_kinetics_reads_back(write):
    written = write("kinetics", sequences=2)
    dataset = open_dataset("kinetics", written.root, "train")
    assert len(dataset) == 2
    assert dataset.lengths.tolist() == [14, 14]
    for number, item in enumerate(written.items):
        path = written.root / item.places[0]
        assert inspect_clip(path).fps == 25
        frame = ClipFrames(path, 14)[4]
        assert np.abs(frame.astype(int) - written.video(number).frame(4)).mean() < 8


@pytest.mark.parametrize(
    ("name", "split"), [("saliency", None), ("static_images", "DUTS-TR"), ("static_images", "fss")]
)
def test_still_images_read_back(check_frames, write, name, split):
    written = write(name, split, 3)
    for root in written.roots():
        dataset = open_dataset(name, root, split)
        assert len(dataset) == 3
        assert dataset.still
        for number in range(3):
            sequence, video = dataset[number], written.video(number)
            mask = sequence.masks(0)
            index = next(i for i in (7, 6, 8, 5, 9, 4, 10, 3, 11) if not video.annotations(i)[0].absent)
            assert np.array_equal(mask, video.mask(index))
            assert np.array_equal(sequence.boxes[0], mask_bounds(mask))
            check_frames(sequence, video, [(0, index)])
