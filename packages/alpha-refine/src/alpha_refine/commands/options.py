"""Options that several verbs share: which refiner, which base tracker, how the two work together."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from alpha_refine.cli import PROGRAM, UsageError
from alpha_refine.rules import Rules, get_rules

Repeated = tyro.conf.UseAppendAction


@dataclass(frozen=True)
class RefinerChoice:
    """Which refiner."""

    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pth.tar"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell (see `alpha-refine recipes`)"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of the backbone, or with openvino of all of the network"""
    backend: Literal["torch", "compile", "onnx", "openvino"] = "torch"
    """what computes; for onnx and openvino --weights is a folder of `alpha-refine export`"""
    border: Literal["published", "exact"] | None = None
    """how crops show the frame's edge; by default as in the network's training"""
    coordinates: Literal["published", "shifted", "exact"] | None = None
    """how boxes are mapped into the frame; by default as in the network's training"""
    confidence: Literal["peak", "entropy"] = "peak"
    """what is read off the corners' heat maps"""

    def options(self) -> dict[str, Any]:
        """Arguments for :func:`alpha_refine.loading.load_refiner`.

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
        return {**asdict(self), "weights": weights}


@dataclass(frozen=True)
class BaseChoice:
    """Which tracker is refined."""

    base: str = "opencv:mil"
    """name of a registered tracker: opencv:mil, opencv:csrt, onestream, ... (an unknown one lists all)"""
    base_option: Annotated[tuple[str, ...], Repeated] = ()
    """KEY=VALUE for the base tracker, such as weights=tiny.safetensors; may be repeated"""

    def options(self) -> dict[str, Any]:
        """Arguments for the base tracker. Values are read as JSON where they are JSON, and as text otherwise.

        Raises:
            UsageError: no key, or no equals sign.
        """
        options = {}
        for text in self.base_option:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise UsageError(f"--base-option is KEY=VALUE, got {text!r}")
            try:
                options[key] = json.loads(value)
            except json.JSONDecodeError:
                options[key] = value
        return options


def asked_rules(words: Sequence[str]) -> Rules:
    """The rules that ``--rules`` names, which other flags then change."""
    try:
        return get_rules(flag_value(words, "--rules") or "default")
    except ValueError as error:
        raise UsageError(str(error)) from error


def flag_value(words: Sequence[str], name: str) -> str | None:
    """The value of a flag, looked up before the flags that depend on it are parsed."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
