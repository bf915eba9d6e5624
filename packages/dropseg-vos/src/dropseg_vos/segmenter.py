"""Following objects through a video: a first mask of each, then one frame after the other.

Every frame is compared with the reference frames alone, never with earlier results, so memory does not grow with the
video, frames may be left out, and several frames and all objects share a pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from dropseg_vos.aggregation import aggregate, aggregate_logits
from dropseg_vos.backends import Backend
from dropseg_vos.first_mask import check_mask
from dropseg_vos.sizes import Padding, Size, Sizing, normalise, resize_frames, resize_masks, resize_probabilities
from trackcore.tracker import Prediction, check_frame
from trackdata.masks import corner_boxes, label_extents


class Segmenter:
    """Segments a video of which some frames have masks, as it comes.

    Label maps are ``(H, W)`` integers: the number of the object at a pixel, 0 where there is none. Numbers are kept, up
    to 65535.

    Args:
        backend: what computes.
        sizing: at which size frames are looked at.
        pairs_per_pass: largest number of (frame, object) pairs computed at once, which bounds the memory.
        keep_probabilities: put ``probabilities`` into the extras of predictions.
    """

    sequential = False  # frames depend on references alone

    def __init__(
        self,
        backend: Backend,
        *,
        sizing: Sizing | None = None,
        pairs_per_pass: int = 16,
        keep_probabilities: bool = False,
    ):
        if pairs_per_pass < 1:
            raise ValueError(f"pairs_per_pass must be at least 1, got {pairs_per_pass}")
        self.backend, self.sizing = backend, sizing or Sizing()
        self.pairs_per_pass, self.keep_probabilities = pairs_per_pass, keep_probabilities
        self.reset()

    def reset(self) -> None:
        """Forget all objects and the size of the video."""
        self._size: Size | None = None  # of the video's frames
        self._working: Size = (0, 0)
        self._padding = Padding(0, 0, 0, 0)
        self._references: dict[int, Tensor] = {}  # object to its tokens (n, C)

    @property
    def objects(self) -> tuple[int, ...]:
        """Numbers of the objects that are followed, ascending."""
        return tuple(sorted(self._references))

    def init(self, frame: np.ndarray, mask: np.ndarray) -> None:
        """Start on a frame with a label map of its objects; forgets everything before.

        Args:
            frame: RGB uint8 ``(H, W, 3)``.
            mask: ``(H, W)`` integers, or bool for one object, number 1.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            MaskError: the mask cannot be one of objects in this frame; the message says why.
        """
        labels = check_mask(mask, check_frame(frame).shape[:2])
        self.reset()
        self._learn(self._prepare([frame]), labels)

    def add_object(self, frame: np.ndarray, mask: np.ndarray) -> None:
        """Follow further objects from now on, or those known by another reference.

        Args:
            frame: RGB uint8 ``(H, W, 3)``, any frame of the video.
            mask: label map of the objects to add in that frame; others need not be in it.

        Raises:
            ValueError, MaskError: as :meth:`init`, or the frame has another size than those before.
        """
        prepared = self._prepare([frame])
        self._learn(prepared, check_mask(mask, frame.shape[:2]))

    def remove_object(self, number: int) -> None:
        """Follow an object no longer. Raises KeyError when it is not followed."""
        if number not in self._references:
            raise KeyError(f"object {number} is not followed; those are {list(self.objects)}")
        del self._references[number]

    def update(self, frame: np.ndarray, mask: np.ndarray | None = None) -> Prediction:
        """Segment the next frame.

        Args:
            frame: RGB uint8 ``(H, W, 3)``, of the first frame's size.
            mask: label map of objects whose mask is given in this frame. These pixels are theirs, whatever else is
                found there, and from now on they are followed by this reference (STCN's rule for YouTube-VOS).

        Returns:
            ``mask`` ``(H, W)`` bool, the pixels of all objects; ``box`` x, y, w, h around them, NaN where there are
            none; ``score``, the mean probability of these pixels, 0 where there are none; among ``extras``:
            ``labels`` ``(H, W)`` uint8 or uint16, and ``boxes`` and ``scores`` by object. ``probabilities``, when they
            are kept: float32 ``(K + 1, H, W)``, the background first, then objects by number.

        Raises:
            ValueError: the frame cannot be used or has another size.
            MaskError: the mask cannot be used.
            RuntimeError: nothing is followed and no mask is given.
        """
        if mask is None:
            return self.update_many([frame])[0]
        prepared = self._prepare([frame])
        labels = check_mask(mask, frame.shape[:2])
        found = self._probabilities(prepared)[0] if self._references else None
        earlier = self.objects
        masks = self._learn(prepared, labels)
        return self._prediction(self._merge(found, earlier, masks))

    def update_many(self, frames: Sequence[np.ndarray]) -> list[Prediction]:
        """Segment several frames in one pass; see :meth:`update`."""
        if not self._references:
            raise RuntimeError("no object is followed: call init(frame, mask) or add_object(frame, mask) first")
        if not frames:
            return []
        return [self._prediction(maps) for maps in self._probabilities(self._prepare(frames))]

    def _prepare(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Frames as the network takes them, ``(B, 3, H, W)``; the first one decides about the size of all."""
        for frame in frames:
            size = check_frame(frame).shape[:2]
            if self._size is None:
                self._set_size(size)
            elif size != self._size:
                raise ValueError(
                    f"the frame is {size[1]} x {size[0]}, those before were {self._size[1]} x {self._size[0]}; "
                    "all frames of a video have one size"
                )
        pixels = normalise(np.stack(frames), self.backend.device)
        shrinks = min(self._working) < min(self._size)
        return self._padding.add(resize_frames(pixels, self._working, antialias=self.sizing.antialias and shrinks))

    def _set_size(self, size: Size) -> None:
        working = self.sizing.working(size)
        padding = Padding.of(working, self.backend.divisor)
        padded = working[0] + padding.top + padding.bottom, working[1] + padding.left + padding.right
        if self.backend.size not in (None, padded):
            height, width = self.backend.size
            raise ValueError(
                f"this program takes frames of {width} x {height}, these become {padded[1]} x {padded[0]}; "
                "export one for this size, or take PyTorch"
            )
        self._size, self._working, self._padding = size, working, padding

    def _learn(self, frame: Tensor, labels: np.ndarray) -> dict[int, Tensor]:
        """Take references from a prepared frame; returns the masks by object, ``(H, W)`` as the network sees them."""
        numbers = [int(number) for number in np.unique(labels) if number]
        pixels = torch.as_tensor(labels.astype(np.int32), device=self.backend.device)
        masks = torch.stack([pixels == number for number in numbers])[:, None].float()
        masks = self._padding.add(resize_masks(masks, self._working))
        for start in range(0, len(numbers), self.pairs_per_pass):
            part = slice(start, start + self.pairs_per_pass)
            tokens = self.backend.embed_reference(frame, masks[part])
            self._references.update(zip(numbers[part], tokens.unbind(0), strict=True))
        return dict(zip(numbers, masks[:, 0], strict=True))

    def _probabilities(self, frames: Tensor) -> Tensor:
        """Aggregated probabilities ``(B, K + 1, H, W)`` of prepared frames, objects by number."""
        tokens = [self._references[number] for number in self.objects]
        at_once = min(len(tokens), self.pairs_per_pass)
        rows = max(1, self.pairs_per_pass // at_once)
        parts = [torch.stack(tokens[start : start + at_once]) for start in range(0, len(tokens), at_once)]
        logits = [
            torch.cat([self.backend.segment(part, frames[start : start + rows]).float() for part in parts], dim=1)
            for start in range(0, len(frames), rows)
        ]
        return aggregate_logits(torch.cat(logits))

    def _merge(self, found: Tensor | None, earlier: Sequence[int], masks: Mapping[int, Tensor]) -> Tensor:
        """Probabilities ``(K + 1, H, W)`` of all objects, where given masks overrule what was found of the others."""
        free = 1 - torch.stack(list(masks.values())).amax(dim=0)
        places = {number: place for place, number in enumerate(earlier, start=1)}
        objects = []
        for number in self.objects:
            objects.append(masks[number] if number in masks else found[places[number]] * free)
        return aggregate(torch.stack(objects))

    def _prediction(self, probabilities: Tensor) -> Prediction:
        """What is told about a frame, at the frame's size, from ``(K + 1, H, W)``."""
        maps = resize_probabilities(self._padding.remove(probabilities)[None], self._size)[0]
        values, winners = (tensor.cpu().numpy() for tensor in maps.max(dim=0))
        numbers = np.array((0, *self.objects))
        labels = numbers.astype(np.uint16 if numbers.max() > 255 else np.uint8)[winners]
        return prediction_of(labels, self.objects, values, maps.cpu().numpy() if self.keep_probabilities else None)


def prediction_of(
    labels: np.ndarray,
    objects: Sequence[int],
    certainty: np.ndarray | None = None,
    probabilities: np.ndarray | None = None,
) -> Prediction:
    """A label map as a prediction; see :meth:`Segmenter.update`.

    Args:
        labels: ``(H, W)`` integers.
        objects: numbers that are followed, in the map or not.
        certainty: ``(H, W)`` probability of the label that each pixel has; None leaves scores out.
        probabilities: for the extras.
    """
    extents = label_extents(labels)
    found = dict(zip(extents.objects.tolist(), corner_boxes(extents.corners, extents.pixels), strict=True))
    nothing = np.full(4, np.nan)
    extras: dict[str, object] = {"labels": labels, "boxes": {number: found.get(number, nothing) for number in objects}}
    mask = labels > 0
    score = None
    if certainty is not None:
        pixels = np.bincount(labels.ravel(), minlength=1 + max(objects))
        sums = np.bincount(labels.ravel(), weights=certainty.ravel(), minlength=1 + max(objects))
        extras["scores"] = {number: float(sums[number] / max(pixels[number], 1)) for number in objects}
        score = float(sums[1:].sum() / max(pixels[1:].sum(), 1))
    if probabilities is not None:
        extras["probabilities"] = probabilities
    return Prediction(box=_around(extents.corners), score=score, mask=mask, extras=extras)


def _around(corners: np.ndarray) -> np.ndarray:
    """The box x, y, w, h around several pairs of outermost pixels."""
    if not len(corners):
        return np.full(4, np.nan)
    whole = np.concatenate([corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)])
    return corner_boxes(whole[None], np.ones(1))[0]
