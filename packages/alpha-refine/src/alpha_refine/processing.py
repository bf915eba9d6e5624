"""From two annotated frames to a training sample: jitter, crop, augment, normalise, every random number explicit.

:func:`process` is a pure function of frames, boxes and :class:`Draws`; :func:`draw_numbers` alone asks a generator.
:class:`SampleSource` joins them to a mixture of datasets: (epoch, index) in, arrays out. Needs
``pip install alpha-refine[train]``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alpha_refine.config import DataConfig, ModelConfig
from alpha_refine.crops import CropError, Window, box_in_crop, cut, window_of
from alpha_refine.refiner import MEAN, STD
from trackdata.errors import AnnotationError
from trackdata.faults import RejectedSample
from trackdata.pairs import RegionParameters, jitter_box, normalise, to_gray
from trackdata.sampling import Draw, MixtureSampler, draw_until_usable, sample_generator
from trackdata.sequences import Sequence


@dataclass(frozen=True)
class Draws:
    """Random numbers of one sample; the defaults change nothing.

    Attributes:
        gray: both frames become grey.
        search: jitter of the search crop, and its brightness.
        template_brightness: factor on the template's pixel values.
    """

    gray: bool = False
    search: RegionParameters = field(default_factory=RegionParameters)
    template_brightness: float = 1.0


@dataclass(frozen=True)
class Sample:
    """What the network is trained with.

    Attributes:
        template, search: ``(3, S, S)`` float32 RGB, normalised.
        template_box, search_box: ``(4,)`` float64 x, y, w, h in crop pixels, corners moved into [0, S].
        mask: ``(S, S)`` bool, the target in the search crop, or None.
    """

    template: np.ndarray
    search: np.ndarray
    template_box: np.ndarray
    search_box: np.ndarray
    mask: np.ndarray | None


def draw_numbers(rng: np.random.Generator, config: DataConfig, *, training: bool = True) -> Draws:
    """Draw the random numbers of one sample. Validation has jitter and grey frames too, but no brightness."""
    gray = bool(rng.random() < config.gray_probability)
    normal, uniform = tuple(rng.standard_normal(2).tolist()), tuple(rng.random(2).tolist())
    if not training:
        return Draws(gray, RegionParameters(normal, uniform))
    template, search = rng.uniform(1 - config.brightness, 1 + config.brightness, 2).tolist()
    return Draws(gray, RegionParameters(normal, uniform, brightness=search), template)


def process(
    template_frame: np.ndarray,
    template_box: np.ndarray,
    search_frame: np.ndarray,
    search_box: np.ndarray,
    draws: Draws,
    model: ModelConfig,
    data: DataConfig,
    mask: np.ndarray | None = None,
) -> Sample:
    """Turn two annotated frames into a training sample.

    Args:
        template_frame, search_frame: ``(H, W, 3)`` RGB uint8; the sizes may differ.
        template_box, search_box: x, y, w, h in pixels of their frame.
        draws: the random numbers.
        model: sizes and conventions of the crops.
        data: strength of the jitter.
        mask: ``(H, W)`` bool mask of the target in the search frame.

    Raises:
        RejectedSample: no crop can be cut around a box, a crop shows nothing of its frame, or the mask is not of the
            search frame's size.
    """
    if mask is not None and mask.shape != search_frame.shape[:2]:
        raise RejectedSample("annotation", f"a mask of {mask.shape} does not fit a frame of {search_frame.shape[:2]}")
    if draws.gray:
        template_frame, search_frame = to_gray(template_frame), to_gray(search_frame)
    around = jitter_box(np.asarray(search_box, np.float64), draws.search, data.center_jitter, data.scale_jitter)
    template, search = _window(template_box, template_frame, model), _window(around, search_frame, model)
    return Sample(
        template=_picture(template_frame, template, draws.template_brightness, model),
        search=_picture(search_frame, search, draws.search.brightness, model),
        template_box=box_in_crop(template_box, template, model.coordinates),
        search_box=box_in_crop(search_box, search, model.coordinates),
        mask=None if mask is None else cut(mask.astype(np.uint8), search, border=model.border) > 0,
    )


def _window(box: np.ndarray, frame: np.ndarray, model: ModelConfig) -> Window:
    try:
        window = window_of(box, model.factor, model.size)
    except CropError as error:
        raise RejectedSample("empty_crop", str(error)) from error
    if not window.shows(frame.shape[:2]):
        raise RejectedSample("outside", f"the crop around {np.asarray(box).tolist()} shows nothing of the frame")
    return window


def _picture(frame: np.ndarray, window: Window, brightness: float, model: ModelConfig) -> np.ndarray:
    return normalise(cut(frame, window, border=model.border), MEAN, STD, brightness)


@dataclass(frozen=True)
class SampleSource:
    """Training samples by number: ``source(epoch, index)`` is a pure function of ``seed``, epoch and index.

    A frame that cannot be read and a sample that is rejected start the draw again, at most ``max_attempts`` times; all
    of it is counted in the sample's ``faults``.

    Attributes:
        mixture: draws a template and a search frame.
        learn_masks: for each dataset of the mixture, whether its masks are learned from where it has any.
        model, data: sizes, conventions, augmentation.
        training: False leaves out brightness.
    """

    mixture: MixtureSampler
    learn_masks: tuple[bool, ...]
    model: ModelConfig
    data: DataConfig
    training: bool = True
    seed: int = 0
    max_attempts: int = 100

    def __call__(self, epoch: int, index: int) -> dict[str, np.ndarray]:
        """One sample.

        Returns:
            ``template`` and ``search`` ``(3, S, S)`` float32; ``template_box`` and ``search_box`` ``(4,)`` float32
            x, y, w, h in crop pixels; for networks with a mask head ``mask`` ``(S, S)`` bool and ``has_mask`` bool
            ``()``; ``dataset`` int64 ``()`` and ``faults`` int64 ``(datasets, reasons)``, see
            :func:`trackdata.sampling.draw_until_usable`.

        Raises:
            SamplingError: nothing usable in ``max_attempts`` draws; the message counts the reasons by dataset.
        """
        rng = sample_generator(self.seed, epoch, index)
        return draw_until_usable(self.mixture, self._process, rng, self.max_attempts)

    def _process(self, rng: np.random.Generator, draw: Draw) -> dict[str, np.ndarray]:
        draws = draw_numbers(rng, self.data, training=self.training)
        sequence, first, second = draw.sequence, draw.frames.template, draw.frames.search
        template_frame = sequence.frames[first]
        search_frame = template_frame if second == first else sequence.frames[second]
        wanted = self.model.mask_head != "none"
        mask = _mask(sequence, second) if wanted and self.learn_masks[draw.dataset] else None
        boxes = sequence.boxes[first], sequence.boxes[second]
        try:
            sample = process(template_frame, boxes[0], search_frame, boxes[1], draws, self.model, self.data, mask)
        except RejectedSample as error:
            raise RejectedSample(error.reason, f"{sequence.name}: {error}") from error
        arrays = {
            "template": sample.template,
            "search": sample.search,
            "template_box": sample.template_box.astype(np.float32),
            "search_box": sample.search_box.astype(np.float32),
        }
        if wanted:
            side = self.model.size
            arrays["mask"] = np.zeros((side, side), bool) if sample.mask is None else sample.mask
            arrays["has_mask"] = np.array(sample.mask is not None)
        return arrays


def _mask(sequence: Sequence, frame: int) -> np.ndarray | None:
    if sequence.masks is None:
        return None
    try:
        return sequence.masks(frame)
    except AnnotationError as error:
        raise RejectedSample("annotation", str(error)) from error
