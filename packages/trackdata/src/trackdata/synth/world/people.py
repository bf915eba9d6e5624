"""People, hands and heads: bodies with bones, and the ways they move."""

from __future__ import annotations

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.world.bodies import Body, Joint, Jointed
from trackdata.synth.world.meshes import Mesh, box, capsule, ellipsoid, join, lathe, moved, on_bone, raised
from trackdata.synth.world.traits import Traits, beat

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

PERSON_THEMES = ("cloth", "plain cloth", "skin", "hair", "dark")
_SHIRT, _TROUSERS, _SKIN, _HAIR, _SHOES = range(5)

# bones
_TRUNK, _HEAD, _HIPS = 0, 1, 2
_ARM, _LEG = (3, 5), (7, 9)  # upper arm or thigh of the left and right side; forearm or shin follow


def person(traits: Traits, vigour: float) -> Body:
    """Somebody 1.5 to 1.95 m tall who walks, runs, stands and gestures, or dances.

    Args:
        vigour: strength of all movement, 0 to 1.
    """
    action = traits.choice("walk", "walk", "walk", "run", "run", "gesture", "dance")
    stout = traits.uniform(0.85, 1.35)
    sleeve = _SHIRT if traits.chance(0.6) else _SKIN
    stocking = _TROUSERS if traits.chance(0.75) else _SKIN
    parts = [
        on_bone(_trunk(stout), _TRUNK),
        on_bone(moved(ellipsoid(0.155 * stout, 0.12, 0.115 * stout, 7, 4, _TROUSERS), (0, 0.94, 0)), _HIPS),
        on_bone(moved(ellipsoid(0.085, 0.115, 0.1, 8, 5, _SKIN), (0, 1.62, 0.01)), _HEAD),
        on_bone(_hair(traits), _HEAD),
        on_bone(moved(capsule(0.1, 0.05, 0.055, 6, _SKIN), (0, 1.55, 0)), _HEAD),
    ]
    for side, bone in zip((-1, 1), _ARM, strict=True):
        shoulder = (side * 0.2 * stout, 1.42, 0)
        parts.append(on_bone(moved(capsule(0.27, 0.055 * stout, 0.045 * stout, 5, _SHIRT), shoulder), bone))
        elbow = (shoulder[0], 1.15, 0)
        parts.append(on_bone(moved(capsule(0.24, 0.043 * stout, 0.035, 5, sleeve), elbow), bone + 1))
        parts.append(on_bone(moved(ellipsoid(0.035, 0.06, 0.045, 5, 3, _SKIN), (shoulder[0], 0.85, 0)), bone + 1))
    for side, bone in zip((-1, 1), _LEG, strict=True):
        hip = (side * 0.09 * stout, 0.9, 0)
        parts.append(on_bone(moved(capsule(0.42, 0.085 * stout, 0.06 * stout, 6, _TROUSERS), hip), bone))
        parts.append(on_bone(moved(capsule(0.38, 0.058 * stout, 0.042, 5, stocking), (hip[0], 0.48, 0)), bone + 1))
        parts.append(on_bone(moved(box((0.09, 0.08, 0.25), (_SHOES,)), (hip[0], 0.04, 0.06)), bone + 1))
    parts += _belongings(traits, stout)
    return Jointed(_scaled(join(*parts), traits.uniform(0.86, 1.12)), _motion(traits, action, vigour))


def _trunk(stout: float) -> Mesh:
    profile = np.array(
        [(0.0, 0.56), (0.09, 0.54), (0.2, 0.46), (0.185, 0.3), (0.155, 0.12), (0.165, 0.0), (0.0, -0.04)]
    )
    return moved(lathe(profile * (stout, 1), 8, _SHIRT, flat=0.62), (0, 0.95, 0))


def _hair(traits: Traits) -> Mesh:
    style = traits.choice("short", "long", "hat", "bald")
    if style == "hat":
        brim = np.array([(0.0, 0.12), (0.09, 0.11), (0.1, 0.03), (0.16, 0.02), (0.16, 0.0), (0.0, 0.0)])
        return moved(lathe(brim, 8, _TROUSERS), (0, 1.64, 0))
    if style == "long":
        return moved(ellipsoid(0.105, 0.19, 0.1, 7, 4, _HAIR), (0, 1.58, -0.045))
    if style == "bald":
        return raised(moved(ellipsoid(0.02, 0.02, 0.03, 5, 3, _SKIN), (0, 1.61, 0.105)), 0.02)  # a nose
    return moved(ellipsoid(0.095, 0.09, 0.105, 7, 4, _HAIR), (0, 1.675, -0.025))


