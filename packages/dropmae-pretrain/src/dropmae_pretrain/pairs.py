"""Frame pairs for pre-training: (epoch, index) in, two normalised crops out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dropmae_pretrain.augment import augment, draw_parameters
from dropmae_pretrain.pair_config import PairConfig
from trackdata.clips import read_frames
from trackdata.errors import FrameError
from trackdata.faults import SamplingError
from trackdata.frames import Frames
from trackdata.sampling import ForwardSampler, PassSampler, sample_generator

UNREADABLE, EMPTY = "unreadable videos", "videos without frames"


class Clip(Protocol):
    """What a source draws from: :class:`trackdata.datasets.kinetics.Video`, or a sequence of any other dataset."""

    @property
    def name(self) -> str: ...

    @property
    def frames(self) -> Frames: ...


@dataclass(frozen=True)
class FramePairSource:
    """Training samples by number: ``source(epoch, index)`` is a pure function of ``seed``, epoch and index.

    An epoch goes through all videos once, in an order of its own, then through them again in another order. A video
    that cannot be read is replaced by one drawn from all, and counted.

    Attributes:
        videos: at least one.
        config: which frames and which crops.
        seed: of everything random.
    """

    videos: Sequence[Clip]
    config: PairConfig = field(default_factory=PairConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.videos) == 0:
            raise ValueError("there is no video to draw pairs from")

    @cached_property
    def _order(self) -> PassSampler:
        return PassSampler([len(self.videos)], seed=self.seed)

    def __call__(self, epoch: int, index: int) -> dict[str, Any]:
        """One pair.

        Returns:
            ``first`` and ``second``, each ``(3, S, S)`` float32, the earlier frame first unless they were swapped;
            ``faults``, how often which fault was met on the way, by name.

        Raises:
            SamplingError: no usable video in ``max_attempts``; the message counts the reasons.
        """
        rng = sample_generator(self.seed, epoch, index)
        faults: Counter[str] = Counter()
        last: object = ""
        for attempt in range(self.config.max_attempts):
            video = self.videos[int(rng.integers(len(self.videos))) if attempt else self._scheduled(epoch, index)]
            count = len(video.frames)
            if count == 0:
                faults[EMPTY] += 1
                last = f"{video.name} holds no frames"
                continue
            try:
                images = read_frames(video.frames, self.choose(rng, count))
            except FrameError as error:
                faults[UNREADABLE] += 1
                last = error
                continue
            first, second = self._crop(rng, *images)
            return {"first": first, "second": second, "faults": dict(faults)}
        counted = ", ".join(f"{number} {reason}" for reason, number in faults.items())
        raise SamplingError(f"no pair in {self.config.max_attempts} attempts ({counted}); the last failure was: {last}")

    def choose(self, rng: np.random.Generator, count: int) -> tuple[int, int]:
        """The two frames of a video of ``count`` frames; a single frame makes both."""
        if self.config.kind == "crops":
            frame = int(rng.integers(count))
            return frame, frame
        if count == 1:
            return 0, 0
        choice = ForwardSampler(self.config.gap, reverse=self.config.swap).draw(rng, np.ones(count, bool))
        return choice.template, choice.search

    def _scheduled(self, epoch: int, index: int) -> int:
        """The video whose turn it is: ``index`` may run through the videos several times."""
        turn, place = divmod(index, len(self.videos))
        return self._order.item(epoch + (turn << 32), place).video

    def _crop(self, rng: np.random.Generator, *images: np.ndarray) -> list[np.ndarray]:
        crop = self.config.crop
        if self.config.same_crop and len({image.shape for image in images}) == 1:
            parameters = [draw_parameters(rng, images[0].shape[:2], crop)] * len(images)
        else:
            parameters = [draw_parameters(rng, image.shape[:2], crop) for image in images]
        return [augment(image, chosen, crop) for image, chosen in zip(images, parameters, strict=True)]
