"""Networks for ONNX Runtime and OpenVINO: a folder with one graph, elimination included, and a card.

::

    export_network(load_network("OSTrack_ep0300.pth.tar"), "exported")
    tracker = create("exported", backend="openvino", precision="bf16")

How many tokens each elimination keeps is known beforehand, so nothing in the graph depends on the picture but values.
Needs ``pip install trackcore[export]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from onestream_track.backbone import Features
from onestream_track.config import EXPORTED_CARD, ModelConfig
from onestream_track.heads import Maps, decode, find_peak
from onestream_track.network import OneStreamNetwork, Output
from trackcore.checkpoints import file_hash, write_atomic
from trackcore.export import ExportError, Parity, Precision, Signature, open_program, quantise_program, write_program
from trackcore.recipes import from_yaml, to_yaml

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
GRAPH, INT8_GRAPH = "network", "network-int8"
OUTPUTS = ("score", "size", "offset")
# Largest accepted difference, relative to the largest value of an output. Rounding may keep another of two tokens that
# get nearly the same attention, which changes the cells of both.
TOLERANCE = 5e-2


class _Graph(nn.Module):
    """The maps of the head; the voting template tokens are an input where they depend on the box."""

    def __init__(self, network: OneStreamNetwork):
        super().__init__()
        self.network = network

    def forward(self, template: Tensor, search: Tensor, voters: Tensor | None = None) -> tuple[Tensor, ...]:
        return tuple(self.network.maps(template, search, template_mask=voters))


def needs_voters(config: ModelConfig) -> bool:
    """Whether the network is told which template tokens vote in the elimination."""
    return bool(config.elimination.layers) and config.elimination.template_range == "GT_BOX"


def _signature(config: ModelConfig) -> Signature:
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "template": torch.randn(1, 3, config.template_size, config.template_size, generator=generator),
        "search": torch.randn(1, 3, config.search_size, config.search_size, generator=generator),
    }
    if needs_voters(config):
        inputs["voters"] = torch.arange(config.template_grid**2)[None] % 3 == 0
    return Signature(inputs, OUTPUTS, batched=tuple(inputs))


def export_network(
    network: OneStreamNetwork,
    folder: str | Path,
    formats: Sequence[Format] = ("onnx", "openvino"),
    *,
    calibration: Iterable[Mapping[str, Tensor]] | None = None,
    card: Mapping[str, object] | None = None,
) -> dict[str, Parity]:
    """Write a network and check that the files compute what PyTorch does.

    Args:
        network: on the CPU, in eval mode, in float32.
        folder: gets ``network`` in each format, and ``tracker.json`` with the configuration and what was measured.
        formats: which ones.
        calibration: inputs by name (see :func:`collect_inputs`); with them ``network-int8`` is written as well, in
            which weights and activations of convolutions and matrix products are 8-bit integers.
        card: facts to store as well, such as where the weights come from.

    Returns:
        How far each file is from PyTorch, by its name. For 8-bit networks it is measured on what they were calibrated
        with, and told, not judged.

    Raises:
        ExportError: a file would compute something else.
        ValueError: an unknown format, or no inputs to calibrate with.
        ImportError: an optional dependency is missing.
    """
    if unknown := [name for name in formats if name not in SUFFIXES]:
        raise ValueError(f"formats are {', '.join(SUFFIXES)}, got {', '.join(unknown)}")
    folder = Path(folder)
    graph, signature = _Graph(network).eval(), _signature(network.config)
    parities = {}
    for name in formats:
        file = f"{GRAPH}{SUFFIXES[name]}"
        parities[file] = write_program(graph, signature, folder / file, tolerance=TOLERANCE)
    if calibration is not None:
        samples = list(calibration)
        for name in formats:
            file = f"{INT8_GRAPH}{SUFFIXES[name]}"
            parities[file] = quantise_program(graph, signature, folder / file, samples)
    facts = {
        **(card or {}),
        "kind": "exported one-stream tracker",
        "model": to_yaml(network.config),
        "formats": list(formats),
        "int8": calibration is not None,
        "parity": {file: str(parity) for file, parity in parities.items()},
        "sha256": {file.name: file_hash(file) for file in sorted(folder.glob(f"{GRAPH}*"))},
    }
    text = json.dumps(facts, indent=2) + "\n"
    write_atomic(folder / EXPORTED_CARD, lambda file: file.write(text.encode()))
    return parities


class ExportedNetwork:
    """An exported network in place of the PyTorch one; it does not tell which tokens it dropped."""

    def __init__(self, config: ModelConfig, path: Path, precision: Precision, threads: int | None):
        self.config = config
        self._program = open_program(path, precision=precision, threads=threads)

    def __call__(self, template: Tensor, search: Tensor, *, template_mask: Tensor | None = None) -> Output:
        """As :meth:`onestream_track.network.OneStreamNetwork.forward`."""
        voters = {} if template_mask is None else {"voters": template_mask}
        found = self._program(template=template, search=search, **voters)
        maps = Maps(**found)
        return Output(maps, decode(maps, find_peak(maps.score).index), Features(search.new_empty(len(search), 0, 0)))


def open_exported(
    folder: str | Path,
    backend: Format = "onnx",
    *,
    precision: Precision | Literal["int8"] = "f32",
    threads: int | None = None,
) -> ExportedNetwork:
    """Open an exported network.

    Args:
        folder: what :func:`export_network` wrote.
        backend: ``onnx`` or ``openvino``.
        precision: ``int8`` takes the 8-bit network; others are those of :func:`trackcore.export.open_program`.
        threads: see there.

    Raises:
        ExportError: there is no exported network, not for this backend, or not in this precision.
        ValueError: unknown backend.
    """
    folder = Path(folder)
    if backend not in SUFFIXES:
        raise ValueError(f"exported networks run with {' or '.join(SUFFIXES)}, got {backend!r}")
    if not (folder / EXPORTED_CARD).is_file():
        raise ExportError(
            f"{folder} holds no exported network ({EXPORTED_CARD}); write one with `onestream-track export`"
        )
    card = json.loads((folder / EXPORTED_CARD).read_text(encoding="utf-8"))
    if backend not in card["formats"]:
        raise ExportError(f"{folder} was exported for {', '.join(card['formats'])} alone, not for {backend}")
    if precision == "int8" and not card["int8"]:
        raise ExportError(f"{folder} has no 8-bit network; write one with `onestream-track export --int8 VIDEO`")
    graph, rest = (INT8_GRAPH, "f32") if precision == "int8" else (GRAPH, precision)
    config = from_yaml(ModelConfig, card["model"])
    return ExportedNetwork(config, folder / f"{graph}{SUFFIXES[backend]}", rest, threads)
