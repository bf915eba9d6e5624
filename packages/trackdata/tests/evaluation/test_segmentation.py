"""J and F against slow, obvious ones; which frames and objects count; folders of results, whole and damaged."""

from __future__ import annotations

import itertools
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from trackdata.datasets import open_videos
from trackdata.errors import AnnotationError
from trackdata.evaluation.results import ResultError
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.segmentation import (
    PROTOCOLS,
    boundary_accuracy,
    boundary_map,
    boundary_radius,
    combine,
    label_measures,
    label_videos,
    mask_protocol,
    measure_video,
    read_classes,
    region_similarity,
    score_masks,
    sequence_statistics,
    write_davis_csv,
)
from trackdata.evaluation.segmentation.assignment import best_assignment
from trackdata.labels import write_labels
from trackdata.videos import SegmentedVideo


def slow_boundary(mask) -> set[tuple[int, int]]:
    height, width = mask.shape
    found = set()
    for y, x in itertools.product(range(height), range(width)):
        below, right = min(y + 1, height - 1), min(x + 1, width - 1)
        if any(mask[y, x] != mask[at] for at in ((y, right), (below, x), (below, right))):
            found.add((y, x))
    return found


def slow_measures(truth, predicted, radius: int) -> tuple[float, float]:
    """J and F of two masks, pixel by pixel."""
    union = (truth | predicted).sum()
    region = (truth & predicted).sum() / union if union else 1.0
    a, b = slow_boundary(truth), slow_boundary(predicted)
    if not a or not b:
        return region, float(not a and not b)
    near = lambda p, others: any((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 <= radius**2 for q in others)  # noqa: E731
    recall, precision = np.mean([near(p, b) for p in a]), np.mean([near(p, a) for p in b])
    return region, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


label_maps = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 7]))] * 2)
)


@settings(deadline=None)
@given(label_maps, st.integers(1, 4), st.sampled_from([np.uint8, np.uint16]))
def test_all_objects_at_once(maps, radius, dtype):
    truth, predicted = (labels.astype(dtype) for labels in maps)
    pairs = [(1, 1), (2, 2), (7, 7), (1, 2), (9, 1)]
    measured = label_measures(truth, predicted, pairs, radius)
    for (number, other), values in zip(pairs, measured, strict=True):
        expected = slow_measures(truth == number, predicted == other, radius)
        assert values == pytest.approx(expected, abs=1e-12)
        single = region_similarity(truth == number, predicted == other)
        assert (single, boundary_accuracy(truth == number, predicted == other, None, radius)) == pytest.approx(expected)


@pytest.mark.parametrize("radius", [1, 2, 7, 30])
@pytest.mark.parametrize("shift", [0, 3, 25, 60])
def test_far_boundaries(radius, shift):
    """Both ways of looking at the whole disc: few far places, and many."""
    y, x = np.mgrid[:90, :130]
    truth, predicted = ((x - 45 - s) ** 2 + (y - 40) ** 2 < 30**2 for s in (0, shift))
    predicted[::7, ::5] = False
    expected = slow_measures(truth, predicted, radius)
    assert boundary_accuracy(truth, predicted, None, radius) == pytest.approx(expected[1], abs=1e-12)


def test_void_pixels_do_not_count():
    truth, predicted, void = (np.zeros((12, 12), bool) for _ in range(3))
    truth[2:8, 2:8], predicted[2:8, 2:11], void[:, 8:] = True, True, True
    assert region_similarity(truth, predicted) == pytest.approx(2 / 3)
    assert region_similarity(truth, predicted, void) == 1.0
    assert boundary_accuracy(truth, predicted, void, 1) == 1.0


def test_boundaries_of_single_pixels():
    for at, count in {(3, 3): 4, (0, 0): 1, (5, 6): 3, (5, 3): 4, (3, 6): 4, (0, 3): 2}.items():
        mask = np.zeros((6, 7), bool)
        mask[at] = True
        assert boundary_map(mask).sum() == count == len(slow_boundary(mask))
    assert not boundary_map(np.ones((4, 5), bool)).any()
    assert boundary_radius((480, 854)) == 8
    assert boundary_radius((480, 910)) == 9
    assert boundary_radius((480, 854), 3.0) == 3


@given(arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(0, 5)), elements=st.integers(-4, 4)))
def test_best_assignment(scores):
    pairs = best_assignment(scores)
    rows, columns = scores.shape
    assert len(pairs) == min(rows, columns)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    if not pairs:
        return
    turned = scores if rows <= columns else scores.T
    best = max(
        sum(turned[row, column] for row, column in enumerate(choice))
        for choice in itertools.permutations(range(turned.shape[1]), turned.shape[0])
    )
    assert sum(scores[pair] for pair in pairs) == pytest.approx(best)


