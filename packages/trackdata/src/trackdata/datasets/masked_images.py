"""Still images with one segmented object each: merged sets of salient objects, and the static images of STCN.

``saliency``, as Alpha-Refine trains on it::

    images/00000001.jpg ...      gt/00000001.png ...      object = 255

``static_images``, as STCN trains on them, a split for each folder; DropSeg draws ``BIG_small`` and ``HRSOD_small`` five
times as often::

    fss/<class>/1.jpg, 1.png ...      DUTS-TR/<image>.jpg, .png      DUTS-TE, ecssd, BIG_small, HRSOD_small: the same

Boxes are those around the masks, which are read when a sequence is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from trackdata.datasets.info import DatasetInfo, check_split
from trackdata.frames import StoredFrames
from trackdata.labels import decode_grey
from trackdata.masks import BoxRule, check_box_rule, mask_box
from trackdata.parsing import valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_annotation
from trackdata.storage.store import join

STATIC = ("fss", "DUTS-TR", "DUTS-TE", "ecssd", "BIG_small", "HRSOD_small")


class Pair(NamedTuple):
    """Keys of an image and its mask."""

    image: str
    mask: str


class MaskedImages(SequenceList):
    """Images with a mask each, as sequences of one frame. Building it reads no file."""

    still = True

    def __init__(
        self, store: Store, pairs: Mapping[str, Pair], *, level: int, name: str, box_rule: BoxRule = "inclusive"
    ) -> None:
        """
        Args:
            store: where the files lie.
            pairs: name of a sequence to its files.
            level: grey level from which on a pixel belongs to the object.
            name: what reports call it.
            box_rule: see :data:`~trackdata.masks.BoxRule`.

        Raises:
            ValueError: unknown ``box_rule``.
        """
        check_box_rule(box_rule)
        read = partial(_read, store, dict(pairs), level=level, box_rule=box_rule)
        super().__init__(name, list(pairs), read)


def _read(store: Store, pairs: Mapping[str, Pair], name: str, *, level: int, box_rule: BoxRule) -> Sequence:
    pair = pairs[name]
    masks = partial(_mask, store, pair.mask, level)
    mask = masks(0)
    boxes = mask_box(mask, box_rule)[None]
    return Sequence(
        name=name,
        frames=StoredFrames(store, (pair.image,)),
        boxes=boxes,
        valid=valid_boxes(boxes) & mask.any(),
        attributes={"resolution": mask.shape[::-1], "pixels": np.array([np.count_nonzero(mask)])},
        masks=masks,
    )


def _mask(store: Store, key: str, level: int, frame: int) -> np.ndarray:
    if frame not in (0, -1):
        raise IndexError(f"{store.where(key)}: there is one frame, asked for {frame}")
    return decode_grey(read_annotation(store, key), store.where(key)) >= level


def saliency(root: str | Path | Store, split: str | None = None, *, name: str | None = None) -> MaskedImages:
    """Alpha-Refine's merged set of salient objects, by number.

    Raises:
        ValueError: a split.
        AnnotationError: there are no images.
    """
    check_split("the set of salient objects", split, ())
    store = open_store(root)
    stems = [PurePath(file).stem for file in store.files("images") if file.endswith(".jpg")]
    if not stems:
        raise AnnotationError(
            f"{store.where('images')}: no images there; expected images/00000001.jpg, gt/00000001.png"
        )
    pairs = {stem: Pair(f"images/{stem}.jpg", f"gt/{stem}.png") for stem in stems}
    return MaskedImages(store, pairs, level=255, name=name or "saliency")


def static_images(root: str | Path | Store, split: str | None = None, *, name: str | None = None) -> MaskedImages:
    """STCN's static images, called ``<folder>/<image>``; without a split those of all folders that are there.

    Raises:
        ValueError: unknown split.
        AnnotationError: there are no images, or one is without mask.
    """
    check_split("the set of static images", split, STATIC)
    store = open_store(root)
    pairs = {key: pair for part in ([split] if split else STATIC) for key, pair in _pairs(store, part).items()}
    if not pairs:
        raise AnnotationError(
            f"{store.where(split or '')}: no images there; expected {split or 'fss'}/....jpg and .png"
        )
    return MaskedImages(store, pairs, level=128, name=name or "_".join(filter(None, ("static_images", split))))


def _pairs(store: Store, part: str) -> dict[str, Pair]:
    folders = [join(part, name) for name in store.folders(part)] if part == "fss" else [part]
    pairs = {}
    for folder in folders:
        files = set(store.files(folder))
        for stem in sorted(PurePath(file).stem for file in files if file.endswith(".jpg")):
            key = join(folder, stem)
            if f"{stem}.png" not in files:
                raise AnnotationError(f"{store.where(f'{key}.png')}: there is no such file, but an image of this name")
            pairs[key] = Pair(f"{key}.jpg", f"{key}.png")
    return pairs


DATASETS = (
    DatasetInfo(
        name="saliency",
        title="salient objects, as Alpha-Refine merged them",
        open=saliency,
        layout="images/%08d.jpg, gt/%08d.png",
        annotation="mask of the salient object in still images",
    ),
    DatasetInfo(
        name="static_images",
        title="static images of STCN",
        open=static_images,
        splits=STATIC,
        layout="<split>/<image>.jpg and .png; fss/<class>/<image>.jpg and .png",
        annotation="mask of one object in still images",
    ),
)
