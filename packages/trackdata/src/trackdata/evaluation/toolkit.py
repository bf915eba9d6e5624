"""Our trackers in the experiments of the GOT-10k toolkit (``ExperimentGOT10k``, ``ExperimentOTB``, ...)::

    from got10k.experiments import ExperimentGOT10k
    from trackdata.evaluation.toolkit import ToolkitTracker

    experiment = ExperimentGOT10k("data/got10k", subset="val", result_dir="results", report_dir="reports")
    experiment.run(ToolkitTracker.registered("onestream", weights="model.safetensors"))
    experiment.report(["onestream"])

Needs ``pip install trackdata[got10k]``; importing this module imports the toolkit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from trackcore.images import read_image, to_rgb
from trackcore.tracker import Tracker, create_tracker

try:
    from got10k.trackers import Tracker as _ToolkitTracker
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"the GOT-10k toolkit cannot be imported ({missing}): pip install trackdata[got10k]"
    ) from missing


class ToolkitTracker(_ToolkitTracker):
    """One of our trackers as the toolkit wants them.

    Args:
        tracker: follows one target at a time; used for all sequences.
        name: what the toolkit's folders and reports call it.
        is_deterministic: whether equal input gives equal boxes; GOT-10k's experiment then runs it once instead of three
            times.
    """

    def __init__(self, tracker: Tracker, name: str, is_deterministic: bool = False) -> None:
        super().__init__(name, is_deterministic)
        self.tracker = tracker

    @classmethod
    def registered(cls, name: str, is_deterministic: bool = False, **options: Any) -> ToolkitTracker:
        """The tracker registered as ``name``, built with ``options``. Raises UnknownTrackerError."""
        return cls(create_tracker(name, **options), name, is_deterministic)

    def init(self, image: Any, box: np.ndarray) -> None:
        """Start on ``image`` (of Pillow, or RGB ``(H, W, 3)`` uint8) with the target at ``box``, x, y, w, h."""
        self.tracker.init(to_rgb(np.asarray(image)), np.asarray(box, dtype=np.float64))

    def update(self, image: Any) -> np.ndarray:
        """The box ``(4,)`` in the next image, x, y, w, h in pixels."""
        return np.asarray(self.tracker.update(to_rgb(np.asarray(image))).box, dtype=np.float64)

    def track(
        self, img_files: Sequence[str], box: np.ndarray, visualize: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes ``(N, 4)`` and seconds ``(N,)`` over a sequence of image files.

        Frames are read as everywhere in this package, not with Pillow, whose decoder of JPEG gives slightly other
        pixels: results are those of :func:`trackdata.evaluation.run`.
        """
        boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        for index, file in enumerate(img_files):
            frame = read_image(file)
            start = time.perf_counter()
            if index == 0:
                self.init(frame, box)
                boxes[0] = box
            else:
                boxes[index] = self.update(frame)
            times[index] = time.perf_counter() - start
            if visualize:
                self._show(frame, boxes[index])
        return boxes, times

    @staticmethod
    def _show(frame: np.ndarray, box: np.ndarray) -> None:
        from got10k.utils.viz import show_frame

        show_frame(frame, box)
