"""Tracking with a one-stream network: one forward per frame, no template update, constant memory.

The steps are those of the published tracker: crop around the last box, weigh the score map by a Hann window, decode the
box at the peak, map it into the frame, clip it with a margin of 10 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from onestream_track.config import ModelConfig
from onestream_track.elimination import box_mask
from onestream_track.heads import decode, find_peak
from onestream_track.network import Output, build
from onestream_track.pretrained import load_tracker as load_weights
from onestream_track.recipes import get_recipe
from trackcore import checkpoints
from trackcore.boxes import clip_to_frame
from trackcore.crops import Crop, box_from_crop, box_in_crop, crop
from trackcore.devices import pick_device
from trackcore.recipes import from_yaml
from trackcore.tracker import Prediction, check_box, check_frame

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
CLIP_MARGIN = 10.0

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def hann_window(cells: int) -> Tensor:
    """``(cells, cells)`` float32 Hann window over the inner points of ``cells + 2``, so no cell gets weight 0."""
    line = 0.5 * (1 - torch.cos(2 * torch.pi / (cells + 1) * torch.arange(1, cells + 1).float()))
    return line[:, None] * line[None, :]


def normalise(image: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """``(S, S, 3)`` uint8 RGB to ``(1, 3, S, S)`` float32, ImageNet mean and standard deviation."""
    pixels = torch.from_numpy(image).to(device).permute(2, 0, 1).float().div_(255.0)
    mean = torch.tensor(MEAN, device=device)[:, None, None]
    std = torch.tensor(STD, device=device)[:, None, None]
    return pixels.sub_(mean).div_(std)[None]


@dataclass
class State:
    """What a tracker remembers between frames: the last box (x, y, w, h), the template and who votes in it."""

    box: np.ndarray
    template: Tensor
    template_mask: Tensor | None


class OneStreamTracker:
    """Follows one target; implements the protocol of :mod:`trackcore.tracker`.

    Args:
        network: anything called as ``network(template, search, template_mask=...)`` that returns an
            :class:`onestream_track.network.Output`; it should be in eval mode and on ``device``.
        config: sizes of the crops and of the search grid.
        device: where the network lives.
        diagnostics: put the search crop, score map, response and eliminated tokens into ``Prediction.extras``.
    """

    def __init__(
        self,
        network: Callable[..., Output],
        config: ModelConfig,
        *,
        device: torch.device | str = "cpu",
        diagnostics: bool = False,
    ):
        self.network, self.config = network, config
        self.device, self.diagnostics = torch.device(device), diagnostics
        self._window = hann_window(config.search_grid).to(self.device)
        self._state: State | None = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on an RGB uint8 ``frame`` with the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: the frame or the box cannot be used; see :func:`trackcore.tracker.check_box`.
        """
        box = check_box(box, check_frame(frame).shape[:2])
        template = crop(frame, box, self.config.template_factor, self.config.template_size)
        self._state = State(box, normalise(template.image, self.device), self._voters(box, template))

    def _voters(self, box: np.ndarray, template: Crop) -> Tensor | None:
        if not self.config.elimination.layers or self.config.elimination.template_range != "GT_BOX":
            return None
        inside = box_in_crop(box, box, template.scale, self.config.template_size)
        boxes = torch.from_numpy(inside).float()[None]
        return box_mask(boxes, self.config.template_size, self.config.stride).to(self.device)

    def set_box(self, box: np.ndarray) -> None:
        """Go on from a corrected box (x, y, w, h in pixels of the last frame)."""
        box = np.asarray(box, np.float64).reshape(-1)
        if box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
            raise ValueError(f"a corrected box needs finite x, y, w, h with positive sides, got {box.tolist()}")
        self._running().box = box

    def _running(self) -> State:
        if self._state is None:
            raise RuntimeError("the tracker has no target yet: call init(frame, box) first")
        return self._state

    @torch.inference_mode()
    def update(self, frame: np.ndarray) -> Prediction:
        """Locate the target in the next RGB uint8 frame.

        Returns:
            Box in pixels, ``score`` of the network at the peak, and the windowed score as ``extras["response"]``.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            RuntimeError: :meth:`init` was not called, or the network's output is NaN or infinite.
        """
        state = self._running()
        height, width = check_frame(frame).shape[:2]
        size = self.config.search_size
        search = crop(frame, state.box, self.config.search_factor, size)
        pixels = normalise(search.image, self.device)
        output = self.network(state.template, pixels, template_mask=state.template_mask)
        maps = output.maps
        response = self._window * maps.score
        peak = find_peak(response)
        # One transfer from the device instead of one for each number.
        score = maps.score.flatten(1).gather(1, peak.index[:, None])
        found = torch.cat([decode(maps, peak.index), peak.score[:, None], score], dim=1)[0].double().cpu().numpy()

        if not np.isfinite(found).all():
            raise RuntimeError(
                f"the network's output is not finite (box and scores {found.tolist()}): the weights are damaged, "
                "or the precision is too low for them; try fp32"
            )
        box = box_from_crop(found[:4], state.box, search.scale, size)
        state.box = clip_to_frame(box, height, width, CLIP_MARGIN)
        extras: dict[str, Any] = {"response": float(found[4])}
        if self.diagnostics:
            extras |= {
                "peak": int(peak.index[0]),
                "search": search,
                "score_map": maps.score[0, 0].float().cpu().numpy(),
                "removed": tuple(stage[0].cpu().numpy() for stage in output.features.removed),
            }
        return Prediction(box=state.box.copy(), score=float(found[5]), extras=extras)


