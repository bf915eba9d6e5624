"""The presets of flat shapes keep their pixels: numbers that were measured on them stay comparable."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trackdata.synth import generate_sequence, preset

# Box, number of visible pixels, and an 8 x 6 thumbnail (hexadecimal) of single frames, made when the generator was
# number 1. A digest of the pixels would differ between builds of OpenCV, which may round a grey level otherwise.
CASES = json.loads((Path(__file__).parent / "presets.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_presets_give_the_pixels_they_always_gave(case):
    name, index, frame = case.split("/")
    sequence = generate_sequence(3, "train", int(index), preset(name, frames=40))
    (masks,) = sequence.masks(int(frame))
    assert sequence.boxes[int(frame)].tolist() == CASES[case]["box"]
    assert masks.visible.sum() == pytest.approx(CASES[case]["mask"], abs=2)
    thumbnail = cv2.resize(sequence.frame(int(frame)), (8, 6), interpolation=cv2.INTER_AREA)
    before = np.frombuffer(bytes.fromhex(CASES[case]["picture"]), np.uint8).reshape(6, 8, 3)
    assert np.abs(thumbnail.astype(int) - before).max() <= 1
