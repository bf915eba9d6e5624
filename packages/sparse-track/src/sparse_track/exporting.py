"""Trackers for ONNX Runtime and OpenVINO: a folder with a graph for the template and one for the search.

::

    export_tracker(*load_network("epoch-19.pkl"), "exported")
    tracker = create("exported", backend="openvino", precision="bf16")

The template's keys and values are an input of the search, as they are in PyTorch, so an exported network serves any
number of targets. Needs ``pip install trackcore[export]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from sparse_track.config import ModelConfig, TrackingConfig
from sparse_track.head import Predictions
from sparse_track.inference import prepare
from sparse_track.neck import KeysValues
from sparse_track.network import SparseNetwork
from trackcore.checkpoints import file_hash, write_atomic
from trackcore.export import ExportError, Parity, Precision, Signature, open_program, write_program
from trackcore.recipes import from_yaml, to_yaml

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
CARD = "tracker.json"
OUTPUTS = ("fc_logits", "conv_logits", "conv_boxes")
# Accepted differences, relative to the largest value of an output. Where two logits of a token are nearly equal,
# rounding decides which key it attends to, and another key changes the token a little: nine of ten values count.
TOLERANCES = {"template": 1e-3, "search": 1e-2}


class _Template(nn.Module):
    """Keys and values of each decoder layer, ``(B, layers, 2, heads, N, d)``."""

    def __init__(self, network: SparseNetwork):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        memory = self.network.remember(images)
        return torch.stack([torch.stack(known, dim=1) for known in memory], dim=1)


class _Search(nn.Module):
    """What tracking needs of the head."""

    def __init__(self, network: SparseNetwork):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
        layers = tuple(KeysValues(*known.unbind(1)) for known in memory.unbind(1))
        found = self.network.locate(layers, images)
        return found.fc_logits, found.conv_logits, found.conv_boxes


def _graphs(network: SparseNetwork) -> dict[str, tuple[nn.Module, Signature]]:
    """Everything that is written of a network, by name."""
    config, generator = network.config, torch.Generator().manual_seed(0)
    template = torch.randn(1, 3, config.template_size, config.template_size, generator=generator)
    search = torch.randn(1, 3, config.search_size, config.search_size, generator=generator)
    remember = _Template(network).eval()
    with torch.inference_mode():
        memory = remember(template).clone()
    inputs = {"images": search, "memory": memory}
    return {
        "template": (remember, Signature({"images": template}, ("memory",), batched=("images",))),
        "search": (_Search(network).eval(), Signature(inputs, OUTPUTS, batched=tuple(inputs))),
    }


def export_tracker(
    network: SparseNetwork,
    tracking: TrackingConfig,
    folder: str | Path,
    formats: Sequence[Format] = ("onnx", "openvino"),
    *,
    card: Mapping[str, object] | None = None,
) -> dict[str, Parity]:
    """Write a tracker and check that the files compute what PyTorch does.

    Args:
        network: is made ready for inference, in place; see :func:`sparse_track.inference.prepare`.
        tracking: what the tracker is told when nothing else is said.
        folder: gets the graphs ``template`` and ``search`` in each format, and ``tracker.json`` with the configuration
            and what was measured.
        formats: which ones.
        card: facts to store as well, such as where the weights come from.

    Returns:
        How far each file is from PyTorch, by its name.

    Raises:
        ExportError: a file would compute something else.
        ValueError: an unknown format.
        ImportError: an optional dependency is missing.
    """
    if unknown := [name for name in formats if name not in SUFFIXES]:
        raise ValueError(f"formats are {', '.join(SUFFIXES)}, got {', '.join(unknown)}")
    folder = Path(folder)
    prepare(network).float().cpu()
    parities = {
        (file := f"{graph}{SUFFIXES[name]}"): write_program(
            module, signature, folder / file, tolerance=TOLERANCES[graph], judge="usual"
        )
        for name in formats
        for graph, (module, signature) in _graphs(network).items()
    }
    facts = {
        **(card or {}),
        "kind": "exported SparseTT tracker",
        "model": to_yaml(network.config),
        "tracking": to_yaml(tracking),
        "formats": list(formats),
        "parity": {file: str(parity) for file, parity in parities.items()},
        "sha256": {file.name: file_hash(file) for file in sorted(folder.iterdir()) if file.name != CARD},
    }
    text = json.dumps(facts, indent=2) + "\n"
    write_atomic(folder / CARD, lambda file: file.write(text.encode()))
    return parities


class ExportedNetwork:
    """An exported network in place of the PyTorch one; see :class:`sparse_track.tracker.Network`."""

    def __init__(
        self,
        config: ModelConfig,
        tracking: TrackingConfig,
        folder: Path,
        suffix: str,
        precision: Precision,
        threads: int | None,
    ):
        self.config, self.tracking = config, tracking
        self._template, self._search = (
            open_program(folder / f"{graph}{suffix}", precision=precision, threads=threads)
            for graph in ("template", "search")
        )

    def remember(self, template: Tensor) -> Tensor:
        """Keys and values of the template."""
        return self._template(images=template)["memory"]

    def locate(self, memory: Tensor, search: Tensor) -> Predictions:
        """What tracking needs of the head."""
        found = self._search(images=search, memory=memory)
        return Predictions(found["fc_logits"], found["conv_logits"], None, found["conv_boxes"])


def open_exported(
    folder: str | Path, backend: Format = "onnx", *, precision: Precision = "f32", threads: int | None = None
) -> ExportedNetwork:
    """Open an exported tracker.

    Args:
        folder: what :func:`export_tracker` wrote.
        backend: ``onnx`` or ``openvino``.
        precision, threads: see :func:`trackcore.export.open_program`.

    Raises:
        ExportError: there is no exported tracker, not for this backend, or not in this precision.
        ValueError: unknown backend.
    """
    folder = Path(folder)
    if backend not in SUFFIXES:
        raise ValueError(f"exported trackers run with {' or '.join(SUFFIXES)}, got {backend!r}")
    if not (folder / CARD).is_file():
        raise ExportError(f"{folder} holds no exported tracker ({CARD}); write one with `sparse-track export`")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if backend not in card["formats"]:
        raise ExportError(f"{folder} was exported for {', '.join(card['formats'])} alone, not for {backend}")
    config, tracking = from_yaml(ModelConfig, card["model"]), from_yaml(TrackingConfig, card["tracking"])
    return ExportedNetwork(config, tracking, folder, SUFFIXES[backend], precision, threads)