def _belongings(traits: Traits, stout: float) -> list[Mesh]:
    parts = []
    if traits.chance(0.2):
        parts.append(on_bone(moved(box((0.28, 0.4, 0.16), (_SHOES, _TROUSERS)), (0, 1.25, -0.2)), _TRUNK))
    if traits.chance(0.2):
        skirt = np.array([(0.16 * stout, 0.08), (0.24 * stout, -0.15), (0.3 * stout, -0.4)])
        parts.append(on_bone(moved(lathe(skirt, 8, _SHIRT), (0, 0.95, 0)), _HIPS))
    if traits.chance(0.15):
        parts.append(on_bone(moved(box((0.08, 0.3, 0.4), (_HAIR, _SHIRT)), (0.25, 0.7, 0)), _ARM[1] + 1))
    return parts


def _motion(traits: Traits, action: str, vigour: float) -> tuple[Joint, ...]:
    """Joints of the trunk, the head, the hips, two arms and two legs."""
    running = action == "run"
    period = traits.period(14, 24) if running else traits.period(22, 44)
    stride = vigour * traits.uniform(0.6, 0.95) if running else vigour * traits.uniform(0.35, 0.6)
    phase = traits.phase()
    walks = action in ("walk", "run")

    def limb(side: int, amplitude: float, lag: float, base: float = 0.0) -> Curve:
        return beat(base, amplitude, period, phase + 0.5 * side + lag)

    wild = vigour * (1.2 if action == "dance" else 0.7)
    lean = traits.uniform(0.1, 0.3) if running else traits.uniform(-0.05, 0.1)
    joints = [
        Joint(-1, (0, 0.95, 0), _X, Curve(lean) if walks else traits.sway(0, 0.3 * wild, (25, 70))),
        Joint(_TRUNK, (0, 1.5, 0), _Y, traits.sway(0, 0.6 * vigour, (30, 90))),
        Joint(_TRUNK, (0, 0.95, 0), _Y, beat(0, 0.12 * vigour, period, phase)),
    ]
    for side in (0, 1):
        shoulder = ((-0.2, 0.2)[side], 1.42, 0)
        if walks:
            swing, bend = limb(side, -0.9 * stride, 0.5), limb(side, 0.2 * stride, 0.5, -1.3 if running else -0.25)
        else:
            swing = traits.sway(-0.8 * wild, 1.3 * wild, (14, 45))
            bend = traits.sway(-1.1 * wild, 1.0 * wild, (12, 40))
        joints.append(Joint(_TRUNK, shoulder, _X, swing))
        joints.append(Joint(_ARM[side], (shoulder[0], 1.15, 0), _X, bend))
    for side in (0, 1):
        hip = ((-0.09, 0.09)[side], 0.9, 0)
        if walks:
            swing = limb(side, stride, 0.0, -0.25 * stride)
            bend = limb(side, 0.7 * stride, -0.3, 0.75 * stride)
        elif action == "dance":
            swing = limb(side, 0.5 * wild, 0.0, -0.2)
            bend = limb(side, 0.5 * wild, -0.25, 0.5 * wild)
        else:
            swing, bend = STILL, STILL
        joints.append(Joint(_HIPS, hip, _X, swing))
        joints.append(Joint(_LEG[side], (hip[0], 0.48, 0), _X, bend))
    # the trunk rises and sinks twice a stride; the hips do not lean with the trunk
    joints[_HIPS] = Joint(-1, (0, 0.95, 0), _Y, joints[_HIPS].motion)
    return tuple(joints)


def _scaled(part: Mesh, factor: float) -> Mesh:
    return part if factor == 1 else moved(part, (0, 0, 0), factor * np.eye(3))


HAND_THEMES = ("skin", "plain cloth", "metal")


