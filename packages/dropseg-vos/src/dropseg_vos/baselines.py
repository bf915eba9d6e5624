"""What a segmenter is compared with: the first mask, copied or carried on by optical flow.

Both follow a video as :class:`~dropseg_vos.segmenter.Segmenter` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import cv2
import numpy as np

from dropseg_vos.first_mask import check_mask
from dropseg_vos.segmenter import prediction_of
from trackcore.tracker import Prediction, check_frame


class Follower(Protocol):
    """Anything that follows given masks through a video; see :class:`~dropseg_vos.segmenter.Segmenter`.

    Attributes:
        sequential: what is found in a frame depends on the frames before it, so that none may be left out.
    """

    sequential: bool

    @property
    def objects(self) -> tuple[int, ...]: ...

    def reset(self) -> None: ...

    def update(self, frame: np.ndarray, mask: np.ndarray | None = None) -> Prediction: ...

    def update_many(self, frames: Sequence[np.ndarray]) -> list[Prediction]: ...


class CopiedMask:
    """Objects stay where they were."""

    sequential = True

    def __init__(self) -> None:
        self.reset()

    @property
    def objects(self) -> tuple[int, ...]:
        """Numbers of the objects that were given, ascending."""
        return tuple(sorted(self._objects))

    def reset(self) -> None:
        """Forget all objects."""
        self._objects: set[int] = set()
        self._labels: np.ndarray | None = None
        self._frame: np.ndarray | None = None

    def update(self, frame: np.ndarray, mask: np.ndarray | None = None) -> Prediction:
        """What is told about the next frame, see :meth:`dropseg_vos.segmenter.Segmenter.update`; without scores.

        Raises:
            ValueError: the frame or the mask cannot be used.
            RuntimeError: no mask was given yet.
        """
        labels = None if self._labels is None else self._carry(check_frame(frame))
        if mask is not None:
            given = check_mask(mask, check_frame(frame).shape[:2])
            numbers = [int(number) for number in np.unique(given) if number]
            self._objects.update(numbers)
            # what is given again is nowhere else
            labels = (
                given if labels is None else np.where(given > 0, given, np.where(np.isin(labels, numbers), 0, labels))
            )
        if labels is None:
            raise RuntimeError("no object is followed: give a mask first")
        self._frame, self._labels = frame, labels
        return prediction_of(labels, self.objects)

    def update_many(self, frames: Sequence[np.ndarray]) -> list[Prediction]:
        """One frame after the other."""
        return [self.update(frame) for frame in frames]

    def _carry(self, frame: np.ndarray) -> np.ndarray:
        """The labels of the last frame in this one."""
        return self._labels


class FlowedMask(CopiedMask):
    """Objects move with the optical flow from frame to frame (OpenCV's DIS, medium)."""

    def __init__(self) -> None:
        super().__init__()
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def _carry(self, frame: np.ndarray) -> np.ndarray:
        now, before = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (frame, self._frame))
        flow = self._flow.calc(now, before, None)  # where in the last frame a pixel of this one was
        y, x = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
        return cv2.remap(self._labels, x + flow[:, :, 0], y + flow[:, :, 1], cv2.INTER_NEAREST)


BASELINES: dict[str, Callable[[], Follower]] = {"copy": CopiedMask, "flow": FlowedMask}
