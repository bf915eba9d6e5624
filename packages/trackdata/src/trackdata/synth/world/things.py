"""Things: balls, boxes, vessels, signs, toys, cloth. What stands has its origin below it, the rest in its middle."""

from __future__ import annotations

import numpy as np

from trackdata.synth.world.bodies import Body, Cloth, Quivering, Rigid
from trackdata.synth.world.meshes import Mesh, box, capsule, ellipsoid, join, lathe, moved, sheet, slab
from trackdata.synth.world.traits import Traits

BALL_THEMES = ("any",)


def ball(traits: Traits, vigour: float) -> Body:
    """A ball of 0.2 m about the origin."""
    radius = 0.1 * traits.uniform(0.8, 1.2)
    return Rigid(ellipsoid(radius, radius * traits.uniform(0.92, 1.08), radius, 14, 9, 0))


CRATE_THEMES = ("any", "print", "wood")


def crate(traits: Traits, vigour: float) -> Body:
    """A box, parcel or book, 0.2 to 0.4 m, about the origin."""
    sizes = tuple(0.3 * float(np.exp(traits.uniform(-0.6, 0.3))) for _ in range(3))
    if traits.chance(0.3):  # flat, like a book or a tablet
        sizes = (sizes[0], sizes[1], 0.12 * sizes[2])
    materials = (1, 0) if traits.chance(0.5) else (0, 1, 2, 2, 0, 1)
    return Rigid(box(sizes, materials))


VESSEL_THEMES = ("any", "print", "metal", "paint")


def vessel(traits: Traits, vigour: float) -> Body:
    """A bottle, can, cup, vase, lamp or cone, 0.15 to 0.5 m high, standing."""
    kind = traits.choice("can", "bottle", "cup", "vase", "cone", "turned", "turned")
    profile = {
        "can": [(0, 1), (0.9, 0.99), (1, 0.94), (1, 0.06), (0.9, 0), (0, 0)],
        "bottle": [(0, 1), (0.34, 1), (0.34, 0.88), (0.3, 0.7), (1, 0.5), (1, 0.03), (0.9, 0), (0, 0)],
        "cup": [(0, 0.9), (0.85, 0.9), (1, 1), (0.95, 0.5), (0.7, 0.0), (0, 0)],
        "vase": [(0, 0.97), (0.5, 0.98), (0.6, 1), (0.35, 0.8), (1, 0.45), (0.8, 0.15), (0.5, 0), (0, 0)],
        "cone": [(0, 1), (0.12, 0.99), (0.72, 0.06), (1, 0.05), (1, 0), (0, 0)],
    }.get(kind)
    if profile is None:
        heights = np.linspace(1, 0, 7)
        profile = [(0, 1), *((traits.uniform(0.25, 1), float(height)) for height in heights), (0, 0)]
    height = traits.uniform(0.15, 0.5)
    mesh = lathe(np.array(profile) * (height * traits.uniform(0.2, 0.5), height), 12, 0)
    rings = len(mesh.faces) // 12
    mesh.material[:] = np.repeat([1 if 0 < ring < rings - 2 and ring % 3 == 2 else 0 for ring in range(rings)], 12)
    parts = [mesh]
    if kind == "cup":
        parts.append(moved(box((0.15 * height, 0.5 * height, 0.06 * height), (0,)), (0.52 * height, 0.5 * height, 0)))
    return Rigid(join(*parts))


SIGN_THEMES = ("print", "metal", "paint")


def sign(traits: Traits, vigour: float) -> Body:
    """A board, poster or traffic sign of 0.4 to 1.2 m on a pole, or without one about the origin."""
    size = traits.uniform(0.4, 1.2)
    corners = traits.count(3, 9)
    if corners == 4 or corners > 8:
        wide = traits.uniform(0.6, 1.8)
        outline = np.array([(-wide, 1), (wide, 1), (wide, -1), (-wide, -1)]) * size / 2 / np.sqrt(wide)
    else:
        angle = np.pi / 2 - np.arange(corners) * (2 * np.pi / corners)
        outline = size / 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    board = moved(slab(outline, 0.04 * size, 0, 1), (0, 0, 0), np.diag([-1.0, 1.0, -1.0]))  # its front faces z
    if traits.chance(0.4):
        return Rigid(board)
    height = size * traits.uniform(0.8, 2.2)
    pole = moved(capsule(height + 0.4 * size, 0.035 * size, 0.035 * size, 6, 1), (0, height + 0.4 * size, -0.05 * size))
    return Rigid(join(pole, moved(board, (0, height, 0))))


TOY_THEMES = ("any", "paint", "any", "dark")


