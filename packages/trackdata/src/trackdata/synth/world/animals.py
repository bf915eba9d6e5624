"""Animals: on four legs, on six, with wings, with fins, and without any of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.world.bodies import Body, Joint, Jointed, Quivering, Spined
from trackdata.synth.world.meshes import Mesh, box, capsule, ellipsoid, join, lathe, moved, on_bone, sheet
from trackdata.synth.world.traits import Traits, beat

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_UP_TO_AHEAD = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # what pointed up points ahead

QUADRUPED_THEMES = ("fur", "fur", "dark", "skin")


def quadruped(traits: Traits, vigour: float) -> Body:
    """From a dachshund to a giraffe: trunk (0.5 to 1.6 m), neck, head, tail and four legs of two parts."""
    length = traits.uniform(0.5, 1.6)
    legs = length * traits.uniform(0.35, 0.85)
    girth = length * traits.uniform(0.13, 0.22)
    neck = length * traits.uniform(0.15, 0.6)
    head = girth * traits.uniform(0.6, 0.95)
    back = legs + 0.8 * girth
    profile = np.array([(0, 0.52), (0.75, 0.45), (1.0, 0.25), (0.85, -0.1), (0.95, -0.35), (0.6, -0.48), (0, -0.52)])
    trunk = moved(lathe(profile * (girth, length), 9, 0, flat=1.15), (0, back, 0), _UP_TO_AHEAD)
    rise = traits.uniform(0.2, 1.3)
    ahead = np.array([0, np.sin(rise), np.cos(rise)])
    root = np.array([0, back + 0.3 * girth, 0.44 * length])
    top = root + neck * ahead
    to_neck = np.array([[1.0, 0, 0], [0, -ahead[1], ahead[2]], [0, -ahead[2], -ahead[1]]])
    parts = [on_bone(trunk, 0)]
    parts.append(on_bone(moved(capsule(neck, 0.62 * girth, 0.5 * girth, 7, 0), tuple(root), to_neck), 1))
    for axes, (y, z), material in (
        ((0.62, 0.6, 0.8), (0.1, 0.2), 1),  # skull
        ((0.34, 0.3, 0.75), (-0.12, 0.95), 1),  # muzzle
        ((0.16, 0.12, 0.12), (-0.05, 1.65), 2),  # nose
    ):
        lump = ellipsoid(*(head * axis for axis in axes), 7, 5, material)
        parts.append(on_bone(moved(lump, (0, top[1] + head * y, top[2] + head * z)), 2))
    for side in (-1, 1):
        ear = top + head * np.array([0.42 * side, 0.6, 0.1])
        droop = traits.uniform(-0.6, 0.2)
        parts.append(
            on_bone(
                moved(ellipsoid(0.13 * head, 0.42 * head, 0.08 * head, 5, 3, 0), tuple(ear), _tilt(droop * side)), 2
            )
        )
        eye = top + head * np.array([0.5 * side, 0.2, 0.55])
        parts.append(on_bone(moved(ellipsoid(0.08 * head, 0.1 * head, 0.1 * head, 5, 3, 2), tuple(eye)), 2))
        if traits.chance(0.25):
            horn = capsule(0.6 * head, 0.07 * head, 0.02 * head, 5, 3)
            parts.append(on_bone(moved(horn, (ear[0], ear[1] + 0.1 * head, ear[2]), np.diag([1.0, -1.0, -1.0])), 2))
    tail = capsule(length * traits.uniform(0.15, 0.6), 0.2 * girth, 0.08 * girth, 5, 0)
    parts.append(on_bone(moved(tail, (0, back + 0.4 * girth, -0.48 * length)), 3))
    joints = [
        Joint(-1, (0, back, 0), _X, traits.sway(0, 0.06 * vigour, (15, 40))),
        Joint(0, tuple(root.tolist()), _X, traits.sway(0.1, 0.35 * vigour, (25, 80))),
        Joint(1, tuple(top.tolist()), _Y, traits.sway(0, 0.5 * vigour, (30, 90))),
        Joint(0, (0, back + 0.4 * girth, -0.48 * length), _Z, traits.sway(0, 0.8 * vigour, (10, 30))),
    ]
    gallops = traits.chance(0.35)
    period = traits.period(12, 22) if gallops else traits.period(20, 40)
    stride, phase = vigour * traits.uniform(0.35, 0.8), traits.phase()
    thick = traits.uniform(0.22, 0.4) * girth
    for place, (side, front) in enumerate(((-1, 1), (1, 1), (-1, -1), (1, -1))):
        lag = phase + ((0.08 * side + 0.25 * front) if gallops else 0.25 * (side * front + 1))
        _leg(
            parts,
            joints,
            (side * 0.55 * girth, legs, front * 0.38 * length),
            legs,
            thick,
            beat(0, stride, period, lag),
            place,
        )
    return Jointed(join(*parts), tuple(joints))


def _leg(
    parts: list[Mesh],
    joints: list[Joint],
    hip: tuple[float, float, float],
    length: float,
    thick: float,
    swing: Curve,
    place: int,
) -> None:
    """Add a leg of two parts with a foot; its lower part bends while it swings ahead."""
    bone = len(joints)
    (amplitude, period, phase) = swing.waves[0]
    bends = 1.0 if place < 2 else -1.0  # front and hind legs bend to different sides
    joints.append(Joint(0, hip, _X, swing))
    knee = (hip[0], hip[1] - 0.5 * length, hip[2])
    joints.append(Joint(bone, knee, _X, beat(0.5 * bends * amplitude, 0.5 * bends * amplitude, period, phase - 0.3)))
    parts.append(on_bone(moved(capsule(0.5 * length, 1.3 * thick, 0.8 * thick, 6, 0), hip), bone))
    parts.append(on_bone(moved(capsule(0.46 * length, 0.8 * thick, 0.6 * thick, 5, 1), knee), bone + 1))
    parts.append(
        on_bone(
            moved(box((1.6 * thick, 0.08 * length, 2.4 * thick), (2,)), (hip[0], 0.04 * length, hip[2] + 0.5 * thick)),
            bone + 1,
        )
    )


def _tilt(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


INSECT_THEMES = ("hide", "paint", "dark")


def insect(traits: Traits, vigour: float) -> Body:
    """Six or eight legs around a body of two or three lumps, 0.1 m long."""
    count = traits.count(3, 4)
    parts, joints = [], [Joint(-1, (0, 0, 0), _Y, traits.sway(0, 0.1 * vigour, (20, 60)))]
    height = traits.uniform(0.02, 0.04)
    for place, z in enumerate((0.03, 0.0, -0.04)[: traits.count(2, 3)]):
        size = traits.uniform(0.012, 0.026)
        lump = ellipsoid(size, 0.8 * size, 1.1 * size, 8, 5, place % 2)
        parts.append(on_bone(moved(lump, (0, height, z)), 0))
    period, phase = traits.period(10, 24), traits.phase()
    for pair in range(count):
        z = 0.03 - 0.06 * pair / (count - 1)
        for side in (-1, 1):
            bone = len(joints)
            hip = (side * 0.012, height, z)
            swing = beat(0.4 * (z / 0.03), 0.5 * vigour, period, phase + 0.5 * ((pair + side) % 3) / 1.5)
            joints.append(Joint(0, hip, _Y, swing))
            joints.append(Joint(bone, hip, _Z, beat(0, 0.2 * vigour, period, phase + 0.25)))
            reach, knee = 0.045, np.array([hip[0] + side * 0.028, height + 0.02, z])
            for start, end in ((np.array(hip), knee), (knee, np.array([side * reach * 1.3, 0, z]))):
                parts.append(on_bone(_rod(start, end, 0.003, 2), bone + 1))
    return Jointed(join(*parts), tuple(joints))


def _rod(start: np.ndarray, end: np.ndarray, radius: float, material: int) -> Mesh:
    """A thin capsule from ``start`` to ``end``, ``(3,)`` each."""
    along = start - end  # capsules hang from the origin towards -y
    length = float(np.linalg.norm(along))
    up = along / length
    side = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    return moved(
        capsule(length, radius, radius, 5, material), tuple(start), np.stack([side, up, np.cross(side, up)], axis=1)
    )


BIRD_THEMES = ("feathers", "feathers", "paint", "dark")


def bird(traits: Traits, vigour: float) -> Body:
    """A flying bird with flapping wings of two parts; it spans 0.5 to 1.5 m. The origin is in its middle."""
    length = traits.uniform(0.2, 0.5)
    span = length * traits.uniform(1.0, 1.8)
    profile = np.array([(0, 0.5), (0.5, 0.42), (0.55, 0.3), (1.0, 0.05), (0.7, -0.25), (0.25, -0.5)])
    trunk = moved(lathe(profile * (0.16 * length, length), 8, 0), (0, 0, 0), _UP_TO_AHEAD)
    beak = moved(lathe(np.array([(0, 0.12), (0.05, 0)]) * length, 5, 2), (0, 0, 0.48 * length), _UP_TO_AHEAD)
    fan = moved(sheet(2, 3, 1), (0, 0, -0.62 * length), np.array([[0.12, 0, 0], [0, 0, 1], [0, 0.2, 0]]) * length)
    parts = [on_bone(trunk, 0), on_bone(beak, 0), on_bone(fan, 0)]
    joints = [Joint(-1, (0, 0, 0), _Z, traits.sway(0, 0.3 * vigour, (30, 90)))]
    period, phase, amplitude = traits.period(6, 22), traits.phase(), vigour * traits.uniform(0.4, 0.9)
    chord = length * traits.uniform(0.2, 0.35)
    for side in (-1, 1):
        bone = len(joints)
        joints.append(Joint(0, (0, 0.03 * length, 0), _Z, beat(0.15 * side, side * amplitude, period, phase)))
        joints.append(
            Joint(bone, (side * 0.5 * span, 0, 0), _Z, beat(-0.2 * side, 0.7 * side * amplitude, period, phase - 0.2))
        )
        for part in (0, 1):
            wing = sheet(3, 4, 1)
            along = (part + (1 + wing.points[:, 0]) / 2) / 2  # 0 at the shoulder, 1 at the tip
            ahead = chord * (wing.points[:, 1] * (1.05 - 0.85 * along**1.5) - 0.5 * along**2)
            place = np.stack([side * span * along, np.full(len(along), 0.02 * length), ahead + 0.02 * length], axis=1)
            parts.append(on_bone(replace(wing, points=place.astype(np.float32)), bone + part))
    return Jointed(join(*parts), tuple(joints))


FISH_THEMES = ("hide", "feathers", "dark")


def fish(traits: Traits, vigour: float) -> Body:
    """A swimming fish, 0.2 to 0.8 m long. The origin is in its middle."""
    length = traits.uniform(0.2, 0.8)
    height = length * traits.uniform(0.1, 0.24)
    profile = np.array([(0, 0.5), (0.45, 0.42), (0.9, 0.22), (1.0, 0.05), (0.75, -0.18), (0.3, -0.38), (0.14, -0.46)])
    trunk = lathe(profile * (height, length), 9, 0, flat=1.0)
    thin = np.diag([traits.uniform(0.35, 0.8), 1.0, 1.0]) @ _UP_TO_AHEAD
    upright = np.array([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]])
    tail = sheet(5, 3, 1)
    fork = tail.points * (1.0, 1.0, 1.0)
    fork[:, 1] *= 0.55 - 0.45 * fork[:, 0]  # wide at the end, which is cut in
    fork[:, 0] -= 0.5 * (1 - fork[:, 0]) * np.abs(tail.points[:, 1])
    tail = moved(
        replace(tail, points=fork.astype(np.float32)),
        (0, 0, -0.54 * length),
        upright @ np.diag([0.1 * length, 1.3 * height, 1]),
    )
    fin = moved(sheet(2, 3, 1), (0, 1.1 * height, -0.02 * length), upright @ np.diag([0.15 * length, 0.3 * height, 1]))
    eyes = [
        moved(
            ellipsoid(0.05 * height, 0.14 * height, 0.14 * height, 5, 3, 2),
            (side * 0.4 * height * thin[0, 0], 0.2 * height, 0.4 * length),
        )
        for side in (-1, 1)
    ]
    wave = beat(0, length * vigour * traits.uniform(0.06, 0.14), traits.period(8, 26), traits.phase())
    return Spined(join(moved(trunk, (0, 0, 0), thin), tail, fin, *eyes), wave, STILL, 1.1 * length, 0.15)


SNAKE_THEMES = ("hide", "hide", "dark")


def snake(traits: Traits, vigour: float) -> Body:
    """Something long that winds over the ground, 0.8 to 2.5 m."""
    length, girth = traits.uniform(0.8, 2.5), traits.uniform(0.03, 0.08)
    along = np.linspace(0.5, -0.5, 16)
    radius = girth * np.clip(np.minimum(1.0, 14 * (0.505 - np.abs(along))) * (1.1 - 0.5 * (0.5 - along)), 0, None)
    radius[0] = radius[-1] = 0
    trunk = moved(lathe(np.stack([radius, along * length], axis=1), 7, 0), (0, girth, 0), _UP_TO_AHEAD)
    bulb = moved(ellipsoid(1.1 * girth, 0.9 * girth, 1.7 * girth, 7, 4, 1), (0, 1.1 * girth, 0.5 * length))
    wave = beat(0, length * max(0.3, vigour) * traits.uniform(0.06, 0.12), traits.period(18, 50), traits.phase())
    return Spined(join(trunk, bulb), wave, STILL, length * traits.uniform(0.45, 0.8), 0.7)


JELLY_THEMES = ("hide", "any")


def jelly(traits: Traits, vigour: float) -> Body:
    """A lump that quivers and squashes, 0.3 to 0.8 m. The origin is in its middle."""
    size = traits.uniform(0.15, 0.4)
    lump = ellipsoid(size * traits.uniform(0.8, 1.4), size, size * traits.uniform(0.8, 1.2), 12, 8, 0)
    waves = tuple(
        (
            float(max(0.2, vigour) * traits.uniform(0.04, 0.16)),
            tuple(traits.uniform(-5, 5) / size for _ in range(3)),
            traits.period(14, 50),
            traits.phase(),
        )
        for _ in range(3)
    )
    return Quivering(lump, waves, traits.sway(0, 0.35 * vigour, (16, 50)))
