"""What stands about: trees, rocks, houses, furniture. Everything stands with its origin on the ground."""

from __future__ import annotations

import numpy as np

from trackdata.synth.world.bodies import Body, Rigid
from trackdata.synth.world.meshes import Mesh, box, capsule, ellipsoid, join, lathe, mesh, moved, slab
from trackdata.synth.world.traits import Traits

TREE_THEMES = ("bark", "leaves", "leaves")


def _ragged(traits: Traits, part: Mesh, amount: float) -> Mesh:
    """``part`` with dents that depend on the place alone, so that points that coincide stay together."""
    points = part.points.astype(np.float64)
    size = np.abs(points).max()
    factor = np.ones(len(points))
    for _ in range(4):
        numbers = np.array([traits.uniform(-7, 7) for _ in range(3)]) / size
        factor += amount / 2 * np.sin(points @ numbers + traits.uniform(0, 6))
    return moved(mesh(points * factor[:, None], part.faces, part.uv, part.material), (0, 0, 0))


def tree(traits: Traits, vigour: float) -> Body:
    """A broad-leaved tree, fir or bush, 1 to 8 m."""
    kind = traits.choice("broad", "broad", "fir", "bush")
    height = traits.uniform(3, 8)
    if kind == "bush":
        height = traits.uniform(0.6, 1.6)
        lumps = [
            moved(_ragged(traits, ellipsoid(0.5 * height, 0.5 * height, 0.5 * height, 9, 6, 1), 0.25), place)
            for place in ((0, 0.4 * height, 0), (0.45 * height, 0.3 * height, 0.1 * height))
        ]
        return Rigid(join(*lumps))
    parts = [moved(capsule(0.55 * height, 0.035 * height, 0.05 * height, 7, 0), (0, 0.55 * height, 0))]
    if kind == "fir":
        for layer in range(3):
            cone = np.array([(0, 0.32), (0.26 - 0.055 * layer, 0.0), (0.0, 0.03)]) * height
            parts.append(moved(_ragged(traits, lathe(cone, 9, 1), 0.1), (0, (0.22 + 0.24 * layer) * height, 0)))
    else:
        for number in range(traits.count(1, 4)):
            size = height * traits.uniform(0.18, 0.3)
            crown = _ragged(traits, ellipsoid(size, 0.85 * size, size, 10, 7, 1 + number % 2), 0.3)
            offset = (
                traits.uniform(-0.2, 0.2) * height,
                traits.uniform(0.6, 0.8) * height,
                traits.uniform(-0.2, 0.2) * height,
            )
            parts.append(moved(crown, offset))
    return Rigid(join(*parts))


ROCK_THEMES = ("stone", "soil")


def rock(traits: Traits, vigour: float) -> Body:
    """A boulder, 0.4 to 1.6 m."""
    size = traits.uniform(0.2, 0.8)
    lump = ellipsoid(size * traits.uniform(0.8, 1.6), size * traits.uniform(0.5, 1.0), size, 9, 6, 0)
    return Rigid(moved(_ragged(traits, lump, 0.35), (0, 0.35 * size, 0)))


HOUSE_THEMES = ("facade", "facade", "wall", "stone")


def house(traits: Traits, vigour: float) -> Body:
    """A house or a block, 4 to 20 m high."""
    wide, deep, high = traits.uniform(5, 14), traits.uniform(5, 12), traits.uniform(4, 20)
    parts = [moved(box((wide, high, deep), (0, 0, 1, 1, 2, 2)), (0, high / 2, 0))]
    if high < 9:
        parts.append(
            moved(
                box((1.08 * wide, 0.35 * wide, 1.08 * deep), (3, 3, 3, 3, 3, 3), (0.05, 0.9)),
                (0, high + 0.17 * wide, 0),
            )
        )
    else:
        parts.append(moved(box((0.3 * wide, 0.15 * high, 0.3 * deep), (2,)), (0.2 * wide, 1.07 * high, 0)))
    return Rigid(join(*parts))


POLE_THEMES = ("metal", "rust", "wood")


def pole(traits: Traits, vigour: float) -> Body:
    """A post, street lamp or column, 1 to 5 m."""
    height, radius = traits.uniform(1, 5), traits.uniform(0.04, 0.2)
    parts = [moved(capsule(height, radius, 1.2 * radius, 8, 0), (0, height, 0))]
    if traits.chance(0.4):
        parts.append(moved(box((1.2, 0.1, 0.15), (0, 1)), (0.5, height, 0)))
        parts.append(moved(ellipsoid(0.2, 0.12, 0.2, 7, 4, 1), (1.0, height - 0.1, 0)))
    return Rigid(join(*parts))


FENCE_THEMES = ("wood", "wall", "metal", "leaves")