def model_of(checkpoint: checkpoints.Checkpoint) -> ModelConfig | None:
    """The network a checkpoint belongs to: from its card, or from the shapes of a published file; None if unclear.

    Published files of networks with and without elimination are the same; elimination is assumed.
    """
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        return from_yaml(ModelConfig, card["model"])
    table = checkpoint.state.get("backbone.pos_embed_x")
    if table is None or table.shape[2] != 768:
        return None
    family = "droptrack" if "backbone.temporal_pos_embed_x" in checkpoint.state else "ostrack"
    size = {256: 256, 576: 384}.get(table.shape[1])
    if size is None or (family, size) == ("droptrack", 256):
        return None
    return get_recipe(f"{family}/vitb_{size}_mae_ce_32x4_ep300").model


def create(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    device: str = "auto",
    precision: Precision = "fp32",
    diagnostics: bool = False,
) -> OneStreamTracker:
    """Build a tracker (registered as ``onestream``).

    Args:
        weights: own ``.safetensors`` (whose card names the network) or a published ``.pth.tar``; None leaves fresh
            random weights, which is only good for trying things out.
        recipe: the network; None takes what the weights say.
        device: see :func:`trackcore.devices.pick_device`.
        precision: of the backbone; the head always runs in float32.
        diagnostics: see :class:`OneStreamTracker`.

    Raises:
        CheckpointError: the weights cannot be read, or fit another network.
        UnknownRecipeError: no such recipe.
        ValueError: neither weights nor recipe, an unknown precision or device, or weights that do not tell the network.
    """
    if precision not in _DTYPES:
        raise ValueError(f"precision must be one of {', '.join(_DTYPES)}, got {precision!r}")
    if weights is None and recipe is None:
        raise ValueError("give weights (a .safetensors or .pth.tar file) or the name of a recipe")
    checkpoint = checkpoints.load(weights) if weights is not None else None
    config = get_recipe(recipe).model if recipe is not None else model_of(checkpoint)
    if config is None:
        raise ValueError(f"{weights} ({checkpoint.kind}) does not say which network it is for: name its recipe")
    network = build(config)
    if checkpoint is not None:
        load_weights(network, checkpoint)
    chosen = pick_device(device)
    network.eval().requires_grad_(False)
    network.backbone.to(_DTYPES[precision])
    return OneStreamTracker(network.to(chosen), config, device=chosen, diagnostics=diagnostics)
