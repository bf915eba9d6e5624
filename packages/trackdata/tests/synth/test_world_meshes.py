"""Solid objects: closed surfaces, exact interpolation, and every sort of body."""

import numpy as np
import pytest

from trackdata.synth.curves import Curve
from trackdata.synth.world.bodies import Joint, Jointed, extent
from trackdata.synth.world.cameras import Camera, turn
from trackdata.synth.world.meshes import (
    box,
    capsule,
    ellipsoid,
    join,
    lathe,
    moved,
    normals,
    on_bone,
    sheet,
    slab,
)
from trackdata.synth.world.rasters import interpolate, rasterise
from trackdata.synth.world.sorts import SORTS
from trackdata.synth.world.traits import Traits

STAR = np.array([(0, 1), (0.4, 0.2), (1, 0), (0.3, -0.4), (0, -1), (-0.6, -0.3), (-1, 0.1), (-0.3, 0.3)])
CUP = np.array([(0, 1), (1, 0.8), (0.6, -0.3), (0.9, -1), (0, -1)])


def area(outline):
    """Of a polygon, by the shoelace formula."""
    x, y = outline.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def turned(profile):
    """Volume of a body of revolution, as a stack of frustums."""
    (r, h), (s, k) = profile[:-1].T, profile[1:].T
    return float(np.sum(np.pi / 3 * (h - k) * (r * r + r * s + s * s)))


SOLIDS = {
    "box": (box((2, 3, 4)), 24.0),
    "tapered box": (box((2, 3, 4), taper=(0.5, 1.0)), 18.0),
    "mirrored box": (moved(box((2, 3, 4)), (1, 0, 0), np.diag([-1.0, 1, 1])), 24.0),
    "ellipsoid": (ellipsoid(1, 2, 3, 48, 32), 8 * np.pi),
    "turned": (lathe(CUP, 64), turned(CUP)),
    "flattened": (lathe(CUP, 64, flat=0.5), turned(CUP) / 2),
    "capsule": (capsule(2.0, 0.5, 0.5, 64), np.pi * 0.25 * (2.0 + 2 * 0.375 / 3)),  # a cylinder and two cones
    "slab": (slab(STAR, 0.5), 0.5 * area(STAR)),
}


def volume(mesh):
    """Enclosed volume by the divergence theorem; negative when the faces look inwards."""
    points, total = mesh.points.astype(float), 0.0
    for corners in points[mesh.faces]:
        for a, b in ((1, 2), (2, 3)):
            total += np.dot(corners[0], np.cross(corners[a], corners[b])) / 6
    return total


@pytest.mark.parametrize("name", SOLIDS)
def test_primitives_are_closed_and_look_outwards(name):
    mesh, expected = SOLIDS[name]
    assert volume(mesh) == pytest.approx(expected, rel=0.02)
    # moving a closed surface away from the origin changes nothing
    assert volume(moved(mesh, (5, -7, 3))) == pytest.approx(volume(mesh), rel=1e-4)


def test_normals_of_a_ball_point_away_from_its_middle():
    ball = ellipsoid(1, 1, 1, 24, 16)
    outwards = np.einsum("ij,ij->i", normals(ball, ball.points.astype(float)), ball.points)
    assert outwards.min() > 0.97


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.0])
def test_values_are_interpolated_in_perspective(angle):
    """Across a slanted square, the texture coordinate is where the pixel's ray meets the plane."""
    square, matrix = sheet(2, 2), turn(angle, 0.3)
    points = square.points @ matrix.T + (0.2, 0.1, 4)
    view = Camera(focal=Curve(np.log(120.0))).view(0, np.array([64.0, 48.0]))
    pixels, depth = view.project(points)
    raster = rasterise(square, pixels, depth, (0, 0, 128, 96))
    values = square.uv[raster.faces].transpose(2, 0, 1)
    (rows, columns), _, (u, v) = interpolate(square, raster, pixels, depth, values)
    inside = raster.coverage[rows, columns] == 255
    for place in np.flatnonzero(inside)[::97]:
        ray = view.ray(columns[place] + raster.left + 0.5, rows[place] + raster.top + 0.5)
        # solve  ray t = center + a x + b y
        a, b, _ = np.linalg.solve(np.column_stack([matrix[:, 0], matrix[:, 1], -ray]), -np.array([0.2, 0.1, 4]))
        assert (u[place], v[place]) == pytest.approx(((a + 1) / 2, (1 - b) / 2), abs=2e-3)


def test_coverage_is_the_share_of_the_pixel():
    half = moved(sheet(2, 2), (0.25, 0, 2.0), np.diag([0.25, 0.25, 1.0]))  # x from 0 to 0.5 at depth 2
    view = Camera(focal=Curve(np.log(10.0))).view(0, np.array([8.0, 8.0]))  # pixels 8 to 10.5
    raster = rasterise(half, *view.project(half.points), (0, 0, 16, 16))
    row = raster.coverage[8 - raster.top].astype(int)
    assert row[8 - raster.left] == row[9 - raster.left] == 255
    assert row[10 - raster.left] in (128, 191)  # OpenCV fills the quarter of a pixel that an edge runs through
    assert row[7 - raster.left] in (0, 64)
    assert row[11 - raster.left] == 0


def test_nothing_is_drawn_behind_the_camera_or_outside_the_limits():
    view = Camera(focal=Curve(np.log(100.0))).view(0, np.array([50.0, 50.0]))
    for place in ((0, 0, -3), (9, 0, 3), (0, -9, 3)):
        cube = moved(box((1, 1, 1)), place)
        assert rasterise(cube, *view.project(cube.points), (0, 0, 100, 100)) is None


def test_bones_turn_about_their_joints_and_carry_the_bones_that_hang_on_them():
    arm = join(on_bone(box((0.1, 1, 0.1)), 0), on_bone(moved(box((0.1, 1, 0.1)), (0, -1, 0)), 1))
    right_angle = Curve(np.pi / 2)
    body = Jointed(
        arm, (Joint(-1, (0, 0.5, 0), (0, 0, 1), right_angle), Joint(0, (0, -0.5, 0), (0, 0, 1), right_angle))
    )
    points = body.points(0.0)
    upper, lower = points[:24].mean(axis=0), points[24:].mean(axis=0)
    assert upper == pytest.approx([0.5, 0.5, 0], abs=1e-6)  # hung down, now points to +x
    assert lower == pytest.approx([1.0, 1.0, 0], abs=1e-6)  # and its end up


@pytest.mark.parametrize("name", SORTS)
def test_every_sort_of_object_can_be_built(name):
    sort = SORTS[name]
    for seed in range(6):
        body = sort.build(Traits(seed, seed + 100, 0.0), vigour=1.0)
        assert body.mesh.material.max() < len(sort.themes)
        assert body.mesh.faces.max() < len(body.mesh.points)
        for time in (0.0, 13.7):
            points = body.points(time)
            assert points.shape == body.mesh.points.shape
            assert np.isfinite(points).all()
        width, height = extent(body)
        assert 0.01 < np.sqrt(width * height) < 40  # metres


@pytest.mark.parametrize("name", ["person", "quadruped", "vessel", "cutout"])
def test_relatives_are_alike_as_much_as_asked(name):
    build = SORTS[name].build
    model, twin, cousin = (build(Traits(3, own, much), 0.0) for own, much in ((1, 0.0), (2, 0.0), (2, 0.5)))
    assert np.array_equal(model.mesh.points, twin.mesh.points)
    assert len(cousin.mesh.points) == len(model.mesh.points)
    assert not np.allclose(cousin.mesh.points, model.mesh.points, atol=1e-3)
