"""Casting: drawing objects at random, alone or as relatives of another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trackdata.synth.config import SynthConfig
from trackdata.synth.curves import STILL, Curve, wave
from trackdata.synth.textures import Color
from trackdata.synth.world.bodies import extent
from trackdata.synth.world.materials import sample_material, vary_material
from trackdata.synth.world.paths import Path, Trail
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.sorts import SORTS
from trackdata.synth.world.traits import Traits

NOWHERE = Trail()


def cast(
    rng: np.random.Generator,
    sort: str,
    config: SynthConfig,
    path: Path = NOWHERE,
    colors: tuple[Color, ...] | None = None,
    still: bool = False,
) -> Performer:
    """An object of ``sort`` with random traits.

    Args:
        colors: of all its materials; by default each has its own.
        still: stand without a movement.
    """
    kin = int(rng.integers(2**31))
    kind = SORTS[sort]
    vigour = 0.0 if still else min(1.0, config.deformation) * rng.uniform(0.5, 1.0)
    body = kind.build(Traits(kin, int(rng.integers(2**31)), 0.0), vigour)
    materials = tuple(sample_material(rng, theme, colors) for theme in kind.themes)
    moves = "stands" if still else kind.moves
    return Performer(sort, kin, body, materials, path, moves, size=size_of(body), **_turns(rng, moves, config.rotation))


def relative(rng: np.random.Generator, model: Performer, config: SynthConfig, amount: float) -> Performer:
    """Another of the sort of ``model``: alike for ``amount`` 0, of the same breed but clearly another one for 1."""
    kind = SORTS[model.sort]
    vigour = min(1.0, config.deformation) * rng.uniform(0.5, 1.0)
    body = kind.build(Traits(model.kin, int(rng.integers(2**31)), 0.5 * amount), vigour)
    materials = tuple(vary_material(rng, material, amount) for material in model.materials)
    turns = _turns(rng, kind.moves, config.rotation)
    return replace(model, body=body, materials=materials, size=size_of(body), **turns)


def size_of(body: object) -> float:
    """Geometric mean of the body's mean width and height in metres."""
    return float(np.sqrt(np.prod(extent(body))))  # type: ignore[arg-type]


def _turns(rng: np.random.Generator, moves: str, strength: float) -> dict[str, Curve]:
    """Yaw, pitch and roll for a way of moving."""
    start = float(rng.uniform(0, 2 * np.pi))

    def spin(most: float) -> float:
        return strength * float(rng.uniform(0.1, 1.0) * most * rng.choice((-1, 1)))

    def sway(amount: float) -> Curve:
        return Curve(waves=(wave(rng, strength * rng.uniform(0, amount), (25, 120)),))

    if moves == "tumbles":
        return {
            "yaw": Curve(start, spin(0.08)),
            "pitch": replace(sway(0.9), base=float(rng.normal(0, 0.4))),
            "roll": sway(0.8),
        }
    if moves == "turns":
        return {"yaw": Curve(start, spin(0.05)), "pitch": STILL, "roll": sway(0.12)}
    if moves == "faces":
        return {"yaw": sway(0.8), "pitch": sway(0.35), "roll": sway(0.35)}
    if moves == "rolls":
        return {"yaw": Curve(start), "pitch": Curve(start, abs(spin(0.25))), "roll": STILL}
    if moves == "flies":
        return {"yaw": Curve(start), "pitch": STILL, "roll": sway(0.4)}
    return {"yaw": Curve(start), "pitch": STILL, "roll": STILL}
