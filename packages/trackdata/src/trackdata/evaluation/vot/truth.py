"""Annotations of a VOT sequence: regions, anchors and the image's size."""

from __future__ import annotations

from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trackdata.evaluation.records import TruthError, frame_size
from trackdata.regions import Code, Mask, Rectangle, Region
from trackdata.sequences import Sequence


@dataclass(frozen=True)
class VotTruth:
    """What trajectories over one sequence are compared with.

    Attributes:
        name: the sequence.
        regions: one per frame; a code where there is no target.
        size: (width, height) of the frames, which regions are limited to.
        anchors: ``(N,)`` where multi-start runs begin: forward where positive, backward where negative; None when the
            dataset gives none, see :meth:`with_anchors`.
    """

    name: str
    regions: SequenceABC[Region]
    size: tuple[int, int]
    anchors: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.regions) == 0:
            raise TruthError(f"{self.name}: there is no annotated frame")
        if self.anchors is not None and np.shape(self.anchors) != (len(self.regions),):
            raise TruthError(f"{self.name}: anchors of shape {np.shape(self.anchors)} for {len(self.regions)} frames")

    def __len__(self) -> int:
        return len(self.regions)

    @classmethod
    def of(cls, sequence: Sequence) -> VotTruth:
        """The annotation of ``sequence``.

        Readers of VOT layouts put the regions into ``attributes["regions"]`` and the anchors into
        ``attributes["anchors"]``. Any other sequence is taken by its boxes.

        Raises:
            TruthError: not every frame is annotated.
        """
        regions = sequence.attributes.get("regions")
        if regions is None:
            regions = [
                Rectangle(*box) if valid else Code(0)
                for box, valid in zip(sequence.boxes.tolist(), sequence.valid, strict=True)
            ]
        if len(regions) != len(sequence.frames):
            raise TruthError(f"{sequence.name}: {len(regions)} of {len(sequence.frames)} frames are annotated")
        anchors = sequence.attributes.get("anchors")
        # parsed once: readers parse masks whenever they are asked
        return cls(
            sequence.name, tuple(regions), frame_size(sequence), None if anchors is None else np.asarray(anchors)
        )

    @cached_property
    def empty(self) -> np.ndarray:
        """``(N,)`` bool: frames without a target."""
        return np.array([_is_empty(region) for region in self.regions])

    @cached_property
    def starts(self) -> tuple[tuple[int, bool], ...]:
        """(frame, whether backward) of every multi-start run, forward ones first.

        Raises:
            TruthError: the dataset gives no anchors.
        """
        if self.anchors is None:
            raise TruthError(
                f"{self.name}: multi-start runs need anchors; VOT datasets have them in anchor.value, for others "
                "use VotTruth.with_anchors"
            )
        forward, backward = np.flatnonzero(self.anchors > 0), np.flatnonzero(self.anchors < 0)
        return tuple([(int(at), False) for at in forward] + [(int(at), True) for at in backward])

    def run_frames(self, start: int, backward: bool) -> np.ndarray:
        """The frames of a run in the order it visits them."""
        return np.arange(start, -1, -1) if backward else np.arange(start, len(self))

    def with_anchors(self, spacing: int = 50) -> VotTruth:
        """The same with anchors about ``spacing`` frames apart, each at a frame with a target.

        As in VOT2020, an anchor's run goes to the farther end of the sequence.
        """
        anchors = np.zeros(len(self), dtype=np.int64)
        targets = np.flatnonzero(~self.empty)
        if len(targets) == 0:
            raise TruthError(f"{self.name}: no frame shows the target, so no run can start")
        for wanted in (*range(0, len(self) - 1, spacing), len(self) - 1):
            at = int(targets[np.abs(targets - wanted).argmin()])
            anchors[at] = 1 if 2 * at < len(self) else -1
        return VotTruth(self.name, self.regions, self.size, anchors)


def _is_empty(region: Region) -> bool:
    if isinstance(region, Rectangle):
        return not (region.width > 0 and region.height > 0)
    return isinstance(region, Code) or (isinstance(region, Mask) and not region.pixels.any())
