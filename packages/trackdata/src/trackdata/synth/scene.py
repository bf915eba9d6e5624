"""A scene: everything a generated sequence shows, as explicit parameters.

Image coordinates are continuous pixels (the first pixel spans 0 to 1), time is in frames. A scene holds no pixels:
annotations need only its geometry, and frames are rendered from it in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.shapes import ShapeSpec
from trackdata.synth.textures import TextureSpec


@dataclass(frozen=True)
class Appearance:
    """Shape and skin of an object.

    Attributes:
        shape: the silhouette.
        textures: skins of the body and of those limbs that do not share it.
        shade_angle: direction in shape coordinates from which light falls on the object, in radians.
        shade: how much darker the far side is, 0 to 1.
        rim: how much darker the skin is towards the silhouette, 0 to 1.
    """

    shape: ShapeSpec
    textures: tuple[TextureSpec, TextureSpec]
    shade_angle: float
    shade: float
    rim: float


@dataclass(frozen=True)
class Pose:
    """Where an object is: ``matrix`` ``(2, 2)`` maps shape coordinates to pixels around ``center`` ``(2,)``."""

    matrix: np.ndarray
    center: np.ndarray


@dataclass(frozen=True)
class Camera:
    """The view of the background at a time: pan, zoom and roll, plus a shake that moves everything in the image.

    Attributes:
        x, y: the point of the background in the middle of the view, in pixels from the canvas centre.
        zoom: logarithm of the magnification.
        roll: radians.
        shake_x, shake_y: pixels added to every image position.
    """

    x: Curve = STILL
    y: Curve = STILL
    zoom: Curve = STILL
    roll: Curve = STILL
    shake_x: Curve = STILL
    shake_y: Curve = STILL

    def matrix(self, time: float) -> np.ndarray:
        """``(2, 2)``: background directions to image directions."""
        return rotation(float(self.roll.at(time))) * np.exp(self.zoom.at(time))

    def offset(self, time: float) -> np.ndarray:
        """``(2,)``: the background point in the middle of the view."""
        return np.array([self.x.at(time), self.y.at(time)])

    def shake(self, time: float) -> np.ndarray:
        """``(2,)`` pixels."""
        return np.array([self.shake_x.at(time), self.shake_y.at(time)])


@dataclass(frozen=True)
class Actor:
    """An object and how it moves.

    Attributes:
        appearance: what it looks like.
        x, y: its centre in pixels: of the image when free, from the background canvas's centre when ``anchored``.
        scale: logarithm of the pixels per shape unit, about half the box side.
        stretch: logarithm of the change of aspect.
        angle: radians.
        spin: shift of the skin inside the silhouette in shape units, as when a ball turns.
        anchored: stands in the background and moves with the camera.
    """

    appearance: Appearance
    x: Curve
    y: Curve
    scale: Curve
    stretch: Curve = STILL
    angle: Curve = STILL
    spin: Curve = STILL
    anchored: bool = False

    def pose(self, time: float, camera: Camera, middle: np.ndarray) -> Pose:
        """The pose in the image whose centre is ``middle``, seen by ``camera``."""
        stretch = np.exp(self.stretch.at(time) / 2)
        matrix = rotation(float(self.angle.at(time))) * np.exp(self.scale.at(time)) @ np.diag([stretch, 1 / stretch])
        center = np.array([self.x.at(time), self.y.at(time)])
        if self.anchored:
            view = camera.matrix(time)
            matrix, center = view @ matrix, view @ (center - camera.offset(time)) + middle
        return Pose(matrix, center + camera.shake(time))


@dataclass(frozen=True)
class Background:
    """A canvas painted with large areas and standing objects.

    Attributes:
        size: width and height of the canvas in pixels.
        textures: of the areas, the first one everywhere underneath.
        layout: how the others are laid over it: "patches", "horizon" or "panels".
        clutter: standing objects, all anchored, in the order they are painted.
        seed: of the layout.
    """

    size: tuple[int, int]
    textures: tuple[TextureSpec, ...]
    layout: str
    clutter: tuple[Actor, ...]
    seed: int


@dataclass(frozen=True)
class Light:
    """Illumination of the image.

    Attributes:
        gain: logarithm of the brightness.
        tint: logarithms of the relative brightness of red and blue.
        slope: how much brighter one side is than the middle.
        direction: of the slope, in radians.
        shadow: darkness of a shadow's side, 0 is none.
        shadow_edge: distance of the shadow's edge from the image centre, in units of the shorter side.
        shadow_direction: in radians.
        contrast: factor of the deviation from middle grey.
    """

    gain: Curve = STILL
    tint: tuple[float, float] = (0.0, 0.0)
    slope: Curve = STILL
    direction: Curve = STILL
    shadow: float = 0.0
    shadow_edge: Curve = STILL
    shadow_direction: float = 0.0
    contrast: float = 1.0


@dataclass(frozen=True)
class Lens:
    """How the camera records.

    Attributes:
        shutter: exposure as a share of the frame interval, which sets the length of motion blur.
        defocus: standard deviation of the blur in pixels over time; below zero is sharp.
        noise: standard deviation of the sensor noise in grey levels.
        quality: of the JPEG, 1 to 100.
    """

    shutter: float = 0.0
    defocus: Curve = STILL
    noise: float = 0.0
    quality: int = 95


@dataclass(frozen=True)
class Scene:
    """A whole sequence.

    Attributes:
        below, above: what is drawn before and after the target, each in order.
        companions: positions in ``cast`` of further annotated objects.
    """

    size: tuple[int, int]
    frames: int
    background: Background
    below: tuple[Actor, ...]
    target: Actor
    above: tuple[Actor, ...]
    camera: Camera
    light: Light
    lens: Lens
    seed: int
    companions: tuple[int, ...] = ()

    @property
    def cast(self) -> tuple[Actor, ...]:
        """Everything that moves, in the order it is drawn."""
        return (*self.below, self.target, *self.above)

    @property
    def annotated(self) -> tuple[int, ...]:
        """Positions in ``cast`` of the annotated objects, the target first."""
        return (len(self.below), *self.companions)

    @property
    def classes(self) -> tuple[str, ...]:
        """What the annotated objects are."""
        return ("synthetic",) * len(self.annotated)

    @property
    def middle(self) -> np.ndarray:
        """``(2,)`` centre of the image in pixels."""
        return np.array(self.size, np.float64) / 2

    def pose(self, actor: Actor, time: float) -> Pose:
        """Where ``actor`` is in the image at ``time``."""
        return actor.pose(time, self.camera, self.middle)


def rotation(angle: float) -> np.ndarray:
    """``(2, 2)`` rotation by ``angle`` radians from x towards y (clockwise on the screen)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])
