"""Vehicles: on wheels, on water and in the air."""

from __future__ import annotations

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.world.bodies import Body, Joint, Jointed, Rigid
from trackdata.synth.world.meshes import Mesh, box, capsule, ellipsoid, join, lathe, moved, on_bone
from trackdata.synth.world.people import person
from trackdata.synth.world.traits import Traits

_X, _Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
_UP_TO_AHEAD = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
_UP_TO_SIDE = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 1.0]])

CAR_THEMES = ("paint", "glass", "dark", "metal", "snow", "rust", "any")
_PAINT, _GLASS, _DARK, _METAL, _WHITE, _RED, _LOAD = range(7)


def _wheel(radius: float, width: float, place: tuple[float, float, float], sides: int = 9) -> Mesh:
    profile = np.array([(0, 0.5), (0.55, 0.5), (0.6, 0.45), (1, 0.4), (1, -0.4), (0.6, -0.45), (0.55, -0.5), (0, -0.5)])
    wheel = lathe(profile * (radius, width), sides, _DARK)
    wheel.material[:sides] = wheel.material[-sides:] = _METAL
    return moved(wheel, place, _UP_TO_SIDE)


def _wheels(length: float, width: float, radius: float, spin: float) -> tuple[list[Mesh], list[Joint]]:
    """Four wheels on bones 1 to 4, and the joints of the body and the wheels."""
    joints = [Joint(-1, (0, 0, 0), _Y, STILL)]
    parts = []
    for z in (0.31 * length, -0.31 * length):
        for side in (-1, 1):
            place = (side * 0.46 * width, radius, z)
            parts.append(on_bone(_wheel(radius, 0.14 * width, place), len(joints)))
            joints.append(Joint(0, place, _X, Curve(slope=spin)))
    return parts, joints


def car(traits: Traits, vigour: float) -> Body:
    """A car, van, bus or lorry, 3.5 to 8 m long."""
    kind = traits.choice("car", "car", "car", "van", "bus", "lorry", "pickup")
    length = {"bus": 8.0, "lorry": 7.0}.get(kind, 4.2) * traits.uniform(0.85, 1.1)
    width = {"bus": 2.4, "lorry": 2.3}.get(kind, 1.8) * traits.uniform(0.92, 1.08)
    radius = 0.45 if kind in ("bus", "lorry") else 0.33
    floor, belt = 0.6 * radius, (1.3 if kind in ("bus", "lorry") else 0.85) * traits.uniform(0.92, 1.1)
    parts = [moved(box((width, belt - floor, length), (_PAINT,), (0.97, 0.98)), (0, (belt + floor) / 2, 0))]
    cabin = {
        "car": (0.5, 0.55, -0.05, 0.62), "van": (0.85, 0.8, -0.07, 0.85), "bus": (0.98, 1.4, 0.0, 0.97),
        "lorry": (0.22, 1.2, 0.38, 0.9), "pickup": (0.35, 0.6, 0.1, 0.7),
    }[kind]  # fmt: skip
    share, height, place, taper = cabin
    glass = moved(
        box((0.94 * width, height, share * length), (_GLASS,), (0.86, taper)), (0, belt + height / 2, place * length)
    )
    roof = box((0.82 * width, 0.06, share * taper * length), (_PAINT,))
    parts += [glass, moved(roof, (0, belt + height + 0.02, place * length))]
    if kind in ("van", "bus"):  # painted sides between the windows
        for number in range(4):
            z = (place + share * (number / 3 - 0.5) * 0.94) * length
            parts.append(
                moved(
                    box((0.96 * width, height, 0.09 * length), (_PAINT,), (0.87, 1.0)), (0, belt + height / 2, z * 0.97)
                )
            )
    if kind == "lorry":
        parts.append(moved(box((width, 2.2, 0.68 * length), (_LOAD,)), (0, belt + 0.8, -0.15 * length)))
    if kind == "pickup":
        parts.append(moved(box((0.8 * width, 0.05, 0.36 * length), (_DARK,)), (0, belt + 0.02, -0.3 * length)))
    for side in (-1, 1):
        for z, material in ((0.5 * length, _WHITE), (-0.5 * length, _RED)):
            lamp = box((0.18 * width, 0.14, 0.04), (material,))
            parts.append(moved(lamp, (side * 0.36 * width, 0.75 * belt, z)))
        parts.append(
            moved(box((0.12, 0.1, 0.14), (_PAINT,)), (side * 0.54 * width, belt + 0.08, (place + 0.4 * share) * length))
        )
    wheels, joints = _wheels(length, width, radius, 0.15 * vigour / radius)
    joints[0] = Joint(-1, (0, 0.4, 0), _X, traits.sway(0, 0.015 * vigour, (8, 30)))
    return Jointed(join(*(on_bone(part, 0) for part in parts), *wheels), tuple(joints))


