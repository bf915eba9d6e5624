"""Surfaces made of four-cornered faces, and the primitives that bodies are put together from.

A face lists its corners so that they run clockwise when seen from outside, in a frame with y up and z away from the
viewer. A triangle repeats its last corner. Faces carry texture coordinates in [0, 1] and the number of the material
that covers them; points carry the number of the bone that moves them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface at rest.

    Attributes:
        points: ``(V, 3)`` float32.
        faces: ``(F, 4)`` int32 indices of points.
        uv: ``(F, 4, 2)`` float32 texture coordinates of the faces' corners.
        material: ``(F,)`` int32.
        bone: ``(V,)`` int32.
        bias: ``(F,)`` float32, metres by which faces count as nearer when they are drawn over one another: features
            lie on top of what they grow out of, and the round ends of limbs below the limb that follows.
        open: both sides of the faces can be seen.
    """

    points: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    material: np.ndarray
    bone: np.ndarray
    bias: np.ndarray
    open: bool = False

    @cached_property
    def resting(self) -> np.ndarray:
        """``(V, 3)`` normals at rest."""
        return normals(self, self.points)

    @cached_property
    def neighbours(self) -> np.ndarray:
        """``(V, K)`` faces that meet in each point; F where there are fewer than K."""
        owner, face = self.faces.ravel(), np.repeat(np.arange(len(self.faces)), 4)
        order = np.argsort(owner, kind="stable")
        owner, face = owner[order], face[order]
        counts = np.bincount(owner, minlength=len(self.points))
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        table = np.full((len(self.points), int(counts.max())), len(self.faces))
        table[owner, rank] = face
        return table


def normals(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """``(V, 3)`` unit normals of ``mesh`` when its points are at ``points`` ``(V, 3)``: means of the faces around."""
    first, second, third, fourth = points[mesh.faces.T]
    (ax, ay, az), (bx, by, bz) = (third - first).T, (fourth - second).T
    flat = np.zeros((len(mesh.faces) + 1, 3))  # the last row stands for no face
    flat[:-1, 0], flat[:-1, 1], flat[:-1, 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    total = flat[mesh.neighbours].sum(axis=1)
    return total / np.maximum(np.sqrt(np.einsum("ij,ij->i", total, total)), 1e-9)[:, None]


def mesh(points: np.ndarray, faces: np.ndarray, uv: np.ndarray, material: int | np.ndarray = 0) -> Mesh:
    """A mesh of one bone."""
    count = len(faces)
    return Mesh(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(faces, np.int32),
        np.ascontiguousarray(uv, np.float32),
        np.broadcast_to(np.asarray(material, np.int32), (count,)).copy(),
        np.zeros(len(points), np.int32),
        np.zeros(count, np.float32),
    )


def join(*parts: Mesh) -> Mesh:
    """All ``parts`` as one mesh; each keeps its bones and materials."""
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    return Mesh(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)]).astype(np.int32),
        np.concatenate([part.uv for part in parts]),
        np.concatenate([part.material for part in parts]),
        np.concatenate([part.bone for part in parts]),
        np.concatenate([part.bias for part in parts]),
        open=any(part.open for part in parts),
    )


def moved(part: Mesh, offset: tuple[float, float, float], matrix: np.ndarray | None = None) -> Mesh:
    """``part`` turned or stretched by ``matrix`` ``(3, 3)``, then shifted by ``offset``."""
    points = part.points if matrix is None else part.points @ np.asarray(matrix, np.float32).T
    faces, uv = part.faces, part.uv
    if matrix is not None and np.linalg.det(matrix) < 0:  # a mirror image is inside out
        faces, uv = faces[:, ::-1], uv[:, ::-1]
    return replace(part, points=points + np.asarray(offset, np.float32), faces=faces, uv=uv)


def raised(part: Mesh, bias: float) -> Mesh:
    """``part``, drawn as if it were ``bias`` metres nearer."""
    return replace(part, bias=part.bias + np.float32(bias))


def on_bone(part: Mesh, bone: int) -> Mesh:
    """``part``, moved by ``bone``."""
    return replace(part, bone=np.full(len(part.points), bone, np.int32))


def _grid(rows: int, columns: int, wrap: bool) -> tuple[np.ndarray, np.ndarray]:
    """Faces between ``rows`` x ``columns`` points, and their texture coordinates; ``wrap`` closes the columns."""
    across = columns if wrap else columns - 1
    row, column = (part.ravel() for part in np.meshgrid(np.arange(rows - 1), np.arange(across), indexing="ij"))
    after = (column + 1) % columns
    faces = np.stack([row * columns + column, row * columns + after, (row + 1) * columns + after], axis=1)
    faces = np.concatenate([faces, ((row + 1) * columns + column)[:, None]], axis=1)
    left, right = column / across, (column + 1) / across
    top, bottom = row / (rows - 1), (row + 1) / (rows - 1)
    uv = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(-1, 4, 2)
    return faces, uv


