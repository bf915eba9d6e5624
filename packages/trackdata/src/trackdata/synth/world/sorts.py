"""All sorts of objects by name: how to build one, what it is covered with, and how it moves about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trackdata.synth.world import animals, people, scenery, things, vehicles
from trackdata.synth.world.bodies import Body
from trackdata.synth.world.traits import Traits


@dataclass(frozen=True)
class Sort:
    """A sort of object.

    Attributes:
        build: an individual with the given traits that moves with the given vigour (0 to 1).
        themes: of its materials, by number.
        moves: "ahead" faces where it goes, on the ground; "flies" the same in the air; "tumbles" turns any way in the
            air; "rolls" turns about the axis across its way; "turns" stands upright and shows all sides; "faces" stays
            turned to the camera, more or less; "stands" does not move.
    """

    build: Callable[[Traits, float], Body]
    themes: tuple[str, ...]
    moves: str


SORTS: Mapping[str, Sort] = {
    "person": Sort(people.person, people.PERSON_THEMES, "ahead"),
    "quadruped": Sort(animals.quadruped, animals.QUADRUPED_THEMES, "ahead"),
    "car": Sort(vehicles.car, vehicles.CAR_THEMES, "ahead"),
    "bike": Sort(vehicles.bike, vehicles.BIKE_THEMES, "ahead"),
    "boat": Sort(vehicles.boat, vehicles.BOAT_THEMES, "ahead"),
    "insect": Sort(animals.insect, animals.INSECT_THEMES, "ahead"),
    "snake": Sort(animals.snake, animals.SNAKE_THEMES, "ahead"),
    "bird": Sort(animals.bird, animals.BIRD_THEMES, "flies"),
    "fish": Sort(animals.fish, animals.FISH_THEMES, "flies"),
    "plane": Sort(vehicles.plane, vehicles.PLANE_THEMES, "flies"),
    "drone": Sort(vehicles.drone, vehicles.DRONE_THEMES, "flies"),
    "balloon": Sort(things.balloon, things.BALLOON_THEMES, "turns"),
    "jelly": Sort(animals.jelly, animals.JELLY_THEMES, "tumbles"),
    "cutout": Sort(things.cutout, things.CUTOUT_THEMES, "faces"),
    "towel": Sort(things.towel, things.CLOTH_THEMES, "faces"),
    "flag": Sort(things.flag, things.FLAG_THEMES, "turns"),
    "hand": Sort(people.hand, people.HAND_THEMES, "faces"),
    "head": Sort(people.head, people.HEAD_THEMES, "faces"),
    "ball": Sort(things.ball, things.BALL_THEMES, "rolls"),
    "box": Sort(things.crate, things.CRATE_THEMES, "tumbles"),
    "vessel": Sort(things.vessel, things.VESSEL_THEMES, "turns"),
    "sign": Sort(things.sign, things.SIGN_THEMES, "faces"),
    "toy": Sort(things.toy, things.TOY_THEMES, "tumbles"),
    "tree": Sort(scenery.tree, scenery.TREE_THEMES, "stands"),
    "rock": Sort(scenery.rock, scenery.ROCK_THEMES, "stands"),
    "house": Sort(scenery.house, scenery.HOUSE_THEMES, "stands"),
    "pole": Sort(scenery.pole, scenery.POLE_THEMES, "stands"),
    "fence": Sort(scenery.fence, scenery.FENCE_THEMES, "stands"),
    "furniture": Sort(scenery.furniture, scenery.FURNITURE_THEMES, "stands"),
    "picture": Sort(scenery.picture, scenery.PICTURE_THEMES, "stands"),
}
