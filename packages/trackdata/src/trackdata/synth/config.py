"""What kind of video to generate."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

Range = tuple[float, float]
Count = tuple[int, int]


@dataclass(frozen=True)
class WorldConfig:
    """What a solid world shows beside what :class:`SynthConfig` says. Shares are of sequences, from 0 to 1.

    Raises:
        ValueError: a share outside its range; the message names the field.
    """

    places: tuple[str, ...] = (
        "meadow", "meadow", "street", "street", "room", "room", "table", "table",
        "aerial", "sky", "sea", "underwater", "close",
    )  # fmt: skip
    """Kinds of places, drawn with equal chances; see ``trackdata.synth.world.places``."""
    sorts: tuple[str, ...] = ()
    """Sorts of targets, where the place has them; empty for all."""
    growth: float = 0.25
    """Share whose target gets four times larger or smaller, or more."""
    rush: float = 0.12
    """Share whose target moves up to its own size from frame to frame, or more."""
    hiding: float = 0.15
    """Share whose target gets hidden by something larger."""
    night: float = 0.1
    """Share of outdoor sequences at night."""
    grey: float = 0.05
    """Share without colours."""
    bars: float = 0.06
    """Share with black bars at the sides."""
    reduced: float = 0.12
    """Share recorded at a lower resolution and enlarged."""
    compressed: float = 0.25
    """Share with the marks of video compression."""
    printed: float = 0.08
    """Share with a logo or caption on top."""
    banded: float = 0.06
    """Share with the bands of a rolling shutter under flickering lamps."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float | int) and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is a share from 0 to 1, got {value}")
        if not self.places:
            raise ValueError("places must name one or more kinds of places")


@dataclass(frozen=True)
class SynthConfig:
    """Ranges from which every sequence draws its scene. Sizes are relative to the frame's shorter side.

    Raises:
        ValueError: a value outside its range; the message names the field.
    """

    size: tuple[int, int] = (320, 240)
    """Width and height of the frames in pixels, at least 32."""
    frames: int = 60
    """Frames of a sequence."""
    target_size: Range = (0.12, 0.45)
    """Geometric mean of the target's width and height."""
    distractors: Count = (1, 4)
    """Moving objects of the target's sort, fewest and most."""
    bystanders: Count = (0, 2)
    """Moving objects of another sort."""
    occluders: Count = (0, 2)
    """Objects that pass in front of the target."""
    clutter: Count = (15, 60)
    """Objects standing in the background; some are of the target's sort."""
    similarity: Range = (0.1, 1.0)
    """How far distractors differ from the target: 0 differs only in the random details of texture, 1 clearly."""
    speed: Range = (0.03, 0.2)
    """The target's top speed in the image, in target sizes per frame."""
    camera: float = 1.0
    """Strength of camera motion; 0 is a tripod."""
    deformation: float = 1.0
    """Strength of non-rigid deformation; 0 is rigid."""
    rotation: float = 1.0
    """Strength of in-plane rotation and change of aspect."""
    light: float = 1.0
    """Strength of light changes and shadows."""
    blur: float = 1.0
    """Strength of motion blur and defocus."""
    noise: float = 1.0
    """Strength of sensor noise and JPEG compression."""
    camouflage: float = 0.25
    """Share of sequences whose target is painted with the background's colours."""
    leaving: float = 0.2
    """Share of sequences whose target may stick out of the image."""
    vanishing: float = 0.04
    """Share of sequences whose target may leave the image altogether."""
    objects: Count = (1, 1)
    """Annotated objects, fewest and most; the target is the first of them."""
    world: WorldConfig | None = None
    """What a world of solid objects shows; None draws flat shapes on a canvas."""

    def __post_init__(self) -> None:
        width, height = self.size
        if min(width, height) < 32:
            raise ValueError(f"size must be at least 32 x 32 pixels, got {width} x {height}")
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1, got {self.frames}")
        for name in (
            "target_size",
            "distractors",
            "bystanders",
            "occluders",
            "clutter",
            "similarity",
            "speed",
            "objects",
        ):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be a range with 0 <= low <= high, got ({low}, {high})")
        if not 0.03 <= self.target_size[0] <= self.target_size[1] <= 0.6:
            raise ValueError(f"target_size must lie in 0.03 to 0.6 of the shorter side, got {self.target_size}")
        if not 1 <= self.objects[0] <= self.objects[1] <= 255:
            raise ValueError(f"objects must be a range within 1 to 255, got {self.objects}")
        if self.speed[0] <= 0:
            raise ValueError(f"speed must be above 0 target sizes per frame, got {self.speed}")
        for name in ("camera", "deformation", "rotation", "light", "blur", "noise"):
            if not 0 <= getattr(self, name) <= 3:
                raise ValueError(f"{name} is a strength from 0 (off) to 3, got {getattr(self, name)}")
        for name in ("camouflage", "leaving", "vanishing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, got {getattr(self, name)}")


PRESETS: dict[str, SynthConfig] = {
    "easy": SynthConfig(
        distractors=(0, 2),
        bystanders=(0, 1),
        occluders=(0, 0),
        clutter=(5, 25),
        similarity=(0.6, 1.0),
        speed=(0.02, 0.12),
        camera=0.5,
        deformation=0.4,
        rotation=0.4,
        light=0.4,
        blur=0.4,
        noise=0.5,
        camouflage=0.0,
        leaving=0.0,
        vanishing=0.0,
    ),
    "standard": SynthConfig(),
    "hard": SynthConfig(
        distractors=(3, 7),
        bystanders=(1, 3),
        occluders=(1, 3),
        clutter=(40, 90),
        similarity=(0.0, 0.6),
        speed=(0.06, 0.3),
        camera=1.6,
        light=1.6,
        blur=1.5,
        noise=1.5,
        camouflage=0.5,
        leaving=0.35,
        vanishing=0.1,
    ),
    "rich": SynthConfig(
        distractors=(0, 4),
        bystanders=(0, 2),
        clutter=(0, 48),
        leaving=0.25,
        vanishing=0.15,
        world=WorldConfig(),
    ),
}


def preset(name: str, **changes: object) -> SynthConfig:
    """The configuration called ``name`` (easy, standard, hard or rich) with ``changes`` made to its fields.

    Raises:
        ValueError: no such preset or field; the message names the nearest one.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}{_nearest(name, PRESETS)}; there are {', '.join(PRESETS)}")
    known = [field.name for field in fields(SynthConfig)]
    for key in changes:
        if key not in known:
            raise ValueError(f"SynthConfig has no field {key!r}{_nearest(key, known)}; it has {', '.join(known)}")
    return replace(PRESETS[name], **changes)  # type: ignore[arg-type]


# Fields that later versions added, and the values that stand for how it was before.
_ADDED = {"objects": (1, 1), "world": None}


def recorded(config: SynthConfig) -> dict[str, Any]:
    """``config`` as it is noted beside generated video.

    Fields that were added later are left out where they change nothing, so that video of earlier versions is still
    recognised as the same.
    """
    return {name: value for name, value in asdict(config).items() if name not in _ADDED or value != _ADDED[name]}


def _nearest(name: str, known: object) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)  # type: ignore[call-overload]
    return f", did you mean {close[0]!r}?" if close else ""
