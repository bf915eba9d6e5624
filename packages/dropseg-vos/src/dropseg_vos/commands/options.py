"""Options that several verbs share: which network, and how it is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from dropseg_vos.cli import PROGRAM, UsageError

Repeated = tyro.conf.UseAppendAction


@dataclass(frozen=True)
class NetworkChoice:
    """Which network."""

    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pth"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell (see `dropseg-vos recipes`)"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of the network; probabilities are computed in float32"""
    backend: Literal["torch", "compile", "onnx", "openvino"] = "torch"
    """what computes; for onnx and openvino --weights is a folder of `dropseg-vos export`"""
    pairs_per_pass: int = 16
    """largest number of (frame, object) pairs computed at once, which bounds the memory"""

    def options(self) -> dict[str, Any]:
        """Arguments for :func:`dropseg_vos.loading.load_segmenter`.

        Raises:
            UsageError: neither weights nor recipe.
        """
        if self.weights is None and self.recipe is None:
            raise UsageError("give --weights FILE, or --recipe NAME to try a network without trained weights")
        if self.weights is None:
            print(
                f"{PROGRAM}: no --weights: {self.recipe!r} runs with random weights and what it says means nothing",
                file=sys.stderr,
            )
        weights = str(self.weights) if self.weights is not None else None
        chosen = {"device": self.device, "precision": self.precision, "backend": self.backend}
        return {"weights": weights, "recipe": self.recipe, "pairs_per_pass": self.pairs_per_pass, **chosen}


def parse_box(text: str) -> list[float]:
    """Four numbers x, y, w, h. Raises UsageError."""
    try:
        box = [float(number) for number in text.replace(" ", ",").split(",") if number]
    except ValueError:
        box = []
    if len(box) != 4:
        raise UsageError(f"--init takes x,y,w,h in pixels, such as 120,80,40,60; got {text!r}")
    return box


def flag_value(words: Sequence[str], name: str) -> str | None:
    """The value of a flag, looked up before the flags that depend on it are parsed."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
