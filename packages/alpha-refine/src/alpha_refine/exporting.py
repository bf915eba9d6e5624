"""Refiners for ONNX Runtime and OpenVINO: a folder with a graph for the template and one for each kind of search.

::

    export_refiner(load_network("SEcmnet_ep0040-c.pth.tar"), "exported")
    refiner = load_refiner("exported", backend="openvino", precision="bf16")

The template's kernel is an input of the search, as it is in PyTorch, so an exported refiner serves any number of
targets. Needs ``pip install trackcore[export]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from alpha_refine.config import ModelConfig
from alpha_refine.folding import prepare
from alpha_refine.network import Output, RefinementNetwork
from trackcore.checkpoints import file_hash, write_atomic
from trackcore.export import ExportError, Parity, Precision, Program, Signature, open_program, write_program
from trackcore.recipes import from_yaml, to_yaml

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
CARD = "refiner.json"


class _Template(nn.Module):
    """What is kept of targets, from crops alone."""

    def __init__(self, network: RefinementNetwork):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.template(images)


class _PooledTemplate(_Template):
    """What is kept of targets, from crops and boxes in them."""

    def forward(self, images: Tensor, boxes: Tensor) -> Tensor:
        return self.network.template(images, boxes)


class _Search(nn.Module):
    """A search with the heads that were asked for."""

    def __init__(self, network: RefinementNetwork, box: bool, mask: bool):
        super().__init__()
        self.network, self.box, self.mask = network, box, mask

    def forward(self, images: Tensor, kernel: Tensor) -> tuple[Tensor, ...]:
        output = self.network.search(images, kernel, box=self.box, mask=self.mask)
        found = (output.box, output.scores, output.mask, output.compared)
        return tuple(value for value in found if value is not None)


def _searches(config: ModelConfig) -> dict[str, tuple[bool, bool]]:
    """The searches that are written of a network: name to (with box, with mask).

    Who wants masks alone from a network with both heads lets the box, a twentieth of the work, be computed as well.
    """
    if config.box_head == "none":
        return {"mask": (False, True)}
    return {"box": (True, False)} | ({} if config.mask_head == "none" else {"box_mask": (True, True)})


def _outputs(box: bool, mask: bool) -> tuple[str, ...]:
    return *(("box", "scores") if box else ()), *(("mask",) if mask else ()), "compared"


def _graphs(network: RefinementNetwork) -> dict[str, tuple[nn.Module, Signature]]:
    """Everything that is written of a network, by name."""
    config = network.config
    images = torch.randn(1, 3, config.size, config.size, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.25, 0.25, 0.5, 0.5]]) * config.size
    with torch.inference_mode():
        kernel = network.template(images, boxes).clone()
    inputs = {"images": images, "boxes": boxes} if _is_pooled(config) else {"images": images}
    template = _PooledTemplate(network) if _is_pooled(config) else _Template(network)
    graphs: dict[str, tuple[nn.Module, Signature]] = {
        "template": (template, Signature(inputs, ("kernel",), batched=tuple(inputs)))
    }
    crops = {"images": images.flip(-1), "kernel": kernel}
    for graph, (box, mask) in _searches(config).items():
        graphs[graph] = _Search(network, box, mask), Signature(crops, _outputs(box, mask), batched=tuple(crops))
    return graphs


def _is_pooled(config: ModelConfig) -> bool:
    """Whether the template is pooled from its box, which is then an input."""
    return config.neck not in ("pixelwise", "attention_first")


def export_refiner(
    network: RefinementNetwork,
    folder: str | Path,
    formats: Sequence[Format] = ("onnx", "openvino"),
    *,
    card: Mapping[str, object] | None = None,
) -> dict[str, Parity]:
    """Write a refiner and check that the files compute what PyTorch does.

    Args:
        network: is made ready for inference, in place: batch norm folded, unused parts dropped.
        folder: gets the graphs in each format, ``template`` and, as far as the network has heads, ``box`` and
            ``box_mask``, or ``mask``; and ``refiner.json``, the network's configuration and what was measured.
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
    folder, config = Path(folder), network.config
    prepare(network).float().cpu()
    parities = {
        f"{graph}{SUFFIXES[name]}": write_program(module, signature, folder / f"{graph}{SUFFIXES[name]}")
        for name in formats
        for graph, (module, signature) in _graphs(network).items()
    }
    facts = {
        **(card or {}),
        "kind": "exported Alpha-Refine refiner",
        "model": to_yaml(config),
        "formats": list(formats),
        "parity": {file: str(parity) for file, parity in parities.items()},
        "sha256": {file.name: file_hash(file) for file in sorted(folder.iterdir()) if file.name != CARD},
    }
    text = json.dumps(facts, indent=2) + "\n"
    write_atomic(folder / CARD, lambda file: file.write(text.encode()))
    return parities


@dataclass
class ExportedNetwork:
    """An exported refiner in place of the PyTorch network of a :class:`alpha_refine.refiner.Refiner`.

    Attributes:
        config: the network's configuration.
        folder, suffix: where its graphs are.
        precision, threads: see :func:`trackcore.export.open_program`.
    """

    config: ModelConfig
    folder: Path
    suffix: str
    precision: Precision = "f32"
    threads: int | None = None

    def __post_init__(self) -> None:
        self._programs: dict[str, Program] = {}

    def template(self, images: Tensor, boxes: Tensor | None = None) -> Tensor:
        """As :meth:`alpha_refine.network.RefinementNetwork.template`."""
        inputs = {"images": images, "boxes": boxes} if _is_pooled(self.config) else {"images": images}
        return self._program("template")(**inputs)["kernel"]

    def search(self, images: Tensor, kernel: Tensor, *, box: bool = True, mask: bool = True) -> Output:
        """As :meth:`alpha_refine.network.RefinementNetwork.search`."""
        graphs = list(_searches(self.config))  # the last one has all heads, the first one no mask unless it is all
        graph = graphs[-1 if mask else 0]
        found = self._program(graph)(images=images, kernel=kernel.expand(len(images), -1, -1, -1))
        if not box:
            found = found | dict.fromkeys(("box", "scores"))
        return Output(found.get("box"), found.get("scores"), found.get("mask"), found["compared"])

    def _program(self, graph: str) -> Program:
        if graph not in self._programs:  # opened when needed: compiling one takes a second
            path = self.folder / f"{graph}{self.suffix}"
            self._programs[graph] = open_program(path, precision=self.precision, threads=self.threads)
        return self._programs[graph]


def open_exported(
    folder: str | Path, backend: Format = "onnx", *, precision: Precision = "f32", threads: int | None = None
) -> ExportedNetwork:
    """Open an exported refiner.

    Args:
        folder: what :func:`export_refiner` wrote.
        backend: ``onnx`` or ``openvino``.
        precision, threads: see :func:`trackcore.export.open_program`.

    Raises:
        ExportError: there is no exported refiner, not for this backend, or not in this precision.
        ValueError: unknown backend.
    """
    folder = Path(folder)
    if backend not in SUFFIXES:
        raise ValueError(f"exported refiners run with {' or '.join(SUFFIXES)}, got {backend!r}")
    if not (folder / CARD).is_file():
        raise ExportError(f"{folder} holds no exported refiner ({CARD}); write one with `alpha-refine export`")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if backend not in card["formats"]:
        raise ExportError(f"{folder} was exported for {', '.join(card['formats'])} alone, not for {backend}")
    network = ExportedNetwork(from_yaml(ModelConfig, card["model"]), folder, SUFFIXES[backend], precision, threads)
    network._program("template")  # what is wrong with file or precision is told now
    return network