def test_statistics_of_nothing():
    assert np.isnan(sequence_statistics(np.empty(0))).all()
    assert sequence_statistics(np.array([np.nan] * 4)).recall == 0.0


def video(truth: np.ndarray, **changes) -> SegmentedVideo:
    """A video of label maps; its objects are all numbers below 255, each from where it is first seen."""
    objects = tuple(number for number in np.unique(truth).tolist() if 0 < number < 255)
    return replace(
        SegmentedVideo(
            name="v",
            frames=truth,
            frame_names=tuple(str(index) for index in range(len(truth))),
            objects=objects,
            labels=lambda index: truth[index],
            annotated=np.ones(len(truth), bool),
            first_frames={n: int((truth == n).any(axis=(1, 2)).argmax()) for n in objects},
            classes=dict.fromkeys(objects),
            size=truth.shape[1:],
            wanted=np.ones(len(truth), bool),
        ),
        **changes,
    )


def moving(frames: int = 8) -> np.ndarray:
    """Object 1 moves; object 3 comes in frame 2; there is no object 2."""
    truth = np.zeros((frames, 20, 30), np.uint8)
    for index in range(frames):
        truth[index, 3:9, 2 + index : 10 + index] = 1
        if index >= 2:
            truth[index, 12:18, 20:27] = 3
    return truth


@pytest.mark.parametrize(
    ("protocol", "objects", "frames"),
    [
        ("davis2017", (1, 3), ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])),
        ("davis2017/strict", (1,), ([1, 2, 3, 4, 5, 6],)),  # only what the first frame has
        ("youtubevos", (1, 3), ([1, 2, 3, 4, 5, 6, 7], [3, 4, 5, 6, 7])),
        ("pytracking", (1, 3), ([1, 2, 3, 4, 5, 6], [3, 4, 5, 6])),
        ("davis2017-unsupervised", (1, 3), (list(range(8)), list(range(8)))),
    ],
)
def test_what_counts(protocol, objects, frames):
    truth = moving()
    result = np.where(np.isin(truth, objects), truth, 0)
    measured = measure_video(video(truth), lambda _, frame, size: result[int(frame)], mask_protocol(protocol))
    assert measured.objects == objects
    for row, expected in zip(measured.values, frames, strict=True):
        assert np.flatnonzero(~np.isnan(row[:, 0])).tolist() == expected
        assert (row[expected] == 1).all()
    assert measured.problems == ()


def test_frames_without_annotation_are_left_out():
    truth, annotated = moving(), np.array([1, 0, 1, 1, 0, 1, 1, 1], bool)
    given = video(truth, annotated=annotated)
    measured = measure_video(given, lambda _, frame, size: truth[int(frame)], mask_protocol("youtubevos"))
    assert np.flatnonzero(~np.isnan(measured.values[0, :, 0])).tolist() == [2, 3, 5, 6, 7]


def test_strict_counts_gaps_in_the_numbers():
    truth = moving()
    truth[0, 12:18, 20:27] = 3
    strict = measure_video(video(truth), lambda _, frame, size: truth[int(frame)], mask_protocol("davis2017/strict"))
    assert strict.objects == (1, 2, 3)
    assert (strict.values[1, 1:-1] == 1).all()  # nothing was annotated, and nothing found


def test_numbers_that_no_object_has():
    truth = moving()
    result = truth.copy()
    result[3:, 0, 0] = 9
    read = lambda _, frame, size: result[int(frame)]  # noqa: E731
    measured = measure_video(video(truth), read, mask_protocol("davis2017"))
    assert measured.problems == (
        "numbers that no object has were ignored: frame 3 has the number 9, the largest is 3 and 3 more",
    )
    with pytest.raises(ResultError, match="v: frame 2 has the number 3, the largest is 1"):
        measure_video(video(truth), read, mask_protocol("davis2017/strict"))


def test_proposals_are_matched_to_objects():
    truth = moving()
    truth[:, 19, :] = 255
    result = np.select([truth == 1, truth == 3, truth == 255], [4, 2, 1]).astype(np.uint8)  # 4 is object 1, 2 object 3
    rules = mask_protocol("davis2017-unsupervised")
    measured = measure_video(video(truth), lambda _, frame, size: result[int(frame)], rules)
    assert measured.objects == (1, 3)
    assert (measured.values == 1).all()
    nothing = measure_video(video(truth), lambda _, frame, size: np.zeros(size, np.uint8), rules)
    assert (nothing.values[0] == 0).all()
    many = np.full_like(truth, 25)
    crowded = measure_video(video(truth), lambda _, frame, size: many[int(frame)], rules)
    assert "the largest is 20" in crowded.problems[0]


