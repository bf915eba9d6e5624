"""Options that several verbs share: which network, and how it is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from sparse_track.cli import PROGRAM, UsageError

Repeated = tyro.conf.UseAppendAction


@dataclass(frozen=True)
class NetworkChoice:
    """Which network."""

    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pkl"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell (see `sparse-track recipes`)"""

    def described(self) -> dict[str, Any]:
        """``weights`` and ``recipe`` for :mod:`sparse_track.loading`.

        Raises:
            UsageError: neither is given.
        """
        if self.weights is None and self.recipe is None:
            raise UsageError("give --weights FILE, or --recipe NAME to try a network without trained weights")
        if self.weights is None:
            print(
                f"{PROGRAM}: no --weights: {self.recipe!r} runs with random weights and its boxes mean nothing",
                file=sys.stderr,
            )
        return {"weights": None if self.weights is None else str(self.weights), "recipe": self.recipe}


@dataclass(frozen=True)
class TrackerChoice(NetworkChoice):
    """Which tracker, and how it is run."""

    configuration: str | None = None
    """published test configuration: got10k, lasot, trackingnet, otb2015, uav123; by default what the weights say"""
    test_lr: float | None = None
    """share of the new size that is taken over; changes the configuration, as do the next two"""
    window_influence: float | None = None
    """weight of the cosine window"""
    penalty_k: float | None = None
    """penalty on changes of size and aspect"""
    search_size: int | None = None
    """side of the search crop in pixels, where it is to differ from the network's"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of all but the last layers, or with openvino of all of the network"""
    backend: Literal["torch", "compile", "onnx", "openvino"] = "torch"
    """what computes; for onnx and openvino --weights is a folder of `sparse-track export`"""

    def options(self) -> dict[str, Any]:
        """Arguments for :func:`sparse_track.loading.create`, plain values all of them."""
        names = ("configuration", "search_size", "device", "precision", "backend")
        chosen = self.described() | {name: getattr(self, name) for name in names}
        changes = {name: getattr(self, name) for name in ("test_lr", "window_influence", "penalty_k")}
        return chosen | {"changes": {name: value for name, value in changes.items() if value is not None} or None}


def parse_box(text: str) -> list[float]:
    """Four numbers of ``--init``.

    Raises:
        UsageError: they are not four.
    """
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


Many = Annotated[tuple[str, ...], Repeated]
