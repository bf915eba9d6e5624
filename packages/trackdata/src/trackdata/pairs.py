"""Template and search pairs for training: jitter, crop, augment, normalise, with every random number explicit.

:func:`process_pair` is a pure function of two frames, two boxes and :class:`PairParameters`; :func:`draw_parameters` is
the only place that asks a generator. :class:`PairSource` joins them to a mixture of datasets: (epoch, index) in, arrays
out.

The steps and their order are those of the published one-stream trackers (OSTrack, ECCV 2022; DropTrack, CVPR 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from trackcore.crops import CropError, box_in_crop, crop
from trackdata.faults import RejectedSample
from trackdata.sampling import Draw, MixtureSampler, draw_until_usable, sample_generator

CELL = 16  # pixels a side of the cells whose padding decides about a rejection; the published value for every network


@dataclass(frozen=True)
class Region:
    """How one crop is cut.

    Attributes:
        size: side of the crop in pixels.
        factor: side of the window relative to sqrt(w h) of the jittered box.
        center_jitter: the centre moves by up to half of this, relative to sqrt(w h), in x and in y.
        scale_jitter: standard deviation of the logarithm of width and height.
    """

    size: int
    factor: float
    center_jitter: float = 0.0
    scale_jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.factor <= 0 or min(self.center_jitter, self.scale_jitter) < 0:
            raise ValueError(f"size and factor must be positive and jitters not negative, got {self}")


@dataclass(frozen=True)
class PairConfig:
    """Everything that decides what a pair looks like, except the random numbers.

    Attributes:
        template, search: the two crops.
        training: False leaves out brightness and the second flip; jitter, grey and the joint flip stay, as published.
        gray_probability: both frames become grey together.
        flip_probability: both frames are mirrored together.
        second_flip_probability: each crop is mirrored on its own.
        brightness: each crop is multiplied by a factor from ``[1 - brightness, 1 + brightness]``.
        mean, std: of RGB in [0, 1], for normalisation.
        flip_convention: "published" mirrors boxes with x -> W - 1 - x in the frame and x -> 1 - x in the crop, one
            pixel off in both; "consistent" moves boxes exactly as pixels move.
        published_border: see :func:`trackcore.crops.crop`.
    """

    template: Region = Region(size=128, factor=2.0)
    search: Region = Region(size=256, factor=4.0, center_jitter=3.0, scale_jitter=0.25)
    training: bool = True
    gray_probability: float = 0.05
    flip_probability: float = 0.5
    second_flip_probability: float = 0.5
    brightness: float = 0.2
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    flip_convention: Literal["published", "consistent"] = "published"
    published_border: bool = True

    def __post_init__(self) -> None:
        if self.flip_convention not in ("published", "consistent"):
            raise ValueError(f"flip_convention is 'published' or 'consistent', got {self.flip_convention!r}")
        for name in ("gray_probability", "flip_probability", "second_flip_probability", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")


@dataclass(frozen=True)
class RegionParameters:
    """Random numbers of one crop.

    Attributes:
        normal: standard normal, for the logarithms of width and height.
        uniform: in [0, 1), for the centre's x and y.
        brightness: factor on the pixel values.
        flip: mirror the crop.
    """

    normal: tuple[float, float] = (0.0, 0.0)
    uniform: tuple[float, float] = (0.5, 0.5)
    brightness: float = 1.0
    flip: bool = False


@dataclass(frozen=True)
class PairParameters:
    """Random numbers of one pair. The defaults change nothing."""

    gray: bool = False
    flip: bool = False
    template: RegionParameters = RegionParameters()
    search: RegionParameters = RegionParameters()


@dataclass(frozen=True)
class View:
    """One processed crop.

    Attributes:
        image: ``(3, S, S)`` float32 RGB, normalised.
        box: ``(4,)`` float64 x, y, w, h of the target, divided by S; may reach beyond [0, 1].
        padding: ``(S, S)`` bool, True where the crop shows no image.
        mask: ``(S, S)`` float32, the target's mask, or None.
    """

    image: np.ndarray
    box: np.ndarray
    padding: np.ndarray
    mask: np.ndarray | None


@dataclass(frozen=True)
class Pair:
    """A template and a search view of the same target."""

    template: View
    search: View


def draw_parameters(rng: np.random.Generator, config: PairConfig) -> PairParameters:
    """Draw the random numbers of one pair. Always consumes the same amount of randomness for the same ``training``."""

    def region() -> RegionParameters:
        normal = tuple(rng.standard_normal(2).tolist())
        uniform = tuple(rng.random(2).tolist())
        if not config.training:
            return RegionParameters(normal, uniform)
        brightness = rng.uniform(1 - config.brightness, 1 + config.brightness)
        return RegionParameters(normal, uniform, brightness, bool(rng.random() < config.second_flip_probability))

    gray, flip = (rng.random(2) < (config.gray_probability, config.flip_probability)).tolist()
    return PairParameters(gray, flip, region(), region())


def to_gray(frame: np.ndarray) -> np.ndarray:
    """``(H, W, 3)`` uint8 with three equal channels (OpenCV's weights of R, G, B)."""
    return cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def flip_box(box: np.ndarray, width: float) -> np.ndarray:
    """``box`` (x, y, w, h) mirrored at ``width / 2``."""
    return np.array([width - (box[0] + box[2]), box[1], box[2], box[3]])


def jitter_box(box: np.ndarray, parameters: RegionParameters, center_jitter: float, scale_jitter: float) -> np.ndarray:
    """The box a crop is cut around: ``box`` (x, y, w, h in pixels) with random size and, relative to that, place."""
    sides = box[2:] * np.exp(np.array(parameters.normal) * scale_jitter)
    reach = np.sqrt(sides[0] * sides[1]) * center_jitter
    centre = box[:2] + 0.5 * box[2:] + reach * (np.array(parameters.uniform) - 0.5)
    return np.concatenate([centre - 0.5 * sides, sides])


def normalise(
    image: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...], brightness: float = 1.0
) -> np.ndarray:
    """``(S, S, 3)`` uint8 to ``(3, S, S)`` float32: scale to [0, 1], times brightness, clamp, minus mean, over std."""
    # There are only 256 values per channel, so the arithmetic is done on those and looked up.
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    levels = np.clip(levels * np.float32(brightness), 0, 1)
    table = (levels[None] - np.float32(mean)[:, None]) / np.float32(std)[:, None]
    out = np.empty((3, *image.shape[:2]), np.float32)
    for channel in range(3):
        cv2.LUT(cv2.extractChannel(image, channel), table[channel], dst=out[channel])
    return out


