"""Refining boxes of frames: crop, network, and back into the frame.

::

    refiner = load_refiner("SEcmnet_ep0040-c.pth.tar")
    template = refiner.init(first_frame, box)
    refined = refiner.refine(frame, template, rough_box, mask=True)
    refined.boxes[0], refined.masks[0], refined.confidence[0]

A refiner has no state: templates are values of their own, so one refiner serves any number of targets and videos, and
several targets or boxes of a frame share one pass through the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from alpha_refine.confidence import Confidence, confidence
from alpha_refine.config import ModelConfig
from alpha_refine.crops import (
    Border,
    Coordinates,
    CropError,
    Window,
    box_from_crop,
    box_in_crop,
    cut,
    mask_from_crop,
    window_of,
)
from alpha_refine.network import Output
from trackcore.tracker import check_box, check_frame

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# There are only 256 values a channel; computed in float64 and rounded once, as published.
_LEVELS = ((np.arange(256)[None, :, None] / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)


class Network(Protocol):
    """What a refiner computes with: :class:`alpha_refine.network.RefinementNetwork`, or an exported one."""

    def template(self, images: Tensor, boxes: Tensor | None = None) -> Tensor: ...

    def search(self, images: Tensor, kernel: Tensor, *, box: bool = True, mask: bool = True) -> Output: ...


@dataclass(frozen=True)
class Template:
    """What a refiner keeps of one or several targets.

    Attributes:
        kernel: ``(N, C, k, k)``, 64 KiB for a target of the released network.
    """

    kernel: Tensor

    def __len__(self) -> int:
        return len(self.kernel)


def join(templates: Sequence[Template]) -> Template:
    """One template of several targets, in order."""
    return Template(torch.cat([template.kernel for template in templates]))


@dataclass(frozen=True)
class Refined:
    """Refined boxes of a frame.

    Attributes:
        boxes: ``(N, 4)`` float64 x, y, w, h in pixels. They may reach beyond the frame, and have negative sides where
            the corners cross; a box that was refused is the given one.
        confidence: ``(N,)`` float64 in [0, 1]; 0 for refused boxes, NaN when the network has no maps to tell from.
        refused: for each box why no crop could be cut around it, or None.
        masks: ``(N, H, W)`` float32 probabilities, or None when they were not asked for.
        corners: ``(N, 4)`` float64 x1, y1, x2, y2 in pixels of the crop, NaN for refused boxes.
    """

    boxes: np.ndarray
    confidence: np.ndarray
    refused: tuple[str | None, ...]
    masks: np.ndarray | None
    corners: np.ndarray


def normalise(crops: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """``(N, S, S, 3)`` uint8 RGB to ``(N, 3, S, S)`` float32, ImageNet mean and standard deviation.

    Channels stay next to each other in memory, which convolutions are fastest with.
    """
    pixels = np.stack([cv2.LUT(crop, _LEVELS) for crop in crops])
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2)


class Refiner:
    """Refines boxes with a network.

    Args:
        network: in eval mode and on ``device``.
        config: sizes of the crops.
        device: where the network lives.
        border, coordinates: see :mod:`alpha_refine.crops`. With the exact border a box whose crop shows nothing of the
            frame is refused; the published one shows something else then.
        confidence: see :func:`alpha_refine.confidence.confidence`.
    """

    def __init__(
        self,
        network: Network,
        config: ModelConfig,
        *,
        device: torch.device | str = "cpu",
        border: Border = "published",
        coordinates: Coordinates = "published",
        confidence: Confidence = "peak",
    ):
        self.network, self.config, self.device = network, config, torch.device(device)
        self.border, self.coordinates, self.confidence = border, coordinates, confidence

    @torch.inference_mode()
    def init(self, frame: np.ndarray, boxes: np.ndarray) -> Template:
        """Learn what targets look like.

        Args:
            frame: RGB uint8 ``(H, W, 3)``.
            boxes: x, y, w, h in pixels, ``(4,)`` of one target or ``(N, 4)``.

        Raises:
            ValueError: the frame or a box cannot be used; see :func:`trackcore.tracker.check_box`.
        """
        size = check_frame(frame).shape[:2]
        checked = [check_box(box, size) for box in _rows(boxes)]
        windows = [window_of(box, self.config.factor, self.config.size) for box in checked]
        inside = [box_in_crop(box, window, self.coordinates) for box, window in zip(checked, windows, strict=True)]
        in_crop = torch.from_numpy(np.stack(inside)).float().to(self.device)
        return Template(self.network.template(self._crops(frame, windows), in_crop))

    @torch.inference_mode()
    def refine(
        self, frame: np.ndarray, template: Template, boxes: np.ndarray, *, box: bool = True, mask: bool = False
    ) -> Refined:
        """Refine rough boxes, all in one pass through the network.

        Args:
            frame: RGB uint8 ``(H, W, 3)``.
            template: of as many targets as there are boxes, or of one target for all boxes.
            boxes: x, y, w, h in pixels, ``(4,)`` or ``(N, 4)``. Boxes that no crop can be cut around (NaN, no area, far
                too large) come back as they are, with the reason.
            box: run the box head; otherwise boxes come back as they are, for those who want masks alone.
            mask: also predict masks. Costs no second pass.

        Raises:
            ValueError: the frame is no RGB uint8 image, or the numbers of targets and boxes differ.
            RuntimeError: the network's output is NaN or infinite.
        """
        size = check_frame(frame).shape[:2]
        rough = _rows(boxes)
        if len(template) not in (1, len(rough)):
            raise ValueError(f"a template of {len(template)} targets goes with as many boxes, got {len(rough)}")
        windows, refused = self._windows(rough, size)
        used = [number for number, window in enumerate(windows) if window is not None]
        refined, sure = rough.copy(), np.zeros(len(rough))
        corners = np.full_like(rough, np.nan)
        masks = np.zeros((len(rough), *size), np.float32) if mask else None
        if used:
            kernel = template.kernel if len(template) == 1 else template.kernel[used]
            shown = [windows[number] for number in used]
            output = self.network.search(self._crops(frame, shown), kernel, box=box, mask=mask)
            if output.box is not None:
                corners[used], sure[used] = self._read(output)
            for at, number in enumerate(used):
                if output.box is not None:
                    refined[number] = box_from_crop(corners[number], shown[at], self.config.factor, self.coordinates)
                if output.mask is not None:
                    masks[number] = mask_from_crop(output.mask[at, 0].float().cpu().numpy(), shown[at], size)
        return Refined(refined, sure, refused, masks, corners)

    def _windows(self, boxes: np.ndarray, size: tuple[int, int]) -> tuple[list[Window | None], tuple[str | None, ...]]:
        windows: list[Window | None] = []
        refused: list[str | None] = []
        for box in boxes:
            window, why = None, None
            try:
                window = window_of(box, self.config.factor, self.config.size)
            except CropError as error:
                why = str(error)
            if window is not None and self.border == "exact" and not window.shows(size):
                window, why = None, f"the crop around the box {box.tolist()} shows nothing of the frame"
            windows.append(window)
            refused.append(why)
        return windows, tuple(refused)

    def _crops(self, frame: np.ndarray, windows: Sequence[Window]) -> Tensor:
        return normalise(np.stack([cut(frame, window, border=self.border) for window in windows]), self.device)

    def _read(self, output: Output) -> tuple[np.ndarray, np.ndarray]:
        """Corners ``(N, 4)`` and confidences ``(N,)``, in one transfer from the device."""
        sure = confidence(output.scores, self.confidence)
        found = torch.cat([output.box, sure[:, None]], dim=1).double().cpu().numpy()
        if not np.isfinite(found[:, :4]).all():
            raise RuntimeError(
                f"the network's output is not finite (corners {found[:, :4].tolist()}): the weights are damaged, "
                "or the precision is too low for them; try fp32"
            )
        return found[:, :4], found[:, 4]


def _rows(boxes: np.ndarray) -> np.ndarray:
    rows = np.atleast_2d(np.asarray(boxes, np.float64))
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise ValueError(f"boxes are (4,) or (N, 4) numbers x, y, w, h, got shape {np.shape(boxes)}")
    return rows
