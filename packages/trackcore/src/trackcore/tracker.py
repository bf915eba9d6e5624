"""What a tracker is, and where trackers are found by name.

A tracker is any object with ``init(frame, box)`` and ``update(frame) -> Prediction``. Frames are RGB ``uint8``
arrays of shape ``(H, W, 3)``; boxes are ``(x, y, w, h)`` in pixels, top-left corner plus size, continuous coordinates.
Nothing here imports torch, so that listing trackers stays cheap.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

GROUP = "trackcore.trackers"


@dataclass(frozen=True)
class Prediction:
    """What a tracker says about one frame.

    Attributes:
        box: ``(4,)`` float64, x, y, w, h in pixels of the frame.
        score: the tracker's confidence in [0, 1], or None when it has none.
        mask: ``(H, W)`` bool, the target's pixels, or None.
        lost: whether the tracker takes the target for lost, or None when it does not judge.
        extras: anything else a tracker wants to show (score maps, kept tokens), by name.
    """

    box: np.ndarray
    score: float | None = None
    mask: np.ndarray | None = None
    lost: bool | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Tracker(Protocol):
    """The protocol every tracker follows. ``set_box(box)`` is optional: trackers that accept corrections define it."""

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on ``frame`` with the target at ``box``; forgets any earlier target."""

    def update(self, frame: np.ndarray) -> Prediction:
        """Locate the target in the next frame."""


@runtime_checkable
class MultiTracker(Protocol):
    """A tracker of several targets at once; predictions come in the order of the boxes."""

    def init(self, frame: np.ndarray, boxes: Sequence[np.ndarray]) -> None:
        """Start on ``frame`` with a target at each box; forgets any earlier ones."""

    def update(self, frame: np.ndarray) -> list[Prediction]:
        """Locate the targets in the next frame."""


class UnknownTrackerError(ValueError):
    """No installed package registers a tracker under this name."""


def check_frame(frame: np.ndarray) -> np.ndarray:
    """Return ``frame`` when it is an RGB uint8 image ``(H, W, 3)``.

    Raises:
        ValueError: it is something else; the message says how to convert it.
    """
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        kind = f"{frame.dtype} array of shape {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ValueError(
            f"a frame must be an RGB uint8 array of shape (H, W, 3), got {kind}; "
            "trackcore.video.to_rgb converts grey, 16-bit and RGBA images"
        )
    if min(frame.shape[:2]) == 0:
        raise ValueError(f"a frame must have at least one pixel, got shape {frame.shape}")
    return frame


def check_box(box: Any, frame_size: tuple[int, int]) -> np.ndarray:
    """Return an initial box as ``(4,)`` float64 when a tracker can start from it.

    Args:
        box: x, y, w, h in pixels.
        frame_size: (height, width) of the frame the box lies in.

    Raises:
        ValueError: wrong length, NaN or infinity, no area, or entirely outside the frame.
    """
    values = np.asarray(box, dtype=np.float64).reshape(-1)
    if values.shape != (4,):
        raise ValueError(f"a box has four numbers x, y, w, h; got {values.size}: {values.tolist()}")
    if not np.isfinite(values).all():
        raise ValueError(f"the box {values.tolist()} holds NaN or infinity; give x, y, w, h in pixels")
    x, y, w, h = values
    if w <= 0 or h <= 0:
        raise ValueError(f"the box {values.tolist()} has no area; width and height must be positive")
    height, width = frame_size
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise ValueError(f"the box {values.tolist()} lies outside the frame of {width} x {height} pixels")
    return values


def check_correction(box: Any) -> np.ndarray:
    """Return a copy of a corrected box as ``(4,)`` float64 when a tracker can go on from it, be it outside the frame.

    Args:
        box: x, y, w, h in pixels.

    Raises:
        ValueError: wrong length, NaN or infinity, or no area.
    """
    values = np.array(box, dtype=np.float64).reshape(-1)
    if values.shape != (4,) or not np.isfinite(values).all() or min(values[2:]) <= 0:
        raise ValueError(f"a corrected box needs finite x, y, w, h with positive sides, got {values.tolist()}")
    return values


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def list_trackers() -> list[str]:
    """Names of all trackers that installed packages register, sorted."""
    return sorted(_found())


def create_tracker(name: str, **options: Any) -> Tracker:
    """Build the tracker registered as ``name`` (entry-point group ``trackcore.trackers``).

    Args:
        name: one of :func:`list_trackers`.
        options: passed to the tracker's factory.

    Raises:
        UnknownTrackerError: no such name; the message has the nearest and all known ones.
    """
    found = _found()
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(sorted(found)) or "none"
        raise UnknownTrackerError(f"no tracker is registered as {name!r}{hint} (known: {known})")
    return found[name].load()(**options)
