"""Tracking with a one-stream network: one forward per frame for all targets, constant memory.

Nothing is updated but the boxes, as published, unless a :class:`onestream_track.config.Policy` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from onestream_track.config import ModelConfig, Policy
from onestream_track.network import Output
from onestream_track.targets import CropPlace, Locator, Target
from trackcore.tracker import Prediction


class OneStreamTracker:
    """Follows one target; implements :class:`trackcore.tracker.Tracker`.

    Args:
        network: anything called as ``network(template, search, template_mask=...)`` that returns an
            :class:`onestream_track.network.Output`; it should be in eval mode and on ``device``.
        config: sizes of the crops and of the search grid.
        policy: what follows from scores; by default nothing, as published.
        device: where the network lives.
        diagnostics: put the search crop, score map, response and eliminated tokens into ``Prediction.extras``.
        crop: where search crops are cut: on the ``host``, as published, or on the ``device``, where a pixel may differ
            by one grey level.
        graph: replay what is computed of crops as a CUDA graph; ``device`` must be a CUDA device.
    """

    def __init__(
        self,
        network: Callable[..., Output],
        config: ModelConfig,
        *,
        policy: Policy | None = None,
        device: torch.device | str = "cpu",
        diagnostics: bool = False,
        crop: CropPlace = "host",
        graph: bool = False,
    ):
        policy, device = policy or Policy(), torch.device(device)
        self._locator = Locator(network, config, policy, device, diagnostics, crop, graph)
        self._target: Target | None = None

    @property
    def network(self) -> Callable[..., Output]:
        """What computes."""
        return self._locator.network

    @property
    def config(self) -> ModelConfig:
        """Sizes of the network and of its crops."""
        return self._locator.config

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return self._locator.device

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on an RGB uint8 ``frame`` with the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: the frame or the box cannot be used; see :func:`trackcore.tracker.check_box`.
        """
        self._target = self._locator.start(frame, box)

    def set_box(self, box: np.ndarray) -> None:
        """Go on from a corrected box (x, y, w, h in pixels of the last frame). Raises ValueError: it is none."""
        self._running().correct(box)

    def _running(self) -> Target:
        if self._target is None:
            raise RuntimeError("the tracker has no target yet: call init(frame, box) first")
        return self._target

    def update(self, frame: np.ndarray) -> Prediction:
        """Locate the target in the next RGB uint8 frame.

        Returns:
            Box in pixels, ``score`` of the network at the peak, whether the target is ``lost``, and the windowed score
            as ``extras["response"]``.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            RuntimeError: :meth:`init` was not called, or the network's output is NaN or infinite.
        """
        return self._locator.locate(frame, [self._running()])[0]


class MultiTargetTracker:
    """Follows several targets, all of them in one batch; implements :class:`trackcore.tracker.MultiTracker`.

    Targets may come and go: :meth:`add` gives each a number that no other gets. Arguments are those of
    :class:`OneStreamTracker`.
    """

    def __init__(
        self,
        network: Callable[..., Output],
        config: ModelConfig,
        *,
        policy: Policy | None = None,
        device: torch.device | str = "cpu",
        diagnostics: bool = False,
        crop: CropPlace = "host",
        graph: bool = False,
    ):
        policy, device = policy or Policy(), torch.device(device)
        self._locator = Locator(network, config, policy, device, diagnostics, crop, graph)
        self._targets: dict[int, Target] = {}
        self._next = 0

    @property
    def config(self) -> ModelConfig:
        """Sizes of the network and of its crops."""
        return self._locator.config

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return self._locator.device

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the targets, in the order of the predictions."""
        return tuple(self._targets)

    def init(self, frame: np.ndarray, boxes: Sequence[np.ndarray]) -> None:
        """Start on an RGB uint8 ``frame`` with a target at each box (x, y, w, h in pixels), numbered from 0.

        Raises:
            ValueError: the frame or a box cannot be used; earlier targets are then still there.
        """
        self._targets = dict(enumerate(self._locator.start(frame, box) for box in boxes))
        self._next = len(self._targets)

    def add(self, frame: np.ndarray, box: np.ndarray) -> int:
        """Follow one more target from this frame on; returns its number. Raises ValueError as :meth:`init`."""
        self._targets[self._next] = self._locator.start(frame, box)
        self._next += 1
        return self._next - 1

    def remove(self, number: int) -> None:
        """Follow a target no longer. Raises KeyError: there is none of this number."""
        del self._targets[number]

    def set_box(self, number: int, box: np.ndarray) -> None:
        """Go on from a corrected box of a target. Raises KeyError: there is none; ValueError: it is no box."""
        self._targets[number].correct(box)

    def update(self, frame: np.ndarray) -> list[Prediction]:
        """Locate all targets in the next RGB uint8 frame, in the order of :attr:`numbers`.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            RuntimeError: the network's output is NaN or infinite.
        """
        return self._locator.locate(frame, list(self._targets.values()))