BIKE_THEMES = ("cloth", "plain cloth", "skin", "hair", "dark", "paint", "metal")


def bike(traits: Traits, vigour: float) -> Body:
    """Somebody on a bicycle or motorbike."""
    heavy = traits.chance(0.4)
    radius, wide = 0.33, 0.12 if heavy else 0.035
    rider = person(traits, 0.0)
    frame = [
        _bar((0, 0.35, 0.5), (0, 0.95, 0.35), 0.03),
        _bar((0, 0.75, 0.4), (0, 0.6, -0.2), 0.1 if heavy else 0.025),
        _bar((0, 0.35, -0.5), (0, 0.75, -0.15), 0.03),
        moved(box((0.1, 0.08, 0.28), (4,)), (0, 0.8, -0.2)),
        moved(box((0.5, 0.03, 0.03), (6,)), (0, 0.98, 0.33)),
    ]
    if heavy:
        frame.append(moved(ellipsoid(0.17, 0.2, 0.38, 8, 5, 5), (0, 0.6, 0.1)))
    bones = len(rider.joints)
    # sitting: thighs ahead, shins down, arms ahead
    held = {3: -0.9, 4: -0.3, 5: -0.9, 6: -0.3, 7: -1.2, 8: 1.1, 9: -1.2, 10: 1.1}
    period, phase = 30.0, traits.phase()
    joints = []
    for bone, joint in enumerate(rider.joints):
        motion = Curve(held.get(bone, 0.35 if bone == 0 else 0.0))
        if bone in (7, 9) and not heavy:  # pedals
            motion = Curve(-1.1, waves=((0.35 * vigour, period, phase + 0.5 * (bone == 9)),))
        joints.append(Joint(joint.parent, joint.pivot, joint.axis, motion))
    wheels = []
    for z in (0.52, -0.52):
        wheel = lathe(np.array([(0.2, 0.2), (1, 0.5), (1, -0.5), (0.2, -0.2), (0.2, 0.2)]) * (radius, wide), 12, 4)
        wheels.append(on_bone(moved(wheel, (0, radius, z), _UP_TO_SIDE), len(joints)))
        joints.append(Joint(-1, (0, radius, z), _X, Curve(slope=0.15 * vigour)))
    joints.append(Joint(-1, (0, 0, 0), _Y, STILL))
    rider_mesh = moved(rider.mesh, (0, -0.03, -0.22))
    lowered = tuple(
        Joint(j.parent, (j.pivot[0], j.pivot[1] - 0.03, j.pivot[2] - 0.22), j.axis, j.motion) for j in joints[:bones]
    )
    frame_mesh = join(*(on_bone(part, len(joints) - 1) for part in frame))
    return Jointed(join(rider_mesh, frame_mesh, *wheels), lowered + tuple(joints[bones:]))


