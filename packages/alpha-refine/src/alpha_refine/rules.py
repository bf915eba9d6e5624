"""When a base tracker's box is replaced by the refined one, what is reported, and what the base is told.

``Rules()`` refines every frame, as published, and keeps the base tracker's box where refining fails. The published
scripts differ from each other; :data:`PUBLISHED` has them by the family of base trackers they were written for.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rules:
    """How a base tracker and a refiner work together.

    Attributes:
        source: where the box comes from. ``corners``: the box head; ``mask``: the largest part of the mask; ``base``:
            the base tracker, so that only a mask is added.
        passes: refinements of a frame, each of the box before it.
        report: ``clipped`` reports the box kept near the frame (:func:`alpha_refine.geometry.clip_to_border`), which is
            also what the base tracker is told; ``refined`` reports it as it is.
        feedback: tell the base tracker the box, where it takes corrections.
        mask: also report a mask.
        mask_threshold: probability above which a pixel belongs to the target.
        min_confidence: below this confidence the box is not replaced. 0 replaces always, as published.
        min_overlap: a box that overlaps the base tracker's by less is not believed (IoU). 0 believes all, as published.
        fallback: keep the base tracker's box where no crop can be cut, the corners cross, or one of the two limits is
            not met. Without it such a frame raises, which ended sequences of the published scripts.
        first_shift: pixels by which the first box is moved right and down before anyone sees it.
        feedback_shift: pixels by which boxes are moved right and down before the base tracker is told. The scripts for
            DiMP, ATOM and ECO took x + w / 2 for centres that these trackers count as x + (w - 1) / 2, half a pixel a
            frame. 0 leaves a box that was not changed where it was.
        margin: in pixels, of keeping boxes near the frame.
    """

    source: Literal["corners", "mask", "base"] = "corners"
    passes: int = 1
    report: Literal["clipped", "refined"] = "clipped"
    feedback: bool = True
    mask: bool = False
    mask_threshold: float = 0.5
    min_confidence: float = 0.0
    min_overlap: float = 0.0
    fallback: bool = True
    first_shift: float = 0.0
    feedback_shift: float = 0.0
    margin: float = 10.0

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise ValueError(f"passes must be at least 1, got {self.passes}")
        for name in ("mask_threshold", "min_confidence", "min_overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.margin < 0:
            raise ValueError(f"margin must not be negative, got {self.margin}")
        if not self.fallback and (self.min_confidence or self.min_overlap):
            raise ValueError("min_confidence and min_overlap need fallback, which is what they do")


PUBLISHED: dict[str, Rules] = {
    "pytracking": Rules(report="refined", fallback=False, first_shift=0.5, feedback_shift=0.5),
    "siamrpn": Rules(fallback=False, first_shift=0.5),
    "siamrpn_mask": Rules(source="mask", fallback=False, first_shift=0.5),
    "rtmdnet": Rules(fallback=False, first_shift=0.5),
    "self": Rules(passes=2, fallback=False, first_shift=0.5),
    "vot2020": Rules(source="base", mask=True, mask_threshold=0.65, fallback=False, feedback_shift=0.5),
}
"""Rules of the published scripts: for DiMP, ATOM and ECO; for SiamRPN++, with boxes or boxes of masks; for RT-MDNet;
for a refiner without base tracker (base ``static``); and for the masks of VOT2020, where boxes are not refined."""


def get_rules(name: str) -> Rules:
    """Rules by name: ``default``, or one of :data:`PUBLISHED`.

    Raises:
        ValueError: no such name; the message has the nearest and all known ones.
    """
    known = {"default": Rules(), **PUBLISHED}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no rules are called {name!r}{hint} (known: {', '.join(known)})")
    return known[name]
