"""Building trackers: from weights or an exported folder, ready for inference, on a device or in another runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from sparse_track.config import ModelConfig, TrackingConfig
from sparse_track.configurations import get_configuration
from sparse_track.inference import prepare
from sparse_track.network import SparseNetwork, build
from sparse_track.pretrained import load_tracker
from sparse_track.recipes import get_recipe
from sparse_track.tracker import SparseTracker
from trackcore import checkpoints
from trackcore.devices import pick_device
from trackcore.recipes import from_yaml, override

Precision = Literal["fp32", "bf16", "fp16"]
Backend = Literal["torch", "compile", "onnx", "openvino"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_EXPORTED = ("onnx", "openvino")


def create(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    configuration: str | None = None,
    changes: Mapping[str, Any] | None = None,
    search_size: int | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: Backend = "torch",
    threads: int | None = None,
    diagnostics: bool = False,
) -> SparseTracker:
    """Build a tracker (registered as ``sparse``).

    Args:
        weights: own ``.safetensors`` (whose card names the network) or a published ``.pkl``; for the backends ``onnx``
            and ``openvino`` the folder that ``sparse-track export`` wrote. None leaves fresh random weights, which is
            only good for trying things out.
        recipe: the network; None takes what the weights say.
        configuration: name of a published test configuration, see :mod:`sparse_track.configurations`; None takes what
            the weights were trained to be tracked with, and GOT-10k's for published ones.
        changes: hyper-parameters that are to differ from it, by name; see
            :class:`sparse_track.config.TrackingConfig`.
        search_size: side of the search crop in pixels, if it is to differ from the network's: learned positions are
            then interpolated, which the published network does not do.
        device: see :func:`trackcore.devices.pick_device`; exported networks run on the CPU.
        precision: of all but the last layers; OpenVINO runs all of the network in it.
        backend: ``torch`` as it is, ``compile`` through ``torch.compile`` (the first calls take long), ``onnx`` in ONNX
            Runtime, ``openvino`` in OpenVINO.
        threads: of exported networks; None leaves it to the runtime.
        diagnostics: see :class:`sparse_track.tracker.SparseTracker`.

    Raises:
        CheckpointError: the weights cannot be read, or fit another network.
        ExportError: there is no exported network, not for this backend, or not in this precision.
        UnknownRecipeError: no such recipe.
        ValueError: neither weights nor recipe, weights that do not tell the network, or an unknown name of anything.
    """
    if precision not in _DTYPES:
        raise ValueError(f"precision must be one of {', '.join(_DTYPES)}, got {precision!r}")
    if backend not in ("torch", "compile", *_EXPORTED):
        raise ValueError(f"backend must be torch, compile, onnx or openvino, got {backend!r}")
    chosen = get_configuration(configuration) if configuration is not None else None
    if backend in _EXPORTED:
        from sparse_track.exporting import open_exported  # optional dependencies

        if weights is None or recipe is not None or search_size is not None or device not in ("auto", "cpu"):
            raise ValueError(f"the backend {backend} takes a folder of `sparse-track export` as weights, and the CPU")
        network, place = open_exported(weights, backend, precision=_HINTS[precision], threads=threads), "cpu"
        usual = network.tracking
    else:
        place = pick_device(device)
        network, usual = load_network(weights, recipe, search_size=search_size)
        set_precision(prepare(network), _DTYPES[precision]).to(place)
        if backend == "compile":
            network.locate = torch.compile(network.locate)
    tracking = changed(chosen or usual, changes or {})
    return SparseTracker(network, network.config, tracking, device=place, diagnostics=diagnostics)


def changed(tracking: TrackingConfig, changes: Mapping[str, Any]) -> TrackingConfig:
    """Hyper-parameters of which some are to differ.

    Raises:
        ConfigurationError: an unknown name (the nearest is given), or a value that is none.
    """
    for name, value in changes.items():
        tracking = override(tracking, name, value)
    return tracking


def load_network(
    weights: str | Path | None = None, recipe: str | None = None, *, search_size: int | None = None
) -> tuple[SparseNetwork, TrackingConfig]:
    """A network as published, not made ready for inference, and what its tracker is usually told.

    Arguments and errors are those of :func:`create`.
    """
    if weights is None and recipe is None:
        raise ValueError("give weights (a .safetensors or .pkl file) or the name of a recipe")
    checkpoint = checkpoints.load(weights) if weights is not None else None
    told = get_recipe(recipe) if recipe is not None else None
    config = told.model if told is not None else model_of(checkpoint)
    if config is None:
        raise ValueError(f"{weights} ({checkpoint.kind}) does not say which network it is for: name its recipe")
    network = build(config if search_size is None else replace(config, search_size=search_size))
    if checkpoint is not None:
        load_tracker(network, checkpoint)
    tracking = told.tracking if told is not None else tracking_of(checkpoint)
    return network.eval(), tracking


def model_of(checkpoint: checkpoints.Checkpoint) -> ModelConfig | None:
    """The network a checkpoint belongs to: from its card, or from the names of a published file; None if unclear."""
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        return from_yaml(ModelConfig, card["model"])
    table = checkpoint.state.get("neck.decoder.spatial_position_encoding.row_embed.weight")
    return ModelConfig() if table is not None and tuple(table.shape) == (19, 128) else None


def tracking_of(checkpoint: checkpoints.Checkpoint) -> TrackingConfig:
    """The hyper-parameters in a checkpoint's card, or those published for GOT-10k."""
    card = checkpoint.meta.get("card") or {}
    return from_yaml(TrackingConfig, card["tracking"]) if "tracking" in card else get_configuration("got10k")


def set_precision(network: SparseNetwork, dtype: torch.dtype) -> SparseNetwork:
    """Compute everything but the last layers of the head in ``dtype``: a box needs more digits than half precision
    has."""
    head = network.head
    for part in (network.basemodel, network.neck, network.feat_adjuster_z, network.feat_adjuster_x):
        part.to(dtype)
    for part in (head.fc_branch, head.conv_branch):
        part.to(dtype)
    return network