def hand(traits: Traits, vigour: float) -> Body:
    """A hand of about 0.2 m with a forearm, its fingers opening and closing. The origin is in the palm."""
    parts = [
        on_bone(moved(ellipsoid(0.045, 0.05, 0.02, 8, 5, 0), (0, 0, 0)), 0),
        on_bone(moved(capsule(traits.uniform(0.1, 0.25), 0.028, 0.04, 7, 1), (0, -0.06, 0)), 0),
        on_bone(moved(lathe(np.array([(0.031, 0.01), (0.034, 0.0), (0.031, -0.015)]), 7, 2), (0, -0.06, 0)), 0),
    ]
    joints = [Joint(-1, (0, -0.05, 0), _Z, traits.sway(0, 0.5 * vigour, (20, 60)))]
    together, curl = traits.chance(0.5), traits.sway(0.5, 0.9 * vigour, (16, 50))
    for finger in range(5):
        thumb = finger == 0
        length = (0.035, 0.04, 0.046, 0.042, 0.032)[finger]
        root = (-0.045, -0.015, 0.005) if thumb else (-0.032 + 0.021 * (finger - 1), 0.045, 0)
        spread = 0.9 if thumb else 0.12 * (2.5 - finger)
        tilt = np.array([[np.cos(spread), -np.sin(spread), 0], [np.sin(spread), np.cos(spread), 0], [0, 0, 1]])
        upwards = np.diag([1.0, -1.0, -1.0])
        ahead = tilt @ np.array([0, length, 0])
        bone = len(joints)
        motion = curl if together else traits.sway(0.4, 0.9 * vigour, (14, 45))
        axis = tuple((tilt @ np.array([1.0, 0, 0])).tolist())
        joints.append(Joint(0, root, axis, motion))
        joints.append(Joint(bone, tuple((np.array(root) + ahead).tolist()), axis, motion))
        for part in (0, 1):
            radius = 0.0105 - 0.0015 * part
            piece = capsule(length * (1 - 0.15 * part), radius, radius - 0.001, 5, 0)
            parts.append(on_bone(moved(piece, tuple(np.array(root) + part * ahead), tilt @ upwards), bone + part))
    return Jointed(_scaled(join(*parts), traits.uniform(0.9, 1.3)), tuple(joints))


HEAD_THEMES = ("skin", "hair", "dark", "cloth", "snow")


def head(traits: Traits, vigour: float) -> Body:
    """A head with shoulders, 0.45 m high, that nods and turns. The origin is at the chin."""
    wide = traits.uniform(0.85, 1.15)
    face = [
        ellipsoid(0.078 * wide, 0.115, 0.095, 12, 8, 0),
        raised(moved(ellipsoid(0.014, 0.022, 0.02, 5, 4, 0), (0, -0.005, 0.1)), 0.03),
        raised(moved(ellipsoid(0.028 * wide, 0.008, 0.01, 6, 3, 2), (0, -0.055, 0.085)), 0.02),
    ]
    for side in (-1, 1):
        eye = (side * 0.032 * wide, 0.025, 0.082)
        face.append(raised(moved(ellipsoid(0.014, 0.009, 0.01, 6, 4, 4), eye), 0.02))
        face.append(raised(moved(ellipsoid(0.006, 0.0065, 0.005, 5, 3, 2), (eye[0], eye[1], 0.0905)), 0.03))
        face.append(raised(moved(box((0.034, 0.007, 0.01), (1,)), (eye[0], 0.047, 0.085)), 0.02))
        face.append(moved(ellipsoid(0.01, 0.028, 0.018, 5, 4, 0), (side * 0.08 * wide, 0.0, 0.0)))
    style = traits.choice("short", "long", "cap")
    if style == "long":
        face.append(moved(ellipsoid(0.1 * wide, 0.15, 0.085, 9, 5, 1), (0, 0.0, -0.045)))
    elif style == "cap":
        dome = np.array([(0.0, 0.1), (0.06, 0.085), (0.088 * wide, 0.03), (0.09 * wide, 0.0)])
        face.append(moved(lathe(dome, 10, 3), (0, 0.05, -0.008)))
        face.append(moved(box((0.12, 0.01, 0.08), (3,)), (0, 0.06, 0.11)))
    if style != "cap":
        face.append(moved(ellipsoid(0.084 * wide, 0.07, 0.09, 10, 5, 1), (0, 0.07, -0.03)))
    parts = [on_bone(moved(part, (0, 0.16, 0)), 1) for part in face]
    parts.append(on_bone(moved(capsule(0.1, 0.05, 0.055, 8, 0), (0, 0.1, -0.01)), 0))
    shoulders = np.array([(0.0, 0.05), (0.07, 0.045), (0.19, 0.0), (0.21, -0.08), (0.2, -0.2)])
    parts.append(on_bone(moved(lathe(shoulders, 10, 3, flat=0.5), (0, -0.02, -0.01)), 0))
    joints = (
        Joint(-1, (0, -0.2, 0), _Z, traits.sway(0, 0.08 * vigour, (30, 80))),
        Joint(0, (0, 0.05, 0), _Y, traits.sway(0, 0.9 * vigour, (25, 80))),
    )
    return Jointed(join(*parts), joints)