def test_names_of_protocols():
    assert all(mask_protocol(name).name == name for name in PROTOCOLS)
    with pytest.raises(ValueError, match="no mask protocol 'davis2018'; did you mean 'davis201"):
        mask_protocol("davis2018")


def test_classes_seen_and_unseen():
    truth = moving()
    result = np.where(truth == 3, 0, truth)
    given = video(truth, classes={1: "cat", 3: "yak"})
    rules = mask_protocol("youtubevos")
    measured = [(given, measure_video(given, lambda _, frame, size: result[int(frame)], rules))]
    scores = combine(measured, rules, seen={"cat", "dog"})
    found = [scores.values[figure] for figure in ("J_seen", "F_seen", "J_unseen", "F_unseen", "overall")]
    assert found == [1.0, 1.0, 0.0, 0.0, 0.5]
    assert "overall" not in combine(measured, rules).values
    alone = combine(measured, rules, seen={"cat", "yak"})
    assert np.isnan(alone.values["overall"])


@pytest.fixture(scope="module")
def davis(tmp_path_factory, conformance_folder) -> Path:
    folder = tmp_path_factory.mktemp("davis")
    with zipfile.ZipFile(conformance_folder / "mini_datasets.zip") as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(("davis/", "youtubevos/"))])
    return folder


@pytest.fixture
def copied(davis, tmp_path) -> Path:
    """The annotation as a perfect result."""
    return Path(shutil.copytree(davis / "davis" / "Annotations" / "480p", tmp_path / "perfect"))


def test_a_folder_of_results(davis, copied):
    videos = open_videos("davis2017", davis / "davis", "train")
    scores = score_masks(copied, videos)
    assert (scores.tracker, scores.dataset, scores.convention) == ("perfect", videos.name, "masks/davis2017")
    assert [row.name for row in scores.sequences] == ["bear_1", "bear_2", "boat_1"]
    assert scores.values["J&F"] == scores.values["J_mean"] == scores.values["F_recall"] == 1.0
    assert (scores.notes, scores.failures) == ({}, {})
    both = score_masks(copied, videos, workers=2)
    np.testing.assert_equal(both.to_json(), scores.to_json())


def test_results_in_an_archive_and_below_other_folders(davis, copied, tmp_path):
    videos = open_videos("davis2017", davis / "davis", "train")
    inner = tmp_path / "sent" / "Annotations"
    shutil.copytree(copied, inner)
    assert score_masks(inner.parent, videos).values["J&F"] == 1.0
    archive = shutil.make_archive(str(tmp_path / "sent"), "zip", inner)
    assert score_masks(archive, videos).values["J&F"] == 1.0
    with pytest.raises(ResultError, match="holds no folder of masks for any of the 2 videos, such as 'bear'"):
        score_masks(tmp_path, videos)
    with pytest.raises(ResultError, match="there is no such folder or archive"):
        score_masks(tmp_path / "nowhere", videos)


def test_damaged_results_count_as_empty_and_are_told(davis, copied):
    videos = open_videos("davis2017", davis / "davis", "train")
    (copied / "bear" / "00001.png").unlink()
    (copied / "bear" / "00002.png").write_bytes(b"\x89PNG")
    Image.new("P", (7, 5)).save(copied / "bear" / "00003.png")
    Image.new("RGB", (48, 36)).save(copied / "bear" / "00004.png")
    shutil.rmtree(copied / "boat")
    scores = score_masks(copied, videos)
    [bear, other, boat] = scores.sequences
    assert bear.values["J_mean"] == other.values["J_mean"] == pytest.approx(1 / 5)
    assert boat.values["J&F"] == 0.0
    assert set(scores.notes) == {"bear", "boat"}
    assert "counted as empty: " in scores.notes["bear"]
    assert "00001.png: there is no such file and 3 more" in scores.notes["bear"]
    assert "and 4 more" in scores.notes["boat"]
    assert Scores.from_json(json.loads(json.dumps(scores.to_json()))).notes == scores.notes


