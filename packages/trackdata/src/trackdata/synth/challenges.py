"""What makes a generated sequence hard, in the words of the benchmarks, worked out from its geometry.

The names and, where there are any, the thresholds are those of LaSOT (Fan et al., CVPR 2019, table 3): a motion is
fast when it is larger than the target's box, a box has changed when a ratio leaves [0.5, 2], a target is small below
1,000 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trackdata.synth.annotations import Track
from trackdata.synth.conditions import Conditions

_ROTATED, _ANOTHER_VIEW = np.radians(20), np.radians(30)
_BLURRED = 3.0  # pixels
_LIGHTER = 1.25  # factor of brightness
_SWAYING = 0.01  # of the image's diagonal, from frame to frame
_SMALL = 1000  # pixels of the box

# What benchmarks call the same, or what they put together.
ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "Occlusion": ("Partial Occlusion", "Full Occlusion"),
    "In-Plane Rotation": ("Rotation",),
    "Out-of-Plane Rotation": ("Viewpoint Change",),
    "Aspect Ratio Variation": ("Aspect Ratio Change",),
    "Fast Camera Motion": ("Camera Motion",),
    "Similar Object": ("Background Clutter",),
    "Similar Objects Around": ("Background Clutter",),
}


def challenge_frames(track: Track, conditions: Conditions, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """The challenges of a sequence of N frames: name to ``(N,)`` bool, where each holds.

    Args:
        track: of the target.
        conditions: of the target.
        size: width and height of the image in pixels.
    """
    width, height = track.boxes[:, 2], track.boxes[:, 3]
    whole = ~track.outside & ~track.cut  # only whole boxes tell the target's size and shape
    centers = track.boxes[:, :2] + track.boxes[:, 2:] / 2
    extent = np.sqrt(width * height)
    steps = np.zeros(len(width))
    steps[1:] = np.hypot(*np.diff(centers, axis=0).T)
    seen = ~track.outside
    moves = seen & np.concatenate([[False], seen[:-1]])
    turned = np.abs((conditions.roll - conditions.roll[0] + np.pi) % (2 * np.pi) - np.pi)
    apart = np.arccos(np.clip(conditions.view @ conditions.view[0], -1, 1))
    return {
        "Illumination Variation": _changed(conditions.light, _LIGHTER),
        "Partial Occlusion": seen & ~track.absent & (track.hidden > 0.1),
        "Full Occlusion": seen & track.absent,
        "Out-of-View": track.outside,
        "Deformation": np.full(len(seen), conditions.supple),
        "Motion Blur": conditions.blur > _BLURRED,
        "Camera Motion": conditions.drift > _SWAYING * np.hypot(*size),
        "Rotation": turned > _ROTATED,
        "Viewpoint Change": apart > _ANOTHER_VIEW,
        "Background Clutter": conditions.twins > 0,
        "Scale Variation": whole & _changed(width * height, 2.0, whole),
        "Aspect Ratio Change": whole & _changed(width / np.maximum(height, 1), 2.0, whole),
        "Low Resolution": whole & (width * height < _SMALL),
        "Fast Motion": moves & (steps > extent),
    }


def _changed(values: np.ndarray, factor: float, known: np.ndarray | None = None) -> np.ndarray:
    """Where ``values`` are more than ``factor`` times larger or smaller than at first; ``known`` says which count."""
    first = int(np.argmax(known)) if known is not None else 0
    ratio = np.maximum(values, 1e-9) / max(float(values[first]), 1e-9)
    return (ratio > factor) | (ratio < 1 / factor)


def named(frames: Mapping[str, np.ndarray], names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """A benchmark's challenges: abbreviation to ``(N,)`` bool.

    Args:
        frames: as :func:`challenge_frames` gives them.
        names: abbreviation to name in the benchmark's order; what is not known here never holds.
    """
    nowhere = np.zeros(len(next(iter(frames.values()))), bool)
    found = {}
    for short, name in names.items():
        parts = [frames[part] for part in ALSO_CALLED.get(name, (name,)) if part in frames]
        found[short] = np.logical_or.reduce([nowhere, *parts])
    return found
