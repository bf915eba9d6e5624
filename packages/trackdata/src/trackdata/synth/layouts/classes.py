"""What the objects of generated video are called in the datasets: the nearest class that a dataset has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Names(NamedTuple):
    """Names of one sort of object.

    Attributes:
        coco: COCO's category, its number and its supercategory; numbers from 91 are our own.
        synset: in WordNet 3.0, as ImageNet has it.
        word: in plain English, for sentences and folders.
    """

    coco: tuple[str, int, str]
    synset: str
    word: str


_ENTITY = "n00001740"  # WordNet's root, for what ImageNet's challenges have no class of

NAMES: Mapping[str, Names] = {
    "person": Names(("person", 1, "person"), "n00007846", "person"),
    "head": Names(("person", 1, "person"), "n00007846", "head"),
    "hand": Names(("hand", 92, "person"), "n00007846", "hand"),
    "bike": Names(("bicycle", 2, "vehicle"), "n02834778", "cyclist"),
    "car": Names(("car", 3, "vehicle"), "n02958343", "car"),
    "plane": Names(("airplane", 5, "vehicle"), "n02691156", "aeroplane"),
    "drone": Names(("drone", 93, "vehicle"), _ENTITY, "drone"),
    "boat": Names(("boat", 9, "vehicle"), "n04530566", "boat"),
    "sign": Names(("stop sign", 13, "outdoor"), "n06874185", "sign"),
    "bird": Names(("bird", 16, "animal"), "n01503061", "bird"),
    "quadruped": Names(("dog", 18, "animal"), "n02084071", "animal"),
    "snake": Names(("snake", 94, "animal"), "n01726692", "snake"),
    "fish": Names(("fish", 95, "animal"), "n01443537", "fish"),
    "insect": Names(("insect", 96, "animal"), "n02206856", "insect"),
    "jelly": Names(("jellyfish", 97, "animal"), "n01910747", "jelly"),
    "ball": Names(("sports ball", 37, "sports"), "n04254680", "ball"),
    "towel": Names(("kite", 38, "sports"), _ENTITY, "cloth"),
    "flag": Names(("flag", 98, "outdoor"), _ENTITY, "flag"),
    "balloon": Names(("balloon", 99, "outdoor"), _ENTITY, "balloon"),
    "vessel": Names(("bottle", 44, "kitchen"), "n04591713", "bottle"),
    "box": Names(("book", 84, "indoor"), _ENTITY, "box"),
    "toy": Names(("teddy bear", 88, "indoor"), "n04399382", "toy"),
    "cutout": Names(("leaf", 100, "outdoor"), _ENTITY, "leaf"),
    "synthetic": Names(("shape", 101, "shape"), _ENTITY, "shape"),
}