def toy(traits: Traits, vigour: float) -> Body:
    """Three to seven boxes, balls, cylinders and cones stuck together, 0.3 m, about the origin."""
    parts: list[Mesh] = []
    place = np.zeros(3)
    for number in range(traits.count(3, 7)):
        size = [0.07 * float(np.exp(traits.uniform(-0.7, 0.6))) for _ in range(3)]
        kind = traits.choice("box", "ball", "tube", "cone")
        material = number % 3
        if kind == "box":
            part = box(tuple(1.7 * side for side in size), (material,))
        elif kind == "ball":
            part = ellipsoid(*size, 9, 6, material)
        else:
            top = 0.1 if kind == "cone" else 1.0
            profile = np.array([(0, 1), (top, 1), (1, -1), (0, -1)])
            part = lathe(profile * (size[0], size[1]), 8, material)
        parts.append(moved(part, tuple(place)))
        direction = np.array([traits.uniform(-1, 1) for _ in range(3)])
        place = np.clip(place + 0.11 * direction / max(np.linalg.norm(direction), 0.3), -0.16, 0.16)
    if traits.chance(0.5):  # a mirror image makes creatures of it
        parts += [
            moved(part, (0, 0, 0), np.diag([-1.0, 1.0, 1.0])) for part in parts if abs(part.points[:, 0].mean()) > 0.02
        ]
    return Rigid(join(*parts))


FLAG_THEMES = ("any", "metal")


def flag(traits: Traits, vigour: float) -> Body:
    """A flag on a pole or a towel on a line, 0.6 to 1.5 m, rippling. The origin is at the foot of the pole."""
    size = traits.uniform(0.6, 1.5)
    wide, high = 0.5 * size, 0.5 * size * traits.uniform(0.6, 1.1)
    ripples = _ripples(traits, max(0.3, vigour))
    pole = capsule(2.4 * high + size, 0.02 * size, 0.02 * size, 5, 1)
    cloth = Cloth(sheet(5, 8, 0), ripples, edge=0, size=(wide, high), center=(wide, size + 1.4 * high, 0))
    return _OnPole(cloth, moved(pole, (0, 2.4 * high + size, 0)))


class _OnPole:
    """A cloth with a stiff part beside it."""

    supple = True

    def __init__(self, cloth: Cloth, pole: Mesh) -> None:
        self.cloth, self.pole = cloth, pole
        self.mesh = join(cloth.mesh, pole)

    def points(self, time: float) -> np.ndarray:
        return np.concatenate([self.cloth.points(time), self.pole.points])


CLOTH_THEMES = ("cloth",)


def towel(traits: Traits, vigour: float) -> Body:
    """A cloth, kite or sheet of paper in the air, 0.3 to 0.8 m, about the origin."""
    size = traits.uniform(0.15, 0.4)
    shape = (size, size * traits.uniform(0.6, 1.4))
    return Cloth(sheet(7, 7, 0), _ripples(traits, max(0.4, vigour)), edge=1, size=shape)


def _ripples(traits: Traits, strength: float) -> tuple[tuple[float, float, float, float, float], ...]:
    return tuple(
        (
            strength * traits.uniform(0.1, 0.35),
            traits.uniform(0.2, 0.8),
            traits.uniform(-0.4, 0.5),
            traits.period(10, 35),
            traits.phase(),
        )
        for _ in range(3)
    )


BALLOON_THEMES = ("paint", "cloth", "any")


def balloon(traits: Traits, vigour: float) -> Body:
    """A balloon of 0.4 m that gives way to the wind, about the origin."""
    profile = np.array(
        [(0, 1), (0.5, 0.9), (0.9, 0.55), (1, 0.1), (0.8, -0.5), (0.4, -0.95), (0.08, -1.15), (0.14, -1.25)]
    )
    bag = lathe(profile * 0.2, 12, 0)
    string = moved(capsule(0.35, 0.006, 0.006, 4, 1), (0, -0.22, 0))
    wave = (
        0.04 * max(0.3, vigour),
        tuple(traits.uniform(-12, 12) for _ in range(3)),
        traits.period(15, 50),
        traits.phase(),
    )
    return Quivering(join(bag, string), (wave,))


CUTOUT_THEMES = ("any", "print")


def cutout(traits: Traits, vigour: float) -> Body:
    """A flat creature whose outline wobbles: leaves, stars, amoebas; 0.3 m, about the origin."""
    count = 40
    angle = np.pi / 2 - np.arange(count) * (2 * np.pi / count)
    radius = np.ones(count)
    lobes = traits.count(2, 7)
    radius += traits.uniform(0.0, 0.4) * np.cos(lobes * angle + traits.uniform(0, 6))
    for order in (2, 3, 5):
        radius += traits.uniform(-0.25, 0.25) * np.sin(order * angle + traits.uniform(0, 6))
    radius = 0.15 * np.clip(radius, 0.35, 1.8)
    outline = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    waves = tuple(
        (
            max(0.2, vigour) * traits.uniform(0.05, 0.16),
            (traits.uniform(-14, 14), traits.uniform(-14, 14), 0.0),
            traits.period(14, 50),
            traits.phase(),
        )
        for _ in range(3)
    )
    return Quivering(
        moved(slab(outline, 0.02, 0, 1), (0, 0, 0), np.diag([-1.0, 1.0, -1.0])),
        waves,
        traits.sway(0, 0.25 * vigour, (20, 60)),
    )
