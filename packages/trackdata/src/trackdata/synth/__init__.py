"""Procedural video with exact boxes and masks, written in GOT-10k's layout or served from memory.

>>> from trackdata.synth import SynthConfig, generate_sequence
>>> sequence = generate_sequence(seed=0, split="train", index=0, config=SynthConfig(frames=10))
>>> sequence.frame(0).shape, sequence.boxes.shape
((240, 320, 3), (10, 4))
"""

from trackdata.synth.config import PRESETS, SynthConfig, WorldConfig, preset
from trackdata.synth.layouts.got10k import write_got10k
from trackdata.synth.layouts.writer import SynthMismatchError, WriteReport, write_layout
from trackdata.synth.preview import contact_sheet, write_video
from trackdata.synth.scene import Scene
from trackdata.synth.sequence import SynthDataset, SynthSequence, generate_sequence

__all__ = [
    "PRESETS",
    "Scene",
    "SynthConfig",
    "SynthDataset",
    "SynthMismatchError",
    "SynthSequence",
    "WorldConfig",
    "WriteReport",
    "contact_sheet",
    "generate_sequence",
    "preset",
    "write_got10k",
    "write_layout",
    "write_video",
]