def fence(traits: Traits, vigour: float) -> Body:
    """A fence with gaps, a hedge or a low wall, 3 to 6 m long."""
    length, height = traits.uniform(3, 6), traits.uniform(0.6, 1.6)
    kind = traits.choice("slats", "slats", "wall", "hedge")
    if kind == "slats":
        count = traits.count(6, 12)
        share = traits.uniform(0.25, 0.65)
        slats = [
            moved(
                box((share * length / count, height, 0.04), (0,)), (length * ((n + 0.5) / count - 0.5), height / 2, 0)
            )
            for n in range(count)
        ]
        rails = [moved(box((length, 0.08, 0.03), (0,)), (0, level * height, 0.03)) for level in (0.25, 0.8)]
        return Rigid(join(*rails, *slats))
    material, depth = (1, 0.25) if kind == "wall" else (3, 0.6)
    return Rigid(moved(box((length, height, depth), (material,)), (0, height / 2, 0)))


FURNITURE_THEMES = ("wood", "cloth", "any", "metal", "leaves")


def furniture(traits: Traits, vigour: float) -> Body:
    """A table, chair, shelf, sofa, lamp or potted plant, 0.5 to 2 m."""
    kind = traits.choice("table", "chair", "shelf", "sofa", "lamp", "plant", "cabinet")
    if kind in ("table", "chair"):
        wide, high = (traits.uniform(0.8, 1.6), 0.74) if kind == "table" else (0.45, 0.45)
        deep = 0.8 if kind == "table" else 0.45
        parts = [moved(box((wide, 0.05, deep), (0,)), (0, high, 0))]
        for x in (-0.45, 0.45):
            parts += [moved(box((0.05, high, 0.05), (0,)), (x * wide, high / 2, z * deep)) for z in (-0.45, 0.45)]
        if kind == "chair":
            parts.append(moved(box((wide, 0.5, 0.04), (0, 1)), (0, 0.7, -0.2)))
        return Rigid(join(*parts))
    if kind == "shelf":
        wide, high = traits.uniform(0.8, 1.4), traits.uniform(1.2, 2.0)
        parts = [moved(box((wide, 0.03, 0.3), (0,)), (0, level * high, 0)) for level in (0.02, 0.35, 0.68, 1.0)]
        parts.append(moved(box((wide, high, 0.02), (0,)), (0, high / 2, 0.15)))
        for number in range(9):
            size = traits.uniform(0.1, 0.26)
            place = ((number % 3 - 1) * 0.3 * wide, (0.04 + 0.33 * (number // 3)) * high + size / 2, 0)
            parts.append(moved(box((traits.uniform(0.08, 0.3), size, 0.2), (2, 1)), place))
        return Rigid(join(*parts))
    if kind == "sofa":
        wide = traits.uniform(1.2, 2.2)
        parts = [moved(box((wide, 0.42, 0.8), (1,)), (0, 0.21, 0)), moved(box((wide, 0.5, 0.2), (1,)), (0, 0.6, 0.35))]
        parts += [moved(box((0.18, 0.6, 0.8), (1,)), (side * wide / 2, 0.3, 0)) for side in (-1, 1)]
        parts.append(moved(box((0.4, 0.35, 0.12), (2,)), (0.2 * wide, 0.58, 0.2)))
        return Rigid(join(*parts))
    if kind == "lamp":
        shade = lathe(np.array([(0.12, 0.3), (0.24, 0.0), (0.0, 0.02)]), 9, 1)
        return Rigid(join(moved(capsule(1.4, 0.02, 0.03, 6, 3), (0, 1.4, 0)), moved(shade, (0, 1.35, 0))))
    if kind == "plant":
        pot = moved(lathe(np.array([(0, 0.35), (0.2, 0.35), (0.14, 0), (0, 0)]), 9, 2), (0, 0, 0))
        crown = moved(_ragged(traits, ellipsoid(0.35, 0.5, 0.35, 9, 6, 4), 0.35), (0, 0.85, 0))
        return Rigid(join(pot, crown))
    wide, high = traits.uniform(0.6, 1.4), traits.uniform(0.7, 1.9)
    return Rigid(moved(box((wide, high, 0.5), (0, 1)), (0, high / 2, 0)))


PICTURE_THEMES = ("print", "wood")


def picture(traits: Traits, vigour: float) -> Body:
    """A picture, window or screen at eye level, 0.6 to 1.5 m wide; its front faces z."""
    wide, high = traits.uniform(0.3, 0.75), traits.uniform(0.25, 0.6)
    outline = np.array([(-wide, high), (wide, high), (wide, -high), (-wide, -high)])
    return Rigid(moved(slab(outline, 0.05, 0, 1), (0, 1.5, 0), np.diag([-1.0, 1.0, -1.0])))