def lathe(profile: np.ndarray, sides: int = 8, material: int = 0, flat: float = 1.0) -> Mesh:
    """A body of revolution about y.

    Args:
        profile: ``(n, 2)`` radius and height from the top to the bottom. Zero radii close the ends.
        sides: faces around.
        flat: extent along z over extent along x.
    """
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.stack([np.sin(angle), np.zeros(sides), -flat * np.cos(angle)], axis=1)
    profile = np.asarray(profile, np.float64)
    points = profile[:, :1, None] * ring[None] + profile[:, 1:, None] * np.array([0.0, 1.0, 0.0])
    faces, uv = _grid(len(profile), sides, wrap=True)
    # u = 0 is at the back; textures are mirrored about the middle so that no seam shows
    uv[..., 0] = 1 - np.abs(2 * uv[..., 0] - 1)
    return mesh(points.reshape(-1, 3), faces, uv, material)


def capsule(length: float, top: float, bottom: float, sides: int = 6, material: int = 0, flat: float = 1.0) -> Mesh:
    """A limb from the origin down to y = -``length`` with round ends; ``top`` and ``bottom`` are its radii."""
    profile = [(0.0, 0.75 * top), (top, 0.0), (bottom, -length), (0.0, -length - 0.75 * bottom)]
    limb = lathe(np.array(profile), sides, material, flat)
    limb.bias[:sides] = -top
    limb.bias[-sides:] = -bottom
    return limb


def ellipsoid(x: float, y: float, z: float, sides: int = 8, rings: int = 5, material: int = 0) -> Mesh:
    """Half axes ``x``, ``y``, ``z`` about the origin."""
    angle = np.linspace(0, np.pi, rings + 1)
    return lathe(np.stack([x * np.sin(angle), y * np.cos(angle)], axis=1), sides, material, flat=z / x)


_CUBE = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], np.float64)
# front (z-), back (z+), left, right, top, bottom: corners clockwise from the upper left as seen from outside
_CUBE_FACES = ((2, 3, 1, 0), (7, 6, 4, 5), (6, 2, 0, 4), (3, 7, 5, 1), (6, 7, 3, 2), (0, 1, 5, 4))
_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


def box(
    size: tuple[float, float, float], materials: tuple[int, ...] = (0,), taper: tuple[float, float] = (1.0, 1.0)
) -> Mesh:
    """A box about the origin with sharp edges.

    Args:
        size: full extents along x, y and z.
        materials: of front, back, left, right, top and bottom; fewer are repeated.
        taper: how much shorter the top is along x and z.
    """
    corners = _CUBE * np.array(size) / 2
    corners[_CUBE[:, 1] > 0] *= (taper[0], 1.0, taper[1])
    points = np.concatenate([corners[list(face)] for face in _CUBE_FACES])
    material = np.array([materials[side % len(materials)] for side in range(6)])
    return mesh(points, np.arange(24).reshape(6, 4), np.tile(_SQUARE, (6, 1, 1)), material)


def sheet(rows: int, columns: int, material: int = 0) -> Mesh:
    """A square of side 2 about the origin in the plane z = 0, ``rows`` x ``columns`` points, seen from both sides."""
    y, x = np.meshgrid(np.linspace(1, -1, rows), np.linspace(-1, 1, columns), indexing="ij")
    faces, uv = _grid(rows, columns, wrap=False)
    points = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    return replace(mesh(points, faces, uv, material), open=True)


def slab(outline: np.ndarray, depth: float, material: int = 0, side: int | None = None) -> Mesh:
    """A flat thing with the given outline in the plane of x and y, ``depth`` thick.

    Args:
        outline: ``(n, 2)`` corners clockwise as seen from the front (y up), star-shaped about the origin.
        material: of front and back; ``side`` of the edge, the same by default.
    """
    count = len(outline)
    low, high = outline.min(axis=0), outline.max(axis=0)
    spread = np.vstack([(outline - low) / (high - low), [-low / (high - low)]]) * (1, -1) + (0, 1)
    after = (np.arange(count) + 1) % count
    around = np.arange(count)

    def side_of(z: float, start: int, reverse: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = np.column_stack([np.vstack([outline, [0, 0]]), np.full(count + 1, z)])
        corners = np.stack([np.full(count, count), around, after, after], axis=1)
        corners = corners[:, [0, 2, 1, 1]] if reverse else corners
        return points, corners + start, spread[corners]

    front, back = side_of(-depth / 2, 0, False), side_of(depth / 2, count + 1, True)
    start = 2 * (count + 1)
    rim = np.concatenate([np.column_stack([outline, np.full(count, z)]) for z in (-depth / 2, depth / 2)])
    rim_faces = np.stack([around, around + count, after + count, after], axis=1) + start
    rim_uv = np.tile(_SQUARE, (count, 1, 1))
    rim_uv[..., 0] = (around[:, None] + np.array([0, 0, 1, 1])) / count
    points = np.concatenate([front[0], back[0], rim])
    faces, uv = np.concatenate([front[1], back[1], rim_faces]), np.concatenate([front[2], back[2], rim_uv])
    return mesh(points, faces, uv, np.repeat([material, material, material if side is None else side], count))
