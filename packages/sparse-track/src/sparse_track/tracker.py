"""Tracking with SparseTT: the template is encoded once, then one search region per frame; constant memory.

The steps are those of the published tracker: crop around the last target, fuse the scores of both branches, penalise
changes of size and aspect, weigh by a cosine window, take the best cell's box, smooth its size, clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sparse_track.config import ModelConfig, TrackingConfig
from sparse_track.crops import border_colour, context_side, normalise, sample_square, square_side
from sparse_track.head import Predictions, fuse_scores
from sparse_track.postprocess import Target, clip, cosine_window, locate
from trackcore.tracker import Prediction, check_box, check_frame


class Network(Protocol):
    """What a tracker asks of a network, see :class:`sparse_track.network.SparseNetwork`."""

    def remember(self, template: Tensor) -> Any: ...

    def locate(self, memory: Any, search: Tensor) -> Predictions: ...


@dataclass
class State:
    """What a tracker remembers between frames.

    Attributes:
        target: the last one.
        memory: the network's, of the template.
        border: colour that fills crops outside the frame: that of the first frame, as published.
    """

    target: Target
    memory: Any
    border: tuple[int, int, int]


class SparseTracker:
    """Follows one target; implements the protocol of :mod:`trackcore.tracker`.

    Args:
        network: in eval mode and on ``device``.
        model: sizes of the crops and of the search grid.
        tracking: hyper-parameters; see :mod:`sparse_track.configurations` for the published ones.
        device: where the network lives.
        diagnostics: put the search crop, scores and boxes into ``Prediction.extras``.
    """

    def __init__(
        self,
        network: Network,
        model: ModelConfig,
        tracking: TrackingConfig | None = None,
        *,
        device: torch.device | str = "cpu",
        diagnostics: bool = False,
    ):
        self.network, self.model, self.tracking = network, model, tracking or TrackingConfig()
        self.device, self.diagnostics = torch.device(device), diagnostics
        self._window = cosine_window(model.search_cells)
        self._state: State | None = None

    @torch.inference_mode()
    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on an RGB uint8 ``frame`` with the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: the frame or the box cannot be used; see :func:`trackcore.tracker.check_box`.
        """
        target = Target.of_box(check_box(box, check_frame(frame).shape[:2]))
        border = border_colour(frame)
        template = self._crop(frame, target, self.model.template_size, self._scale(target), border)
        self._state = State(target, self.network.remember(self._tensor(template)), border)

    def set_box(self, box: np.ndarray) -> None:
        """Go on from a corrected box (x, y, w, h in pixels of the last frame)."""
        box = np.asarray(box, np.float64).reshape(-1)
        if box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
            raise ValueError(f"a corrected box needs finite x, y, w, h with positive sides, got {box.tolist()}")
        self._running().target = Target.of_box(box)

    @torch.inference_mode()
    def update(self, frame: np.ndarray) -> Prediction:
        """Locate the target in the next RGB uint8 frame.

        Returns:
            Box in pixels, ``score`` of the network at the chosen cell, and the score after penalty and window as
            ``extras["response"]``.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            RuntimeError: :meth:`init` was not called, or the network's output is NaN or infinite.
        """
        state = self._running()
        check_frame(frame)
        scale = self._scale(state.target)
        search = self._crop(frame, state.target, self.model.search_size, scale, state.border)
        predictions = self.network.locate(state.memory, self._tensor(search))
        scores = fuse_scores(predictions.fc_logits, predictions.conv_logits)
        # One transfer from the device instead of two.
        found = torch.cat([scores[..., None], predictions.conv_boxes], dim=2)[0].float().cpu().numpy()
        if not np.isfinite(found).all():
            raise RuntimeError(
                "the network's output is not finite: the weights are damaged, or the precision is too low for them; "
                "try fp32"
            )
        located = locate(
            found[:, 0], found[:, 1:], self._window, state.target, scale, self.model.search_size, self.tracking
        )
        state.target = clip(located.target, frame.shape[:2], self.tracking.min_side)
        extras: dict[str, Any] = {"response": located.response}
        if self.diagnostics:
            extras |= {"cell": located.cell, "rate": located.rate, "scale": scale, "search": search, "found": found}
        return Prediction(box=state.target.box, score=located.score, extras=extras)

    def _running(self) -> State:
        if self._state is None:
            raise RuntimeError("the tracker has no target yet: call init(frame, box) first")
        return self._state

    def _scale(self, target: Target) -> float:
        """Crop pixels per frame pixel."""
        return self.model.template_size / context_side(target.size, self.tracking.context)

    def _crop(
        self, frame: np.ndarray, target: Target, pixels: int, scale: float, border: tuple[int, int, int]
    ) -> np.ndarray:
        side = square_side(pixels, scale, self.tracking.geometry)
        if self.tracking.geometry == "published":
            side = round(side)  # half to even
        return sample_square(frame, target.centre, side, pixels, border, self.tracking.resampling)

    def _tensor(self, crop: np.ndarray) -> Tensor:
        return torch.from_numpy(normalise(crop))[None].to(self.device)
