"""Running a tracker as an experiment says: starts, restarts, and what is reported when."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from trackcore.tracker import Prediction, Tracker, check_box
from trackdata.evaluation.passes import TrackingError
from trackdata.evaluation.vot.experiments import Experiment, LongTerm, MultiStart, Supervised
from trackdata.evaluation.vot.overlaps import region_overlap
from trackdata.evaluation.vot.trajectories import Trajectory, run_name
from trackdata.evaluation.vot.truth import VotTruth
from trackdata.regions import FAILURE, NOTHING, START, Mask, Rectangle, Region, region_box
from trackdata.sequences import Sequence


@dataclass(frozen=True)
class Runner:
    """A tracker on one sequence.

    A target that is a polygon or a mask is given to the tracker as the box around it.

    Attributes:
        tracker: any tracker.
        sequence: the frames.
        truth: their annotation.
        masks: report the tracker's mask where it has one; its box otherwise.
        clock: seconds.
    """

    tracker: Tracker
    sequence: Sequence
    truth: VotTruth
    masks: bool = False
    clock: Callable[[], float] = time.perf_counter

    def start(self, frame: int) -> float:
        """Start on the target of ``frame``; gives the seconds it took."""
        image = self.sequence.frames[frame]
        box = check_box(region_box(self.truth.regions[frame]), image.shape[:2])
        began = self.clock()
        self.tracker.init(image, box)
        return self.clock() - began

    def step(self, frame: int) -> tuple[Region, float, float]:
        """(region, confidence, seconds) of the next frame; NaN where the tracker has no confidence.

        Raises:
            TrackingError: the tracker gave no finite box with a size of at least zero.
        """
        image = self.sequence.frames[frame]
        began = self.clock()
        prediction = self.tracker.update(image)
        seconds = self.clock() - began
        confidence = math.nan if prediction.score is None else float(prediction.score)
        return self._region(prediction, frame), confidence, seconds

    def _region(self, prediction: Prediction, frame: int) -> Region:
        if self.masks and prediction.mask is not None:
            return cropped_mask(prediction.mask)
        values = np.asarray(prediction.box, dtype=np.float64).reshape(-1)
        if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] < 0).any():
            raise TrackingError(f"frame {frame}: the tracker's box is {values.tolist()}, expected x, y, w, h")
        return Rectangle(*values.tolist())


@dataclass
class Recording:
    """A trajectory as it grows."""

    regions: list[Region] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def add(self, region: Region, confidence: float = math.nan, seconds: float = 0.0) -> None:
        """Append one frame."""
        self.regions.append(region)
        self.confidence.append(confidence)
        self.times.append(seconds)

    def trajectory(self, with_confidence: bool = False) -> Trajectory:
        """What was recorded."""
        confidence = np.array(self.confidence) if with_confidence else None
        return Trajectory(self.regions, confidence, np.array(self.times))


def expected_runs(truth: VotTruth, experiment: Experiment) -> dict[str, int]:
    """The runs an experiment makes over a sequence: number of frames by the name of the run's files."""
    if isinstance(experiment, MultiStart):
        return {
            run_name(truth.name, start, 8): len(truth.run_frames(start, backward)) for start, backward in truth.starts
        }
    repetitions = experiment.repetitions if isinstance(experiment, Supervised) else 1
    return {run_name(truth.name, number): len(truth) for number in range(1, repetitions + 1)}


def perform(runner: Runner, experiment: Experiment) -> dict[str, Trajectory]:
    """All runs of an experiment over one sequence, by the name of their files.

    Raises:
        ValueError: a start is not one a tracker can begin from.
        TrackingError: a prediction is no box.
        TruthError: the sequence has no anchors.
        OSError: a frame cannot be read.
    """
    truth = runner.truth
    if isinstance(experiment, MultiStart):
        return {
            run_name(truth.name, start, 8): follow(runner, truth.run_frames(start, backward))
            for start, backward in truth.starts
        }
    if isinstance(experiment, LongTerm):
        return {run_name(truth.name, 1): follow_with_confidence(runner)}
    return {run_name(truth.name, at): supervise(runner, experiment) for at in range(1, experiment.repetitions + 1)}


def follow(runner: Runner, frames: Iterable[int]) -> Trajectory:
    """One run over ``frames`` without restarts, begun on the first of them."""
    return _follow(runner, frames).trajectory()


def follow_with_confidence(runner: Runner) -> Trajectory:
    """One run over the whole sequence. A tracker without confidence is equally sure of all frames."""
    recording = _follow(runner, range(len(runner.truth)))
    if np.isnan(recording.confidence).all():
        recording.confidence[1:] = [1.0] * (len(recording.confidence) - 1)
    return recording.trajectory(with_confidence=True)


def supervise(runner: Runner, rules: Supervised) -> Trajectory:
    """One run that is started again ``rules.skip`` frames after every failure.

    The tracker starts on the first frame that shows the target; frames without a target are no failures.
    """
    truth, recording = runner.truth, Recording()
    tracking = False
    while (frame := len(recording.regions)) < len(truth):
        if not tracking:
            if truth.empty[frame]:
                recording.add(NOTHING)
            else:
                recording.add(START, seconds=runner.start(frame))
                tracking = True
            continue
        region, confidence, seconds = runner.step(frame)
        if truth.empty[frame] or region_overlap(region, truth.regions[frame], truth.size) > rules.failure_overlap:
            recording.add(region, confidence, seconds)
            continue
        recording.add(FAILURE, confidence, seconds)
        tracking = False
        for _ in range(min(rules.skip - 1, len(truth) - len(recording.regions))):
            recording.add(NOTHING)
    return recording.trajectory()


def cropped_mask(pixels: np.ndarray) -> Mask:
    """A mask of a whole image ``(H, W)`` bool, cut to its outermost pixels."""
    x, y, width, height = region_box(Mask(pixels)).astype(int).tolist()
    return Mask(np.asarray(pixels[y : y + height, x : x + width], dtype=bool), x, y)


def _follow(runner: Runner, frames: Iterable[int]) -> Recording:
    recording = Recording()
    for position, frame in enumerate(frames):
        if position == 0:
            recording.add(START, seconds=runner.start(frame))
        else:
            recording.add(*runner.step(frame))
    return recording