def test_annotation_that_cannot_be_read_is_a_failure(davis, copied, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(davis / "davis", broken)
    (broken / "Annotations" / "480p" / "bear" / "00003.png").write_bytes(b"nothing")
    scores = score_masks(copied, open_videos("davis2017", broken, "train"))
    assert [row.name for row in scores.sequences] == ["boat_1"]
    assert "00003.png" in scores.failures["bear"]


def test_davis_2016_takes_anything_that_is_not_black(davis, tmp_path):
    listed = davis / "davis" / "ImageSets" / "2016" / "train.txt"
    listed.parent.mkdir(exist_ok=True)
    listed.write_text("bear\n")
    videos = open_videos("davis2016", davis / "davis", "train")
    for index, frame in enumerate(videos[0].frame_names):
        white = videos[0].labels(index) * np.uint8(255)
        write_labels(tmp_path / "bear" / f"{frame}.png", white, palette=None)
    assert score_masks(tmp_path, videos).values["J&F"] == 1.0


def test_youtube_vos(davis, tmp_path):
    videos = open_videos("youtubevos", davis / "youtubevos", "train")
    source = davis / "youtubevos" / "2019" / "train"
    scores = score_masks(source / "Annotations", videos, seen=read_classes(source / "meta.json"), workers=1)
    assert scores.values["J_seen"] == 1.0
    assert np.isnan(scores.values["J_unseen"])
    assert {row.name: row.scored for row in scores.sequences}["0043f083b5_2"] == 5  # comes in frame 3 of 9
    (tmp_path / "seen.txt").write_text("ape\nbear\n")
    assert read_classes(tmp_path / "seen.txt") == {"ape", "bear"}
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(AnnotationError, match=r"not a meta\.json of YouTube-VOS"):
        read_classes(tmp_path / "other.json")


def test_any_folder_of_label_maps_as_truth(tmp_path):
    truth = moving()
    for index, labels in enumerate(truth):
        write_labels(tmp_path / "truth" / "v" / f"{index:05d}.png", labels)
        write_labels(tmp_path / "mine" / "v" / f"{index:05d}.png", np.where(labels == 3, 0, labels).astype(np.uint8))
    scores = score_masks(tmp_path / "mine", label_videos(tmp_path / "truth"))
    assert {row.name: (row.scored, row.values["J&F"]) for row in scores.sequences} == {"v_1": (7, 1.0), "v_3": (5, 0.0)}
    with pytest.raises(AnnotationError, match="no folder <video> with label maps"):
        label_videos(tmp_path / "truth" / "v")


def test_more_than_255_objects(tmp_path):
    truth = np.zeros((4, 20, 300), np.uint16)
    truth[:, 5:15] = np.arange(300)[None, None, :]
    for index, labels in enumerate(truth):
        write_labels(tmp_path / "truth" / "v" / f"{index:05d}.png", labels)
        write_labels(tmp_path / "mine" / "v" / f"{index:05d}.png", labels)
    scores = score_masks(tmp_path / "mine", label_videos(tmp_path / "truth"))
    assert len(scores.sequences) == 299
    assert scores.values["J&F"] == 1.0


def test_csv_of_the_official_program(davis, copied, tmp_path):
    (copied / "bear" / "00003.png").unlink()
    scores = score_masks(copied, open_videos("davis2017", davis / "davis", "train"))
    together, each = write_davis_csv(scores, tmp_path, "train")
    assert together.name == "global_results-train.csv"
    head, line = together.read_text().splitlines()
    assert head == "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"
    assert line.startswith("0.867,0.867,0.867,")
    lines = ["Sequence,J-Mean,F-Mean", "bear_1,0.800,0.800", "bear_2,0.800,0.800", "boat_1,1.000,1.000"]
    assert each.read_text().splitlines() == lines


def test_from_the_command_line(davis, copied, tmp_path, capsys):
    from trackdata.cli import main

    (copied / "bear" / "00003.png").unlink()
    source = ["--dataset", "davis2017", "--root", str(davis / "davis"), "--split", "train"]
    files = ["--json", str(tmp_path / "scores.json"), "--csv", str(tmp_path)]
    assert main(["masks", str(copied), *source, *files]) == 0
    shown = capsys.readouterr()
    assert "J&F" in shown.out
    assert "trackdata: perfect, bear: counted as empty" in shown.err
    [saved] = json.loads((tmp_path / "scores.json").read_text())["trackers"]
    assert saved["values"]["J_mean"] == pytest.approx((0.8 + 0.8 + 1) / 3)
    assert (tmp_path / "per-sequence_results-train.csv").is_file()
    assert main(["masks", str(copied), "--truth", str(davis / "davis" / "Annotations" / "480p")]) == 0
    for wrong in (
        ["masks", *source],
        ["masks", str(copied)],
        ["masks", str(copied), *source, "--truth", str(copied)],
        ["masks", str(copied), *source, "--protocol", "davis"],
        ["masks", str(copied), *source, "--limit", "0"],
        ["masks", str(copied), str(copied), *source, "--csv", str(tmp_path)],
        ["masks", str(copied), "--dataset", "got10k", "--root", str(davis)],
    ):
        assert main(wrong) == 2, wrong