def _bar(start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> Mesh:
    low, high = np.array(start), np.array(end)
    up = (high - low) / np.linalg.norm(high - low)
    ahead = np.cross([1.0, 0, 0], up)
    matrix = np.stack([[1.0, 0, 0], up, ahead], axis=1)
    return moved(capsule(float(np.linalg.norm(high - low)), radius, radius, 5, 5), tuple(high), matrix)


PLANE_THEMES = ("paint", "paint", "dark", "glass")


def plane(traits: Traits, vigour: float) -> Body:
    """An aeroplane or a glider, 4 to 12 m long. The origin is in its middle."""
    length = traits.uniform(4, 12)
    span, chord = length * traits.uniform(0.4, 0.75), length * traits.uniform(0.09, 0.16)
    hull = np.array([(0, 0.5), (0.5, 0.46), (1.0, 0.3), (1.0, -0.1), (0.3, -0.5), (0, -0.51)])
    parts = [moved(lathe(hull * (0.065 * length, length), 9, 0), (0, 0, 0), _UP_TO_AHEAD)]
    sweep = traits.uniform(0.0, 0.5)
    for side in (-1, 1):
        wing = np.array([[span / 2, 0, 0], [0, 1, 0], [-side * 0.5 * sweep * span, 0, 1]])
        parts.append(
            moved(
                box((1, 0.012 * length, chord), (1,)),
                (side * span / 2, 0, -0.25 * sweep * span),
                np.diag([2, 1, 1]) @ wing,
            )
        )
        parts.append(
            moved(
                box((0.34 * span, 0.01 * length, 0.5 * chord), (1,)),
                (side * 0.16 * span, 0.02 * length, -0.46 * length),
            )
        )
        if traits.chance(0.5):
            parts.append(
                moved(
                    ellipsoid(0.025 * length, 0.025 * length, 0.08 * length, 7, 4, 2),
                    (side * 0.4 * span, -0.03 * length, 0.02 * length),
                )
            )
    parts.append(
        moved(box((0.01 * length, 0.14 * length, 0.7 * chord), (1,), (1, 0.6)), (0, 0.1 * length, -0.46 * length))
    )
    parts.append(
        moved(ellipsoid(0.045 * length, 0.035 * length, 0.09 * length, 7, 4, 3), (0, 0.055 * length, 0.3 * length))
    )
    return Rigid(join(*parts))


DRONE_THEMES = ("dark", "paint", "metal")


def drone(traits: Traits, vigour: float) -> Body:
    """Four rotors around a hull, 0.5 m across. The origin is in its middle."""
    parts = [on_bone(moved(ellipsoid(0.1, 0.05, 0.14, 9, 5, 1), (0, 0, 0)), 0)]
    parts.append(on_bone(moved(box((0.05, 0.05, 0.05), (0,)), (0, -0.06, 0.08)), 0))
    joints = [Joint(-1, (0, 0, 0), _X, traits.sway(0, 0.15, (20, 60)))]
    reach = traits.uniform(0.2, 0.3)
    for x in (-1, 1):
        for z in (-1, 1):
            end = (x * reach, 0.03, z * reach)
            parts.append(on_bone(_bar((0.01 * x, 0, 0), end, 0.013), 0))
            parts.append(on_bone(moved(box((0.24, 0.006, 0.02), (0,)), (end[0], 0.06, end[2])), len(joints)))
            joints.append(Joint(0, end, _Y, Curve(traits.phase(), 1.9)))
    body = join(*parts)
    body.material[body.material > 2] = 2
    return Jointed(body, tuple(joints))


BOAT_THEMES = ("paint", "wood", "glass", "cloth")


def boat(traits: Traits, vigour: float) -> Body:
    """A boat with a cabin or a sail, 3 to 8 m long."""
    length = traits.uniform(3, 8)
    width = length * traits.uniform(0.22, 0.36)
    hull = box((width, 0.14 * length, length), (0, 0, 0, 0, 1, 0), (1.0, 1.0))
    hull.points[(hull.points[:, 1] < 0)] *= np.array([0.6, 1.0, 0.8], np.float32)
    hull.points[(hull.points[:, 2] > 0)] *= np.array([0.25, 1.0, 1.1], np.float32)
    parts = [moved(hull, (0, 0.06 * length, 0))]
    if traits.chance(0.5):
        parts.append(
            moved(box((0.6 * width, 0.14 * length, 0.3 * length), (2,), (0.8, 0.8)), (0, 0.19 * length, -0.1 * length))
        )
        parts.append(moved(box((0.66 * width, 0.02 * length, 0.34 * length), (0,)), (0, 0.27 * length, -0.1 * length)))
    else:
        parts.append(moved(capsule(0.9 * length, 0.012 * length, 0.015 * length, 5, 1), (0, 1.0 * length, 0)))
        sail = box((0.01 * length, 0.75 * length, 0.5 * length), (3,), (1.0, 0.06))
        parts.append(moved(sail, (0.02 * length, 0.58 * length, -0.2 * length)))
    rocking = Joint(-1, (0, 0, 0), (0.0, 0.0, 1.0), traits.sway(0, 0.12, (30, 80)))
    return Jointed(on_bone(join(*parts), 0), (rocking,))
