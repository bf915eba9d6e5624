"""Building trackers: from weights or an exported folder, on a device or in another runtime."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from onestream_track.config import EXPORTED_CARD, ModelConfig, Policy
from onestream_track.network import OneStreamNetwork, Output, build
from onestream_track.pretrained import load_tracker
from onestream_track.recipes import get_recipe
from onestream_track.shipped import SHIPPED
from onestream_track.targets import CropPlace
from onestream_track.tracker import MultiTargetTracker, OneStreamTracker
from trackcore import checkpoints
from trackcore.devices import pick_device
from trackcore.recipes import from_yaml

Precision = Literal["fp32", "bf16", "fp16", "int8"]
Backend = Literal["torch", "compile", "graph", "onnx", "openvino"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "int8"}
_EXPORTED = ("onnx", "openvino")


def model_of(checkpoint: checkpoints.Checkpoint) -> ModelConfig | None:
    """The network a checkpoint belongs to: from its card, or from the shapes of a published file; None if unclear.

    Published files of networks with and without elimination are the same; elimination is assumed.
    """
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        return from_yaml(ModelConfig, card["model"])
    table = checkpoint.state.get("backbone.pos_embed_x")
    if table is None or table.shape[2] != 768:
        return None
    family = "droptrack" if "backbone.temporal_pos_embed_x" in checkpoint.state else "ostrack"
    size = {256: 256, 576: 384}.get(table.shape[1])
    if size is None or (family, size) == ("droptrack", 256):
        return None
    return get_recipe(f"{family}/vitb_{size}_mae_ce_32x4_ep300").model


def create(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    policy: Policy | Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: Backend = "torch",
    threads: int | None = None,
    diagnostics: bool = False,
    crop: CropPlace = "host",
) -> OneStreamTracker:
    """Build a tracker (registered as ``onestream``).

    Args:
        weights: own ``.safetensors`` (whose card names the network) or a published ``.pth.tar``; for the backends
            ``onnx`` and ``openvino`` the folder that ``onestream-track export`` wrote. None takes the tiny model that
            comes with the package, or for a recipe fresh random weights, which are only good for trying things out.
        recipe: the network; None takes what the weights say.
        policy: how the tracker reacts to its score, whole or by what differs from :func:`recommended_policy`.
        device: see :func:`trackcore.devices.pick_device`; exported networks run on the CPU.
        precision: of the backbone; the head always runs in float32. OpenVINO runs all of the network in it. ``int8``
            is for networks exported with it.
        backend: ``torch`` as it is, ``compile`` through ``torch.compile`` (the first calls take long), ``graph`` as a
            CUDA graph, ``onnx`` in ONNX Runtime, ``openvino`` in OpenVINO.
        threads: of exported networks; None leaves it to the runtime.
        diagnostics, crop: see :class:`onestream_track.tracker.OneStreamTracker`.

    Raises:
        CheckpointError: the weights cannot be read, or fit another network.
        ExportError: there is no exported network, not for this backend, or not in this precision.
        UnknownRecipeError: no such recipe.
        ValueError: weights that do not tell the network, or an unknown name of anything.
    """
    network, config, place = _network(weights, recipe, device, precision, backend, threads)
    how = {"policy": _policy(policy, weights, recipe), "device": place, "diagnostics": diagnostics, "crop": crop}
    return OneStreamTracker(network, config, graph=backend == "graph", **how)


def create_multi(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    policy: Policy | Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: Backend = "torch",
    threads: int | None = None,
    diagnostics: bool = False,
    crop: CropPlace = "host",
) -> MultiTargetTracker:
    """Build a tracker of several targets at once; arguments and errors are those of :func:`create`."""
    network, config, place = _network(weights, recipe, device, precision, backend, threads)
    how = {"policy": _policy(policy, weights, recipe), "device": place, "diagnostics": diagnostics, "crop": crop}
    return MultiTargetTracker(network, config, graph=backend == "graph", **how)


def recommended_policy(weights: str | Path | None = None, recipe: str | None = None) -> Policy:
    """What the card of weights, or of an exported folder, recommends: the recipe's policy when they were trained.

    Without weights that of the recipe, or of the model that comes with the package. Published files have no card and
    get the published behaviour.
    """
    if weights is None and recipe is not None:
        return get_recipe(recipe).policy
    path = Path(SHIPPED if weights is None else weights)
    card = path / EXPORTED_CARD if path.is_dir() else path.with_suffix(".json")
    if not (path.is_dir() or path.suffix == ".safetensors") or not card.is_file():
        return Policy()
    return Policy(**json.loads(card.read_text(encoding="utf-8")).get("policy", {}))


def _policy(given: Policy | Mapping[str, Any] | None, weights: str | Path | None, recipe: str | None) -> Policy:
    if isinstance(given, Policy):
        return given
    given = given or {}
    if unknown := set(given) - {field.name for field in fields(Policy)}:
        known = ", ".join(field.name for field in fields(Policy))
        raise ValueError(f"a policy has no {', '.join(sorted(unknown))} (known: {known})")
    return replace(recommended_policy(weights, recipe), **given)


def _network(
    weights: str | Path | None,
    recipe: str | None,
    device: str,
    precision: Precision,
    backend: Backend,
    threads: int | None,
) -> tuple[Callable[..., Output], ModelConfig, torch.device]:
    if precision not in _HINTS:
        raise ValueError(f"precision must be one of {', '.join(_HINTS)}, got {precision!r}")
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    if backend in _EXPORTED:
        from onestream_track.exporting import open_exported  # optional dependencies

        if weights is None or recipe is not None or device not in ("auto", "cpu"):
            raise ValueError(
                f"the backend {backend} takes a folder of `onestream-track export` as weights, and the CPU"
            )
        exported = open_exported(weights, backend, precision=_HINTS[precision], threads=threads)
        return exported, exported.config, torch.device("cpu")
    if precision not in _DTYPES:
        raise ValueError(f"precision {precision} needs the backend onnx or openvino and a network exported with it")
    place = pick_device(device)
    if backend == "graph" and place.type != "cuda":
        raise ValueError(f"the backend graph needs a CUDA device, got {place.type}")
    network = load_network(weights, recipe)
    network.backbone.to(_DTYPES[precision])
    network.to(place)
    return torch.compile(network) if backend == "compile" else network, network.config, place


def load_network(weights: str | Path | None = None, recipe: str | None = None) -> OneStreamNetwork:
    """A network on the CPU, in eval mode and without gradients; arguments and errors are those of :func:`create`."""
    if weights is None and recipe is None:
        weights = SHIPPED
    checkpoint = checkpoints.load(weights) if weights is not None else None
    config = get_recipe(recipe).model if recipe is not None else model_of(checkpoint)
    if config is None:
        raise ValueError(f"{weights} ({checkpoint.kind}) does not say which network it is for: name its recipe")
    network = build(config)
    if checkpoint is not None:
        load_tracker(network, checkpoint)
    return network.eval().requires_grad_(False)
