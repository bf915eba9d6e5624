"""Training pairs: two annotated frames to two normalised crops and the target's box in the search crop.

The search crop is drawn around the target with random scale and shift until the target lies in it. Needs ``pip install
sparse-track[train]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from sparse_track import colour
from sparse_track.config import ColourConfig, DataConfig, JitterConfig, ModelConfig
from sparse_track.crops import border_colour, context_side, normalise, sample_square, square_side
from trackdata.faults import RejectedSample
from trackdata.pairs import to_gray
from trackdata.sampling import PairDraw, PairMixture, draw_until_usable, sample_generator


class Placement(NamedTuple):
    """Where a crop is cut, and where the target lies in it.

    Attributes:
        centre: ``(2,)`` x, y of the square's centre in pixels of the frame.
        side: of the square, in pixels of the frame.
        box: ``(4,)`` x1, y1, x2, y2 of the target in pixels of the crop, corners included.
    """

    centre: np.ndarray
    side: float
    box: np.ndarray

    def shows(self, pixels: int) -> bool:
        """Whether the target lies wholly in a crop of ``pixels`` a side."""
        return bool((self.box >= 0).all() and (self.box <= pixels - 1).all())


class Jitter(NamedTuple):
    """How a crop differs from one that is centred on the target.

    Attributes:
        stretch: the target appears smaller by this factor.
        shift: ``(2,)`` the target's distance from the centre, in halves of the square's side.
    """

    stretch: float
    shift: np.ndarray


UNCHANGED = Jitter(1.0, np.zeros(2))


def place(box: np.ndarray, pixels: int, jitter: Jitter, model: ModelConfig, data: DataConfig) -> Placement:
    """Where a crop of ``pixels`` a side is cut around ``box`` (x, y, w, h in pixels of the frame)."""
    size = box[2:]
    scale = model.template_size / context_side(size, data.context) / jitter.stretch
    side = square_side(pixels, scale, data.geometry)
    shift = jitter.shift * side / 2
    centre = (pixels - 1) / 2 + scale * shift
    half = (scale * size - 1) / 2
    return Placement(box[:2] + (size - 1) / 2 - shift, side, np.concatenate([centre - half, centre + half]))


def jitters(numbers: np.ndarray, template: JitterConfig, search: JitterConfig) -> tuple[Jitter, Jitter]:
    """Jitter of template and search crop from six numbers in [0, 1).

    Args:
        numbers: stretch of the search crop (uniform), of the template (uniform in its logarithm), shift of the search
            crop, of the template, in the order in which they are published.
    """
    low, high = 1 / (1 + search.scale), 1 + search.scale
    stretch = low + numbers[0] * (high - low)
    template_stretch = (1 + template.scale) ** (2 * numbers[1] - 1)
    shifts = 2 * numbers[2:] - 1
    return Jitter(template_stretch, template.shift * shifts[2:]), Jitter(stretch, search.shift * shifts[:2])


def place_pair(
    rng: np.random.Generator, template_box: np.ndarray, search_box: np.ndarray, model: ModelConfig, data: DataConfig
) -> tuple[Placement, Placement]:
    """Places of both crops at random, drawn until both show the whole target; without jitter when that fails."""
    for _ in range(data.attempts):
        template, search = jitters(rng.random(6), data.template, data.search)
        placed = (
            place(template_box, model.template_size, template, model, data),
            place(search_box, model.search_size, search, model, data),
        )
        if placed[0].shows(model.template_size) and placed[1].shows(model.search_size):
            return placed
    return (
        place(template_box, model.template_size, UNCHANGED, model, data),
        place(search_box, model.search_size, UNCHANGED, model, data),
    )


class Crops(NamedTuple):
    """A pair of crops ``(S, S, 3)`` uint8, and the target's corners in the search crop, in pixels."""

    template: np.ndarray
    search: np.ndarray
    box: np.ndarray


def cut_pair(
    template_frame: np.ndarray,
    search_frame: np.ndarray,
    placed: tuple[Placement, Placement],
    model: ModelConfig,
    data: DataConfig,
) -> Crops:
    """Cut both crops; what lies outside a frame gets the mean colour of the template's frame in both, as published."""
    border = border_colour(template_frame)
    template, search = (
        sample_square(frame, where.centre, where.side, pixels, border, data.resampling)
        for frame, where, pixels in zip(
            (template_frame, search_frame), placed, (model.template_size, model.search_size), strict=True
        )
    )
    return Crops(template, search, placed[1].box)


def augment(crops: Crops, config: ColourConfig, rng: np.random.Generator) -> Crops:
    """Colour augmentation; always asks for the same amount of randomness for one ``config``."""
    template, search, box = crops
    gray, flip = rng.random(2) < (config.gray_probability, config.flip_probability)
    if gray:
        template, search = to_gray(template), to_gray(search)
    if flip:
        template, search = cv2.flip(template, 1), cv2.flip(search, 1)
        box = np.array([search.shape[1] - 1 - box[2], box[1], search.shape[1] - 1 - box[0], box[3]])
    if config.jitter:
        template, search = (colour.jitter(image, config.jitter, rng) for image in (template, search))
    if config.lighting:
        template, search = (
            colour.lighting(image.astype(np.float32), config.lighting * 255 * rng.standard_normal(3))
            .clip(0, 255)
            .astype(np.uint8)
            for image in (template, search)
        )
    if config.blur_probability:
        template, search = (
            colour.blur(image) if rng.random() < config.blur_probability else image for image in (template, search)
        )
    return Crops(template, search, box)


@dataclass(frozen=True)
class PairSource:
    """Training samples by number: ``source(epoch, index)`` is a pure function of ``seed``, epoch and index.

    A frame that cannot be read starts the draw again, at most ``max_attempts`` times; all of it is counted in the
    sample's ``faults``.
    """

    mixture: PairMixture
    model: ModelConfig
    data: DataConfig
    seed: int = 0
    training: bool = True
    max_attempts: int = 100

    def __call__(self, epoch: int, index: int) -> dict[str, np.ndarray]:
        """One sample.

        Returns:
            ``template`` and ``search`` ``(3, S, S)`` float32 normalised, ``box`` ``(4,)`` float32 corners in pixels of
            the search crop, ``same_target`` bool ``()``, ``dataset`` and ``faults`` as
            :func:`trackdata.sampling.draw_until_usable` has them.
        """
        rng = sample_generator(self.seed, epoch, index)
        return draw_until_usable(self.mixture, self._process, rng, self.max_attempts)

    def _process(self, rng: np.random.Generator, draw: PairDraw) -> dict[str, np.ndarray]:
        boxes = [np.asarray(frame.box, np.float64) for frame in (draw.template, draw.search)]
        for box in boxes:
            if not np.isfinite(box).all() or (box[2:] <= 0).any():
                raise RejectedSample(
                    "empty_crop", f"{box.tolist()} is no box: x, y, w, h must be finite, sides positive"
                )
        placed = place_pair(rng, *boxes, self.model, self.data)
        template = draw.template.sequence.frames[draw.template.frame]
        again = draw.search.sequence is draw.template.sequence and draw.search.frame == draw.template.frame
        search = template if again else draw.search.sequence.frames[draw.search.frame]
        crops = cut_pair(template, search, placed, self.model, self.data)
        if self.training:
            crops = augment(crops, self.data.colour, rng)
        return {
            "template": normalise(crops.template),
            "search": normalise(crops.search),
            "box": crops.box.astype(np.float32),
            "same_target": np.array(draw.positive),
        }
