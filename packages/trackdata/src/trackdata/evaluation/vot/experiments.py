"""The experiments of the VOT challenges, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Supervised:
    """One pass in which a failed tracker is started again (VOT2013 to VOT2019).

    Attributes:
        interval: first and last length that the expected average overlap is averaged over, both included.
        skip: frames from a failure to the next start.
        failure_overlap: overlaps up to this one are failures.
        burn_in: frames from every start on that do not enter the accuracy.
        sensitivity: S of the robustness ``exp(-S F / N)``, for F failures in N frames.
        repetitions: runs of every sequence.
    """

    interval: tuple[int, int] = (100, 356)
    skip: int = 5
    failure_overlap: float = 0.0
    burn_in: int = 10
    sensitivity: float = 30.0
    repetitions: int = 1

    kind: ClassVar[str] = "supervised"
    folder: ClassVar[str] = "baseline"


@dataclass(frozen=True)
class MultiStart:
    """Runs from anchors, forward or backward to the end of the sequence (VOT2020 to VOT2022).

    Attributes:
        interval: first length, and the one after the last, that the expected average overlap is averaged over.
        threshold: overlaps up to this one are bad.
        grace: this many bad frames with a target, one after the other, are a failure.
        spacing: frames between the anchors of datasets that give none.
    """

    interval: tuple[int, int] = (115, 755)
    threshold: float = 0.1
    grace: int = 10
    spacing: int = 50

    kind: ClassVar[str] = "multistart"
    folder: ClassVar[str] = "baseline"


@dataclass(frozen=True)
class LongTerm:
    """One pass without restarts, with the tracker's confidence in every frame (VOT-LT).

    Attributes:
        resolution: thresholds of the confidence, the infinite ones included.
    """

    resolution: int = 100

    kind: ClassVar[str] = "longterm"
    folder: ClassVar[str] = "longterm"


Experiment = Supervised | MultiStart | LongTerm
