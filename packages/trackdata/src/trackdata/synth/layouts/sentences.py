"""A sentence about the target, for datasets that come with language."""

from __future__ import annotations

from trackdata.synth.layouts.classes import NAMES
from trackdata.synth.sequence import SynthSequence
from trackdata.synth.world.worlds import World

_PLACES = {
    "meadow": "in the open",
    "street": "in a street",
    "room": "in a room",
    "aerial": "seen from above",
    "sky": "in the sky",
    "underwater": "under water",
    "sea": "on the sea",
    "table": "on a table",
    "close": "in front of a blurred background",
}


def describe(sequence: SynthSequence) -> str:
    """For example ``the bird in the upper left in the sky``: what, where at first, and in which place."""
    track = sequence.tracks[0]
    width, height = sequence.scene.size
    x, y, w, h = track.boxes[0]
    column = int(3 * (x + w / 2) / width)
    row = int(3 * (y + h / 2) / height)
    where = " ".join(filter(None, (("upper", "", "lower")[min(row, 2)], ("left", "middle", "right")[min(column, 2)])))
    place = _PLACES[sequence.scene.place.kind] if isinstance(sequence.scene, World) else "among others"
    return f"the {NAMES[track.object_class].word} in the {where} {place}"
