"""Targets of a one-stream tracker: what is remembered of each, and how all are located in one forward pass.

The steps are those of the published tracker: crop around the last box, weigh the score map by a Hann window, decode the
box at the peak, map it into the frame, clip it with a margin of 10 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from onestream_track.config import ModelConfig, Policy
from onestream_track.elimination import box_mask
from onestream_track.heads import decode, find_peak
from onestream_track.network import Output
from trackcore.boxes import clip_to_frame
from trackcore.crops import Crop, box_from_crop, box_in_crop, crop
from trackcore.device_crops import crop_on_device
from trackcore.graphs import Graphed
from trackcore.tracker import Prediction, check_box, check_correction, check_frame

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
CLIP_MARGIN = 10.0

CropPlace = Literal["host", "device"]


def hann_window(cells: int) -> Tensor:
    """``(cells, cells)`` float32 Hann window over the inner points of ``cells + 2``, so no cell gets weight 0."""
    line = 0.5 * (1 - torch.cos(2 * torch.pi / (cells + 1) * torch.arange(1, cells + 1).float()))
    return line[:, None] * line[None, :]


def normalise(image: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """``(S, S, 3)`` uint8 RGB to ``(1, 3, S, S)`` float32, ImageNet mean and standard deviation."""
    return Normalise(device)(torch.from_numpy(image).to(device)[None])


class Normalise:
    """``(B, S, S, 3)`` uint8 RGB to ``(B, 3, S, S)`` float32, ImageNet mean and standard deviation."""

    def __init__(self, device: torch.device | str):
        self._mean, self._std = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))

    def __call__(self, images: Tensor) -> Tensor:
        """Normalised images."""
        return images.permute(0, 3, 1, 2).float().div_(255.0).sub_(self._mean).div_(self._std)


@dataclass
class Target:
    """What is remembered of a target between frames.

    Attributes:
        box: x, y, w, h in pixels, around which the next search window lies.
        template: ``(1, 3, S, S)`` normalised crop that the network is given.
        voters: ``(1, Lz)`` which template tokens vote in the elimination, where that depends on the box.
        first: the template of the first frame.
        place: the last box whose score was no reason for doubt.
        doubts: frames in a row with a low score.
        reach: side of the search window relative to the usual one.
        lost: whether the target is taken for lost.
        age: frames since the template was last updated.
    """

    box: np.ndarray
    template: Tensor
    voters: Tensor | None
    first: Tensor
    place: np.ndarray
    doubts: int = 0
    reach: float = 1.0
    lost: bool = False
    age: int = 0

    def correct(self, box: np.ndarray) -> None:
        """Go on from another box, in which the target is for sure. Raises ValueError: it is none."""
        self.box = self.place = check_correction(box)
        self.doubts, self.reach, self.lost = 0, 1.0, False


class Locator:
    """Finds targets in frames.

    Args:
        network: anything called as ``network(template, search, template_mask=...)`` that returns an
            :class:`onestream_track.network.Output`; it should be in eval mode and on ``device``.
        config: sizes of the crops and of the search grid.
        policy: what follows from scores.
        device: where the network lives.
        diagnostics: put the search crop, score map, response and eliminated tokens into ``Prediction.extras``.
        crop: where search crops are cut: on the ``host``, as published, or on the ``device``, where a pixel may differ
            by one grey level.
        graph: replay what is computed of crops as a CUDA graph; see :class:`trackcore.graphs.Graphed`.

    Raises:
        ValueError: another place for crops.
    """

    def __init__(
        self,
        network: Callable[..., Output],
        config: ModelConfig,
        policy: Policy,
        device: torch.device,
        diagnostics: bool = False,
        crop: CropPlace = "host",
        graph: bool = False,
    ):
        if crop not in get_args(CropPlace):
            raise ValueError(f"crop must be host or device, got {crop!r}")
        self.network, self.config, self.policy = network, config, policy
        self.device, self.diagnostics, self.crop = device, diagnostics, crop
        self._normalise = Normalise(device)
        hann = hann_window(config.search_grid)
        self._window = torch.lerp(torch.ones_like(hann), hann, policy.window).to(device)
        self._compute = Graphed(self._evaluate) if graph else self._evaluate

    def start(self, frame: np.ndarray, box: np.ndarray) -> Target:
        """A target at ``box`` (x, y, w, h in pixels) of an RGB uint8 frame. Raises ValueError: one cannot be used."""
        box = check_box(box, check_frame(frame).shape[:2])
        cut = self._cut_template(frame, box)
        template = self._normalised(cut)
        return Target(box, template, self._voters(box, cut), template, box)

    def _cut_template(self, frame: np.ndarray, box: np.ndarray) -> Crop:
        return crop(frame, box, self.config.template_factor, self.config.template_size)

    def _normalised(self, cut: Crop) -> Tensor:
        return self._normalise(torch.from_numpy(cut.image).to(self.device)[None])

    def _cut_searches(self, frame: np.ndarray, targets: Sequence[Target]) -> tuple[Tensor, list[float]]:
        """``(B, S, S, 3)`` uint8 search crops on the device, and the scale of each."""
        boxes, size = [target.box for target in targets], self.config.search_size
        factors = [target.reach * self.config.search_factor for target in targets]
        if self.crop == "device":
            return crop_on_device(torch.from_numpy(frame).to(self.device), boxes, factors, size)
        cuts = [crop(frame, box, factor, size) for box, factor in zip(boxes, factors, strict=True)]
        images = [torch.from_numpy(cut.image).to(self.device)[None] for cut in cuts]
        return _stack(images), [cut.scale for cut in cuts]

    def _evaluate(self, template: Tensor, images: Tensor, voters: Tensor | None) -> tuple[Output, Tensor, Tensor]:
        """Output of the network, the peak's cell ``(B,)``, and ``(B, 6)``: box, response and score there."""
        output = self.network(template, self._normalise(images), template_mask=voters)
        maps = output.maps
        peak = find_peak(self._window * maps.score)
        scores = maps.score.flatten(1).gather(1, peak.index[:, None])
        return output, peak.index, torch.cat([decode(maps, peak.index), peak.score[:, None], scores], dim=1)

    def _voters(self, box: np.ndarray, template: Crop) -> Tensor | None:
        if not self.config.elimination.layers or self.config.elimination.template_range != "GT_BOX":
            return None
        inside = box_in_crop(box, box, template.scale, self.config.template_size)
        boxes = torch.from_numpy(inside).float()[None]
        return box_mask(boxes, self.config.template_size, self.config.stride).to(self.device)

    @torch.inference_mode()
    def locate(self, frame: np.ndarray, targets: Sequence[Target]) -> list[Prediction]:
        """Find all targets in the next frame, in one forward pass, and remember where they are.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            RuntimeError: the network's output is NaN or infinite.
        """
        height, width = check_frame(frame).shape[:2]
        if not targets:
            return []
        images, scales = self._cut_searches(frame, targets)
        voters = None if targets[0].voters is None else _stack([target.voters for target in targets])
        output, peaks, found = self._compute(_stack([target.template for target in targets]), images, voters)
        # One transfer from the device instead of one for each number.
        found = found.cpu().double().numpy()  # in this order: not every device has float64
        if not np.isfinite(found).all():
            raise RuntimeError(
                f"the network's output is not finite (boxes and scores {found.tolist()}): the weights are damaged, "
                "or the precision is too low for them; try fp32"
            )
        predictions = []
        for number, (target, scale, row) in enumerate(zip(targets, scales, found, strict=True)):
            box = self._calmed(box_from_crop(row[:4], target.box, scale, self.config.search_size), target.box)
            box = clip_to_frame(box, height, width, CLIP_MARGIN)
            score, extras = float(row[5]), {"response": float(row[4])}
            if self.diagnostics:
                extras |= self._shown(frame, target, output, int(peaks[number]), number)
            self._remember(target, frame, box, score)
            predictions.append(Prediction(box=box.copy(), score=score, lost=target.lost, extras=extras))
        return predictions

    def _calmed(self, box: np.ndarray, before: np.ndarray) -> np.ndarray:
        """``box`` about its centre, with a size between that of the box before and its own."""
        if self.policy.size_rate == 1:
            return box
        centre = box[:2] + box[2:] / 2
        size = before[2:] ** (1 - self.policy.size_rate) * box[2:] ** self.policy.size_rate
        return np.concatenate([centre - size / 2, size])

    def _shown(self, frame: np.ndarray, target: Target, output: Output, peak: int, number: int) -> dict[str, Any]:
        return {
            "peak": peak,
            "search": crop(frame, target.box, target.reach * self.config.search_factor, self.config.search_size),
            "score_map": output.maps.score[number, 0].float().cpu().numpy(),
            "removed": tuple(stage[number].cpu().numpy() for stage in output.features.removed),
        }

    def _remember(self, target: Target, frame: np.ndarray, box: np.ndarray, score: float) -> None:
        policy = self.policy
        target.doubts = target.doubts + 1 if score < policy.lost_below else 0
        if target.lost:
            target.lost = score < policy.found_above
        else:
            target.lost = target.doubts >= policy.patience
        if target.lost and policy.grow > 1:
            target.box = target.place
            target.reach = min(target.reach * policy.grow, policy.grow_to)
            return
        target.box, target.reach = box, 1.0
        if not target.doubts:
            target.place = box
        target.age += 1
        if policy.template_rate and target.age >= policy.template_every and score >= policy.template_above:
            newest = self._normalised(self._cut_template(frame, box))
            target.template, target.age = torch.lerp(target.first, newest, policy.template_rate), 0


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Batches of one as one batch."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))
