"""Building segmenters by name: from weights or an exported folder, on a device or in another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from dropseg_vos.backends import Backend, TorchBackend
from dropseg_vos.network import build
from dropseg_vos.recipes import get_recipe
from dropseg_vos.segmenter import Segmenter
from dropseg_vos.sizes import Sizing
from dropseg_vos.weights import load_network
from trackcore.devices import pick_device

Precision = Literal["fp32", "bf16", "fp16"]
BackendName = Literal["torch", "compile", "onnx", "openvino"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_EXPORTED = ("onnx", "openvino")


def load_backend(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: BackendName = "torch",
) -> Backend:
    """What computes; arguments and errors as for :func:`load_segmenter`."""
    if precision not in _DTYPES:
        raise ValueError(f"precision must be one of {', '.join(_DTYPES)}, got {precision!r}")
    if backend not in ("torch", "compile", *_EXPORTED):
        raise ValueError(f"backend must be torch, compile, onnx or openvino, got {backend!r}")
    if weights is None and recipe is None:
        raise ValueError("give weights (a .safetensors or .pth file) or the name of a recipe")
    if backend in _EXPORTED:
        from dropseg_vos.exporting import open_exported  # optional dependencies

        if weights is None or recipe is not None or device not in ("auto", "cpu"):
            raise ValueError(f"the backend {backend} takes a folder of `dropseg-vos export` as weights, and the CPU")
        return open_exported(weights, backend, precision=_HINTS[precision])
    chosen = pick_device(device)
    network = load_network(weights, recipe) if weights is not None else build(get_recipe(recipe).model)
    return TorchBackend(network, chosen, _DTYPES[precision], compiled=backend == "compile")


def load_segmenter(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: BackendName = "torch",
    sizing: Sizing | None = None,
    pairs_per_pass: int = 16,
    keep_probabilities: bool = False,
) -> Segmenter:
    """Build a segmenter.

    Args:
        weights: own ``.safetensors`` or a published ``.pth``; for the backends ``onnx`` and ``openvino`` the folder
            that ``dropseg-vos export`` wrote. None leaves fresh random weights, which is only good for trying things
            out.
        recipe: name of the network's recipe; None takes what the weights say.
        device: see :func:`trackcore.devices.pick_device`; exported programs run on the CPU.
        precision: of the network; probabilities are computed in float32.
        backend: ``torch``, ``compile`` (``torch.compile``; the first call takes long), ``onnx``, ``openvino``.
        sizing: at which size frames are looked at; None limits the short side to what suits the network (480 pixels
            for the published one).
        pairs_per_pass, keep_probabilities: see :class:`~dropseg_vos.segmenter.Segmenter`.

    Raises:
        CheckpointError: the weights cannot be read, or fit another network.
        ExportError: there is no exported program, not for this backend, or not in this precision.
        UnknownRecipeError: no such recipe.
        ValueError: neither weights nor recipe, or an unknown backend, precision or device.
    """
    computing = load_backend(weights, recipe, device=device, precision=precision, backend=backend)
    sizing = sizing or Sizing("limit", computing.config.short_side)
    return Segmenter(computing, sizing=sizing, pairs_per_pass=pairs_per_pass, keep_probabilities=keep_probabilities)