def _view(
    frame: np.ndarray,
    box: np.ndarray,
    mask: np.ndarray | None,
    region: Region,
    parameters: RegionParameters,
    config: PairConfig,
) -> View:
    if not np.isfinite(box).all() or (box[2:] < 0).any():
        raise RejectedSample("empty_crop", f"{box.tolist()} is no box: x, y, w, h must be finite, w and h not negative")
    reference = jitter_box(box, parameters, region.center_jitter, region.scale_jitter)
    try:
        cut = crop(frame, reference, region.factor, region.size, mask=mask, published_border=config.published_border)
    except CropError as error:
        raise RejectedSample("empty_crop", str(error)) from error
    if cut.padding.all():
        raise RejectedSample("outside", f"the crop around {reference.tolist()} shows nothing of the image")
    if cut.padding[::CELL, ::CELL].all():
        raise RejectedSample("padded_cells", f"the crop around {reference.tolist()} is padding in every sampled cell")
    image, padding, mask = cut.image, cut.padding, cut.mask
    target = box_in_crop(box, reference, cut.scale, region.size)
    if config.training and parameters.flip:
        image, padding = cv2.flip(image, 1), padding[:, ::-1]
        mask = None if mask is None else mask[:, ::-1]
        # Boxes in the crop are centred on (S - 1) / 2, so mirrored pixels mean x -> (S - 1) / S - x.
        target = flip_box(target, 1.0 if config.flip_convention == "published" else 1.0 - 1.0 / region.size)
    brightness = parameters.brightness if config.training else 1.0
    return View(normalise(image, config.mean, config.std, brightness), target, padding, mask)


