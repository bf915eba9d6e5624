"""Building refiners: from weights or an exported folder, ready for inference, on a device or in another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from alpha_refine.confidence import Confidence
from alpha_refine.crops import Border, Coordinates
from alpha_refine.folding import prepare
from alpha_refine.network import RefinementNetwork, build
from alpha_refine.recipes import get_recipe
from alpha_refine.refiner import Refiner
from alpha_refine.weights import load_network
from trackcore.devices import pick_device

Precision = Literal["fp32", "bf16", "fp16"]
Backend = Literal["torch", "compile", "onnx", "openvino"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_EXPORTED = ("onnx", "openvino")


def load_refiner(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: Backend = "torch",
    border: Border | None = None,
    coordinates: Coordinates | None = None,
    confidence: Confidence = "peak",
) -> Refiner:
    """Build a refiner, made ready for inference.

    Args:
        weights: own ``.safetensors`` or a published ``.pth.tar``; for the backends ``onnx`` and ``openvino`` the folder
            that ``alpha-refine export`` wrote. None leaves fresh random weights, which is only good for trying things
            out.
        recipe: name of the network's recipe; None takes what the weights say.
        device: see :func:`trackcore.devices.pick_device`; exported refiners run on the CPU.
        precision: of the backbone; neck and heads run in float32. OpenVINO runs all of the network in it.
        backend: ``torch`` as it is, ``compile`` through ``torch.compile`` (the first calls take long), ``onnx`` in ONNX
            Runtime, ``openvino`` in OpenVINO.
        border, coordinates: see :mod:`alpha_refine.crops`; None takes what the network was trained with.
        confidence: see :func:`alpha_refine.confidence.confidence`.

    Raises:
        CheckpointError: the weights cannot be read, or fit another network.
        ExportError: there is no exported refiner, not for this backend, or not in this precision.
        UnknownRecipeError: no such recipe.
        ValueError: neither weights nor recipe, or an unknown backend, precision or device.
    """
    if precision not in _DTYPES:
        raise ValueError(f"precision must be one of {', '.join(_DTYPES)}, got {precision!r}")
    if backend not in (*_EXPORTED, "torch", "compile"):
        raise ValueError(f"backend must be torch, compile, onnx or openvino, got {backend!r}")
    if backend in _EXPORTED:
        from alpha_refine.exporting import open_exported  # optional dependencies

        if weights is None or recipe is not None or device not in ("auto", "cpu"):
            raise ValueError(f"the backend {backend} takes a folder of `alpha-refine export` as weights, and the CPU")
        network = open_exported(weights, backend, precision=_HINTS[precision])
        chosen = torch.device("cpu")
    else:
        chosen = pick_device(device)
        network = _load(weights, recipe, precision).to(chosen)
        if backend == "compile":
            network.search = torch.compile(network.search)
    config = network.config
    return Refiner(
        network,
        config,
        device=chosen,
        border=border or config.border,
        coordinates=coordinates or config.coordinates,
        confidence=confidence,
    )


def _load(weights: str | Path | None, recipe: str | None, precision: Precision) -> RefinementNetwork:
    if weights is None and recipe is None:
        raise ValueError("give weights (a .safetensors or .pth.tar file) or the name of a recipe")
    network = load_network(weights, recipe) if weights is not None else build(get_recipe(recipe).model)
    prepare(network).feature_extractor.to(_DTYPES[precision])
    return network
