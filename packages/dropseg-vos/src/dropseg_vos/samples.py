"""Training samples: which frames, which objects, and the arrays the network learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dropseg_vos import augmentation as augment
from dropseg_vos.config import DataConfig, Source
from dropseg_vos.sizes import normalise
from trackcore.training.config import Counted
from trackdata.datasets import open_dataset
from trackdata.datasets.davis import davis_videos, read_video
from trackdata.datasets.youtubevos import youtubevos_videos
from trackdata.errors import AnnotationError
from trackdata.sampling import ForwardSampler, GrowingJump, PassSampler, sample_generator
from trackdata.sequences import Dataset
from trackdata.storage import open_store
from trackdata.videos import SegmentedVideo, VideoList

TRIES = 5  # until the reference shows an object
_LARGEST_JUMP = 25  # of STCN's growing schedule; smaller ones are in proportion
_VOID = 255


class NoObjectError(ValueError):
    """None of several references of a video shows an object."""


@dataclass(frozen=True)
class Objects:
    """The objects of a sample.

    Attributes:
        masks: ``(K, 2, H, W)`` float32: of each slot, in the reference and in the other frame.
        classes: ``(2, H, W)`` uint8: 0 background, then the slots.
        present: ``(K,)`` bool; the slots that hold an object come first.
    """

    masks: np.ndarray
    classes: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, numbers: Sequence[int], slots: int) -> Objects:
        """Objects of label maps ``(2, H, W)`` in the order of ``numbers``; there are not more than ``slots``."""
        masks = np.zeros((slots, *labels.shape), np.float32)
        classes = np.zeros(labels.shape, np.uint8)
        for slot, number in enumerate(numbers):
            masks[slot] = labels == number
            classes[labels == number] = slot + 1
        return cls(masks, classes, np.arange(slots) < len(numbers))


def choose_objects(rng: np.random.Generator, reference: np.ndarray, slots: int) -> list[int]:
    """Up to ``slots`` different objects of a label map, drawn one after the other; empty when there are none."""
    numbers = [int(number) for number in np.unique(reference) if number not in (0, _VOID)]
    return [int(number) for number in rng.permutation(numbers)[:slots]]


def open_source(source: Source, root: str | Path) -> VideoList | Dataset:
    """The videos, or still images, of a source below the data root.

    Raises:
        AnnotationError: they are not there.
    """
    folder = Path(root) / source.folder
    if source.dataset == "davis2017":
        return davis_videos(folder, source.split or "train")
    if source.dataset == "youtubevos":
        return _youtubevos(folder, source)
    if source.dataset == "bl30k":
        return _bl30k(folder)
    return open_dataset("static_images", folder, source.split)


def _youtubevos(folder: Path, source: Source) -> VideoList:
    try:
        return youtubevos_videos(folder, source.split or "train_stcn", resized=source.resized)
    except AnnotationError as error:
        if source.resized is None:
            raise
        raise AnnotationError(f"{error}; `dropseg-vos prepare {folder}` makes train_{source.resized}p") from error


def _bl30k(folder: Path) -> VideoList:
    store = open_store(folder)
    names = store.folders("Annotations")
    if not names:
        raise AnnotationError(f"{folder}: no Annotations/<video> there")
    return VideoList("bl30k", names, partial(read_video, store, resolution=""))


class PairSource:
    """Training samples as a function of (epoch, index).

    Args:
        sources: what they are drawn from.
        opened: their videos or still images.
        config: how.
        size: side S of the crops in pixels.
        samples_per_epoch, batch_size, epochs: of the training; they say where in which pass a sample stands. A pass
            ends with its last whole batch.
        seed: of everything random.
        training: whether frames are augmented; else they are only resized.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        opened: Sequence[VideoList | Dataset],
        config: DataConfig,
        size: int,
        *,
        samples_per_epoch: int,
        batch_size: int = 1,
        epochs: int = 1,
        seed: int = 0,
        training: bool = True,
    ):
        self._sources, self._opened, self._config, self._size = tuple(sources), list(opened), config, size
        self._seed, self._training, self._samples_per_epoch = seed, training, samples_per_epoch
        self._passes = PassSampler([len(each) for each in opened], [source.repeats for source in sources], seed=seed)
        whole = len(self._passes) // batch_size * batch_size
        self._pass_length = whole or len(self._passes)
        self._pass_count = -(-samples_per_epoch * epochs // self._pass_length)

    def __call__(self, epoch: int, index: int) -> Counted:
        """A sample: ``reference`` and ``query`` ``(3, S, S)`` normalised, ``masks`` ``(K, S, S)`` of the objects in
        the reference, ``classes`` ``(S, S)`` int64 of the query, ``present`` ``(K,)`` bool.

        References without objects are counted.

        Raises:
            AnnotationError, FrameReadError, SamplingError: the drawn video cannot be used.
            NoObjectError: no reference shows an object, and the configuration wants another video then.
        """
        rng = sample_generator(self._seed, epoch, index)
        number = max(epoch - 1, 0) * self._samples_per_epoch + index
        at, place = divmod(number, self._pass_length)
        item = self._passes.item(at, place)
        source, drawn = self._sources[item.dataset], self._opened[item.dataset]
        for _ in range(TRIES):
            if source.dataset == "static_images":
                frames, objects = self._still(rng, drawn[item.video])
            else:
                frames, objects = self._video(rng, drawn[item.video], self._jump(source, at))
            if objects.present.any():
                return Counted(self._arrays(frames, objects), {})
        if self._config.empty == "redraw":
            raise NoObjectError(f"{TRIES} references of {drawn.name}, number {item.video}, show no object")
        return Counted(self._arrays(frames, objects), {"samples without objects": 1})

    def _jump(self, source: Source, at: int) -> int:
        if not self._config.growing:
            return source.max_jump
        return max(1, GrowingJump().at(at, self._pass_count) * source.max_jump // _LARGEST_JUMP)

    def _video(self, rng: np.random.Generator, video: SegmentedVideo, jump: int) -> tuple[np.ndarray, Objects]:
        annotated = np.flatnonzero(video.annotated)
        choice = ForwardSampler(jump).draw(rng, np.ones(len(annotated), bool))
        pair = [int(annotated[frame]) for frame in (*choice.templates, *choice.searches)]
        images, labels = [video.frames[frame] for frame in pair], [video.labels(frame) for frame in pair]
        height, width = images[0].shape[:2]
        shared = (
            augment.draw_shared(rng, (height, width), self._config.area)
            if self._training
            else augment.Shared((0, 0, height, width))
        )
        varied = []
        for image, label in zip(images, labels, strict=True):
            own = augment.draw_own(rng) if self._training else augment.Own()
            varied.append(augment.vary(*augment.share(image, _eight_bits(label, video.name), shared, self._size), own))
        maps = np.stack([label for _, label in varied])
        numbers = choose_objects(rng, maps[0], self._config.objects)
        return np.stack([image for image, _ in varied]), Objects.of(maps, numbers, self._config.objects)

    def _still(self, rng: np.random.Generator, sequence: Any) -> tuple[np.ndarray, Objects]:
        image, mask = sequence.frames[0], sequence.masks(0).astype(np.uint8) * 255
        shared = augment.draw_shared_still(rng)
        frame, grey = augment.share_still(image, mask, shared)
        varied = [
            augment.vary_still(frame, grey, augment.draw_own_still(rng, mask.shape, self._size), self._size)
            for _ in range(2)
        ]
        soft = np.stack([part for _, part in varied])
        objects = Objects.of((soft > 0.5).astype(np.uint8), [1] if (soft[0] > 0.5).any() else [], self._config.objects)
        masks = objects.masks.copy()
        masks[0] = soft  # masks that come in are not sharpened again
        return np.stack([image for image, _ in varied]), replace(objects, masks=masks)

    def _arrays(self, frames: np.ndarray, objects: Objects) -> dict[str, Any]:
        reference, query = normalise(frames)
        return {
            "reference": reference,
            "query": query,
            "masks": objects.masks[:, 0],
            "classes": objects.classes[1].astype(np.int64),
            "present": objects.present,
        }


def _eight_bits(labels: np.ndarray, name: str) -> np.ndarray:
    """A label map for Pillow's filters."""
    if labels.dtype == np.uint8:
        return labels
    if labels.max() > _VOID:
        raise AnnotationError(f"{name}: numbers of objects above {_VOID} cannot be trained on")
    return labels.astype(np.uint8)