def process_pair(
    template_frame: np.ndarray,
    template_box: np.ndarray,
    search_frame: np.ndarray,
    search_box: np.ndarray,
    parameters: PairParameters,
    config: PairConfig,
    masks: tuple[np.ndarray, np.ndarray] | None = None,
) -> Pair:
    """Turn two annotated frames into a training pair.

    Args:
        template_frame, search_frame: ``(H, W, 3)`` RGB uint8; the sizes may differ.
        template_box, search_box: x, y, w, h in pixels of their frame.
        parameters: the random numbers.
        config: everything else.
        masks: ``(H, W)`` target masks of template and search, values 0 to 1; None for datasets without masks.

    Raises:
        RejectedSample: no crop can be cut around a box, or a crop shows (nearly) nothing of the image.
    """

    def prepare(frame: np.ndarray, box: np.ndarray, mask: np.ndarray | None, region: Region, own: RegionParameters):
        box = np.asarray(box, np.float64)
        if parameters.gray:
            frame = to_gray(frame)
        if parameters.flip:
            width = frame.shape[1]
            frame = cv2.flip(frame, 1)  # ten times faster than cropping from a view with negative strides
            mask = None if mask is None else mask[:, ::-1]
            box = flip_box(box, width - 1 if config.flip_convention == "published" else width)
        return _view(frame, box, mask, region, own, config)

    template_mask, search_mask = masks if masks is not None else (None, None)
    return Pair(
        prepare(template_frame, template_box, template_mask, config.template, parameters.template),
        prepare(search_frame, search_box, search_mask, config.search, parameters.search),
    )


@dataclass(frozen=True)
class PairSource:
    """Training samples by number: ``source(epoch, index)`` is a pure function of ``seed``, epoch and index.

    A frame that cannot be read and a pair that is rejected start the draw again (dataset, sequence, frames and random
    numbers), at most ``max_attempts`` times; all of it is counted in the sample's ``faults``.
    """

    mixture: MixtureSampler
    config: PairConfig
    seed: int = 0
    max_attempts: int = 100

    def __post_init__(self) -> None:
        strategy = self.mixture.strategy
        if (strategy.templates, strategy.searches) != (1, 1):
            raise ValueError(f"a pair is one template and one search frame, {strategy} chooses more")

    def __call__(self, epoch: int, index: int) -> dict[str, np.ndarray]:
        """One sample.

        Returns:
            ``template`` ``(3, T, T)`` and ``search`` ``(3, S, S)`` float32; ``template_box`` and ``search_box``
            ``(4,)`` float32 x, y, w, h divided by the crop's side; ``dataset`` int64 ``()``, number of the dataset in
            the mixture; ``faults`` int64 ``(datasets, reasons)``, see :class:`trackdata.faults.FaultCounts`; add them
            over samples.

        Raises:
            SamplingError: nothing usable in ``max_attempts`` draws; the message counts the reasons by dataset.
        """
        rng = sample_generator(self.seed, epoch, index)
        return draw_until_usable(self.mixture, self._process, rng, self.max_attempts)

    def _process(self, rng: np.random.Generator, draw: Draw) -> dict[str, np.ndarray]:
        parameters = draw_parameters(rng, self.config)
        sequence, first, second = draw.sequence, draw.frames.template, draw.frames.search
        template_frame = sequence.frames[first]
        search_frame = template_frame if second == first else sequence.frames[second]
        try:
            pair = process_pair(
                template_frame, sequence.boxes[first], search_frame, sequence.boxes[second], parameters, self.config
            )
        except RejectedSample as error:
            raise RejectedSample(error.reason, f"{sequence.name}: {error}") from error
        return {
            "template": pair.template.image,
            "search": pair.search.image,
            "template_box": pair.template.box.astype(np.float32),
            "search_box": pair.search.box.astype(np.float32),
        }
