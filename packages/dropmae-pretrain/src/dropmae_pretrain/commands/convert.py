"""``dropmae-pretrain convert``: encoders for trackers, for video object segmentation and for timm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class Convert:
    """Write a pre-trained encoder under the names its user expects, with a record of where it comes from."""

    source: tyro.conf.Positional[Path]
    """own weights.safetensors, or a published DropMAE .pth"""
    to: Literal["timm", "onestream", "dropseg"]
    """who will read it"""
    output: Path
    """.safetensors or .pth file to write"""
    frame: Literal["none", "first", "second"] = "none"
    """timm only: whose identity vector is added to the positions"""
    class_token: bool = True
    """timm only: add the class token its models have by default, as zeros"""


def run(words: Sequence[str]) -> int:
    """Convert and print the record; returns 0."""
    asked = tyro.cli(Convert, args=list(words), prog="dropmae-pretrain convert")

    from dropmae_pretrain.export import convert

    card = convert(asked.source, asked.to, asked.output, frame=asked.frame, class_token=asked.class_token)
    for name, value in card.items():
        if value not in (None, {}):
            print(f"{name}: {str(value).strip()}")
    print(f"wrote {asked.output}")
    return 0
