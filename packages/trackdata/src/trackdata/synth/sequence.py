"""Generated sequences in memory, with the same pixels and numbers that the writer puts on disk."""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property

import cv2
import numpy as np

from trackdata.sequences import Sequence
from trackdata.synth.annotations import Annotation, ObjectMasks, Track, annotate, label_map
from trackdata.synth.challenges import challenge_frames
from trackdata.synth.config import SynthConfig
from trackdata.synth.stages import Renderer, Stage, conditions, jpeg_quality, object_masks, open_renderer, sample_stage


class SynthSequence:
    """One generated video. Annotations come from geometry; frames are rendered when asked for.

    Attributes:
        name: GOT-10k's folder name, counting from 1.
        scene: the parameters of everything in it.
    """

    def __init__(self, name: str, scene: Stage) -> None:
        self.name = name
        self.scene = scene

    def __len__(self) -> int:
        return self.scene.frames

    @cached_property
    def _renderer(self) -> Renderer:
        return open_renderer(self.scene)

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Annotations of every object, the target first."""
        frames = [self.annotations(index) for index in range(len(self))]
        return tuple(map(Track.join, self.scene.classes, zip(*frames, strict=True)))

    def annotations(self, index: int) -> tuple[Annotation, ...]:
        """Of every object in frame ``index``, the target first."""
        return tuple(annotate(masks) for masks in self.masks(index))

    @property
    def boxes(self) -> np.ndarray:
        """``(N, 4)`` float64 x, y, w, h of the target; zeros where it is out of view."""
        return self.tracks[0].boxes

    @property
    def cover(self) -> np.ndarray:
        """``(N,)`` int, visible eighths of the target, 0 to 8."""
        return self.tracks[0].cover

    @property
    def absence(self) -> np.ndarray:
        """``(N,)`` bool, nothing of the target is visible."""
        return self.tracks[0].absent

    @property
    def cut_by_image(self) -> np.ndarray:
        """``(N,)`` bool, the target sticks out of the image."""
        return self.tracks[0].cut

    @cached_property
    def challenge_frames(self) -> dict[str, np.ndarray]:
        """Where each challenge of :mod:`trackdata.synth.challenges` holds for the target: name to ``(N,)`` bool."""
        return challenge_frames(self.tracks[0], conditions(self.scene), self.scene.size)

    @property
    def challenges(self) -> tuple[str, ...]:
        """Names of the challenges that hold in some frame."""
        return tuple(name for name, holds in self.challenge_frames.items() if holds.any())

    def masks(self, index: int) -> tuple[ObjectMasks, ...]:
        """The pixels of every object in frame ``index``, the target first."""
        return object_masks(self.scene, index)

    def mask(self, index: int) -> np.ndarray:
        """``(H, W)`` bool: the target's visible pixels in frame ``index``."""
        return self.masks(index)[0].visible

    def labels(self, index: int) -> np.ndarray:
        """``(H, W)`` uint8: visible pixels of the target are 1, of the other objects 2, 3 and so on, of all else 0."""
        return label_map([masks.visible for masks in self.masks(index)])

    def jpeg(self, index: int) -> bytes:
        """Frame ``index`` as a JPEG file. Raises IndexError."""
        bgr = cv2.cvtColor(self._renderer.frame(index), cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality(self.scene)])
        return data.tobytes()

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index`` as it reads back from disk: RGB uint8 ``(H, W, 3)``. Raises IndexError."""
        data = np.frombuffer(self.jpeg(index), np.uint8)
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def frames(self) -> Iterator[np.ndarray]:
        """All frames in order."""
        return (self.frame(index) for index in range(len(self)))


def sequence_name(split: str, index: int) -> str:
    """GOT-10k's name of the zero-based ``index``-th sequence: ``GOT-10k_Train_000001`` for the first of "train"."""
    return f"GOT-10k_{split.capitalize()}_{index + 1:06d}"


def generate_sequence(seed: int, split: str, index: int, config: SynthConfig | None = None) -> SynthSequence:
    """The ``index``-th sequence (zero-based) of ``split``: a pure function of the arguments.

    Raises:
        ValueError: a negative seed or index, or a split that cannot name a folder.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must not be negative, got seed {seed} and index {index}")
    if not re.fullmatch(r"\w[\w-]*", split):
        raise ValueError(f"split must be letters and digits, such as train or val, got {split!r}")
    rng = np.random.default_rng([seed, zlib.crc32(split.encode()), index])
    return SynthSequence(sequence_name(split, index), sample_stage(rng, config or SynthConfig()))


class RenderedFrames:
    """Frames of a generated sequence that stay in memory once rendered."""

    def __init__(self, sequence: SynthSequence) -> None:
        self._sequence = sequence
        self._rendered: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._sequence)

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``; a copy. Raises IndexError."""
        if index not in self._rendered:
            self._rendered[index] = self._sequence.frame(index)
        return self._rendered[index].copy()


class SynthDataset:
    """Generated sequences as a dataset, without files.

    Args:
        seed, split, sequences, config: which and how many sequences; see ``generate_sequence``.
        keep: sequences whose rendered frames stay in memory, the latest used.
    """

    still = False

    def __init__(
        self, seed: int, split: str, sequences: int, config: SynthConfig | None = None, keep: int = 32
    ) -> None:
        if sequences < 1:
            raise ValueError(f"sequences must be at least 1, got {sequences}")
        self.name = f"synth_{split}"
        self.config = config or SynthConfig()
        self._seed, self._split, self._sequences, self._keep = seed, split, sequences, keep
        self._built: OrderedDict[int, Sequence] = OrderedDict()

    def __len__(self) -> int:
        return self._sequences

    def __getitem__(self, index: int) -> Sequence:
        """Sequence ``index``. Raises IndexError."""
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index} of {self.name}, which has {len(self)}")
        if index not in self._built:
            self._built[index] = as_sequence(generate_sequence(self._seed, self._split, index, self.config))
        self._built.move_to_end(index)
        if len(self._built) > self._keep:
            self._built.popitem(last=False)
        return self._built[index]


def as_sequence(generated: SynthSequence) -> Sequence:
    """``generated`` with the same annotations a GOT-10k reader finds in its files."""
    boxes, cover, absent = generated.boxes, generated.cover, generated.absence
    valid = (boxes[:, 2:] > 0).all(axis=1)
    width, height = generated.scene.size
    return Sequence(
        name=generated.name,
        frames=RenderedFrames(generated),
        boxes=boxes,
        valid=valid,
        visible=valid & ~absent & (cover > 0),
        absent=absent,
        object_class=generated.tracks[0].object_class,
        attributes={"cover": cover, "cut_by_image": generated.cut_by_image, "resolution": (width, height)},
        masks=generated.mask,
    )
