"""Options that several verbs share: which network, how it is run, and how the tracker reacts to its score."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from onestream_track.cli import PROGRAM, UsageError
from onestream_track.config import Policy
from onestream_track.shipped import SHIPPED

Many = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(frozen=True)
class NetworkChoice:
    """Which network."""

    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pth.tar; by default the tiny model that comes
    with the package"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell (see `onestream-track recipes`)"""

    def described(self) -> dict[str, Any]:
        """``weights`` and ``recipe`` for :mod:`onestream_track.loading`; says so when no weights are given."""
        weights = self.weights
        if weights is None and self.recipe is None:
            weights = SHIPPED
            print(f"{PROGRAM}: no --weights: the tiny model that comes with the package", file=sys.stderr)
        elif weights is None:
            print(
                f"{PROGRAM}: no --weights: {self.recipe!r} runs with random weights and its boxes mean nothing",
                file=sys.stderr,
            )
        return {"weights": None if weights is None else str(weights), "recipe": self.recipe}


@dataclass(frozen=True)
class TrackerChoice(NetworkChoice):
    """Which tracker, and how it is run."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16", "int8"] = "fp32"
    """of the backbone; with openvino of all of the network; int8 for networks exported with it"""
    backend: Literal["torch", "compile", "graph", "onnx", "openvino"] = "torch"
    """what computes; graph is a CUDA graph; for onnx and openvino --weights is a folder of `onestream-track export`"""
    crop: Literal["host", "device"] = "host"
    """where search crops are cut; on the device a pixel may differ by one grey level"""
    policy: Policy = field(default_factory=Policy)
    """how the tracker reacts to its own score"""
    as_published: bool = False
    """react as published where no flag says otherwise, not as the card of the weights recommends"""

    def options(self) -> dict[str, Any]:
        """Arguments for :func:`onestream_track.loading.create`, plain values all of them.

        The policy holds what differs from the published behaviour alone, so that results are known by it; the rest is
        as the card of the weights recommends, unless ``as_published``.

        Raises:
            UsageError: an exported network is asked for and no folder of one is given.
        """
        if self.backend in ("onnx", "openvino") and self.weights is None:
            raise UsageError(f"--backend {self.backend} needs --weights, a folder of `onestream-track export`")
        usual = asdict(Policy())
        policy = {name: v for name, v in asdict(self.policy).items() if self.as_published or v != usual[name]}
        chosen = {name: getattr(self, name) for name in ("device", "precision")}
        if self.backend != "torch":
            chosen["backend"] = self.backend
        if self.crop != "host":
            chosen["crop"] = self.crop
        return self.described() | chosen | ({"policy": policy} if policy else {})


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
