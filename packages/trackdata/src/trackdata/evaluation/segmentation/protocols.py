"""Which objects and frames of a segmented video count, by benchmark."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trackdata.videos import SegmentedVideo

VOID = 255  # in annotations of DAVIS 2017: neither object nor background


@dataclass(frozen=True)
class MaskProtocol:
    """How the masks of one benchmark are scored.

    Attributes:
        name: what reports call it.
        description: one sentence for the head of a report.
        frames: of every object the frames between the first and the last of the video (``inner``), ``all`` frames,
            those ``after_first``, in which its mask was given, or those ``between`` that one and the last of the video.
        void: whether pixels annotated as 255 are ``background`` or ``excluded``.
        contiguous: objects are all numbers up to the largest in the first annotated frame, those that nothing has
            included; otherwise the objects of the video.
        strays: results with numbers above all objects are an ``error``, or these numbers are ``ignored`` and reported.
        eight_bit_decay: compute the decay as the DAVIS 2017 evaluation does; wrong from 256 frames on.
        nan_spreads: one object without a figure leaves the dataset without it; otherwise the object is left out.
        matched: numbers in results are proposals, up to ``proposals``, and are matched to objects.
        proposal_order: report matched objects in the order of their proposals.
        binary: everything in a result that is not 0 is the one object.
        by_class: report classes that were seen in training apart from others, and the mean of the four.
    """

    name: str
    description: str
    frames: Literal["inner", "all", "after_first", "between"] = "inner"
    void: Literal["background", "excluded"] = "background"
    contiguous: bool = False
    strays: Literal["ignored", "error"] = "ignored"
    eight_bit_decay: bool = False
    nan_spreads: bool = False
    matched: bool = False
    proposals: int = 20
    proposal_order: bool = False
    binary: bool = False
    by_class: bool = False

    def objects(self, video: SegmentedVideo) -> tuple[int, ...]:
        """Numbers of the objects that count. Raises AnnotationError when the first label map cannot be read."""
        if not self.contiguous:
            return video.objects
        labels = video.labels(int(np.flatnonzero(video.annotated)[0]))
        return tuple(range(1, int(labels[labels != VOID].max(initial=0)) + 1))

    def counts(self, video: SegmentedVideo, number: int) -> np.ndarray:
        """``(N,)`` bool: the frames of ``video`` in which object ``number`` is scored."""
        frames = np.arange(len(video))
        first = video.first_frames.get(number, 0)
        chosen = {
            "inner": (frames > 0) & (frames < len(video) - 1),
            "all": frames >= 0,
            "after_first": frames > first,
            "between": (frames > first) & (frames < len(video) - 1),
        }
        return chosen[self.frames] & video.annotated


PROTOCOLS: dict[str, MaskProtocol] = {
    protocol.name: protocol
    for protocol in (
        MaskProtocol(
            "davis2017",
            "DAVIS 2017, semi-supervised: J and F of every object over all frames but the first and the last.",
        ),
        MaskProtocol(
            "davis2017/strict",
            "DAVIS 2017, semi-supervised, as its evaluation program computes it, faults included.",
            contiguous=True,
            strays="error",
            eight_bit_decay=True,
            nan_spreads=True,
        ),
        MaskProtocol(
            "davis2017-unsupervised",
            "DAVIS 2017, unsupervised: up to 20 proposals matched to the objects, all frames, void pixels left out.",
            frames="all",
            void="excluded",
            matched=True,
        ),
        MaskProtocol(
            "davis2017-unsupervised/strict",
            "DAVIS 2017, unsupervised, as its evaluation program computes it, faults included.",
            frames="all",
            void="excluded",
            matched=True,
            contiguous=True,
            strays="error",
            eight_bit_decay=True,
            nan_spreads=True,
            proposal_order=True,
        ),
        MaskProtocol(
            "davis2016",
            "DAVIS 2016: J and F of the one object over all frames but the first and the last.",
            binary=True,
        ),
        MaskProtocol(
            "youtubevos",
            "YouTube-VOS: J and F of every object over annotated frames after the one in which its mask is given.",
            frames="after_first",
            by_class=True,
        ),
        MaskProtocol(
            "pytracking",
            "J and F of every object after the frame in which its mask is given and before the last frame.",
            frames="between",
        ),
        MaskProtocol(
            "folder",
            "J and F of every object over all annotated frames after the one in which it is first seen.",
            frames="after_first",
        ),
    )
}


def mask_protocol(name: str) -> MaskProtocol:
    """The protocol called ``name``. Raises ValueError with the nearest and all known names."""
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    near = difflib.get_close_matches(name, PROTOCOLS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no mask protocol {name!r}{hint} (known: {', '.join(PROTOCOLS)})")
