"""What can be filmed: scenes of flat shapes and worlds of solid objects, behind the same few functions."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from trackdata.synth import render, silhouettes
from trackdata.synth.annotations import ObjectMasks
from trackdata.synth.conditions import Conditions, scene_conditions, world_conditions
from trackdata.synth.config import SynthConfig
from trackdata.synth.sampling import sample_scene
from trackdata.synth.scene import Scene
from trackdata.synth.world import filming, worlds
from trackdata.synth.world.directing import sample_world
from trackdata.synth.world.worlds import World

Stage = Scene | World


class Renderer(Protocol):
    """Renders the frames of a stage, in any order."""

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``. Raises IndexError."""


def sample_stage(rng: np.random.Generator, config: SynthConfig) -> Stage:
    """A scene or a world, as ``config`` asks for."""
    return sample_scene(rng, config) if config.world is None else sample_world(rng, config, config.world)


def open_renderer(stage: Stage) -> Renderer:
    """What renders ``stage``; it paints textures at once and keeps them."""
    return render.Renderer(stage) if isinstance(stage, Scene) else filming.Renderer(stage)


def object_masks(stage: Stage, time: float) -> tuple[ObjectMasks, ...]:
    """The pixels of the annotated objects of ``stage`` at ``time``, the target first."""
    return silhouettes.object_masks(stage, time) if isinstance(stage, Scene) else worlds.object_masks(stage, time)


def conditions(stage: Stage) -> Conditions:
    """What else is true of the target of ``stage`` in every frame."""
    return scene_conditions(stage) if isinstance(stage, Scene) else world_conditions(stage)


def jpeg_quality(stage: Stage) -> int:
    """Quality of the JPEG images that frames of ``stage`` are stored as, 1 to 100."""
    return stage.lens.quality if isinstance(stage, Scene) else stage.film.quality
