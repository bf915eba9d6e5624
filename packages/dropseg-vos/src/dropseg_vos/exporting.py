"""Networks for ONNX Runtime and OpenVINO: a folder with a graph for references and one for frames, of one frame size.

::

    export_network(load_network("retrain_s03.pth"), "exported", (480, 864))
    segmenter = load_segmenter("exported", backend="openvino", precision="bf16")

Tokens of references are an input of the second graph, as in PyTorch, so that any number of objects share a pass. Needs
``pip install trackcore[export]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dropseg_vos.config import ModelConfig
from dropseg_vos.network import SegmentationNetwork
from dropseg_vos.sizes import Size
from trackcore.checkpoints import file_hash, write_atomic
from trackcore.export import ExportError, Parity, Precision, Program, Signature, open_program, write_program
from trackcore.recipes import from_yaml, to_yaml

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
CARD = "network.json"
_OBJECTS = 2  # in the examples; any number may come


class _Reference(nn.Module):
    """Tokens of a frame with each of several masks."""

    def __init__(self, network: SegmentationNetwork, positions: Tensor):
        super().__init__()
        self.network = network
        self.register_buffer("positions", positions)

    def forward(self, masks: Tensor, frame: Tensor) -> Tensor:
        return self.network.embed_reference(frame, masks, self.positions)


class _Frame(nn.Module):
    """Logits of several objects in one frame."""

    def __init__(self, network: SegmentationNetwork, positions: Tensor):
        super().__init__()
        self.network = network
        self.register_buffer("positions", positions)

    def forward(self, references: Tensor, frame: Tensor) -> Tensor:
        query = self.network.embed_query(frame, self.positions)
        tokens = self.network.encode(references, query.expand(references.shape[0], -1, -1))
        height, width = (side // self.network.config.patch for side in frame.shape[-2:])
        return self.network.decode(tokens, height, width)


def _graphs(network: SegmentationNetwork, size: Size) -> dict[str, tuple[nn.Module, Signature]]:
    height, width = size
    patch = network.config.patch
    generator = torch.Generator().manual_seed(0)
    frame = torch.randn(1, 3, height, width, generator=generator)
    masks = (torch.rand(_OBJECTS, 1, height, width, generator=generator) > 0.5).float()
    with torch.inference_mode():
        positions = network.positions(height // patch, width // patch).clone()
        tokens = network.embed_reference(frame, masks, positions).clone()
    return {
        "reference": (
            _Reference(network, positions),
            Signature({"masks": masks, "frame": frame}, ("tokens",), batched=("masks",)),
        ),
        "frame": (
            _Frame(network, positions),
            Signature({"references": tokens, "frame": frame.flip(-1)}, ("logits",), batched=("references",)),
        ),
    }


def export_network(
    network: SegmentationNetwork,
    folder: str | Path,
    size: Size,
    formats: Sequence[Format] = ("onnx", "openvino"),
    *,
    card: Mapping[str, object] | None = None,
) -> dict[str, Parity]:
    """Write a network for frames of one size and check that the files compute what PyTorch does.

    Args:
        network: is made ready for inference, in place.
        folder: gets the graphs in each format, and ``network.json``, the configuration and what was measured.
        size: (height, width) of frames as they come to the network, multiples of the patch; other frames are resized
            to fit and padded by the segmenter, or refused.
        formats: which ones.
        card: facts to store as well, such as where the weights come from.

    Returns:
        How far each file is from PyTorch, by its name.

    Raises:
        ExportError: a file would compute something else.
        ValueError: an unknown format, or a size that is no multiple of the patch.
        ImportError: an optional dependency is missing.
    """
    if unknown := [name for name in formats if name not in SUFFIXES]:
        raise ValueError(f"formats are {', '.join(SUFFIXES)}, got {', '.join(unknown)}")
    patch = network.config.patch
    if any(side < patch or side % patch for side in size):
        raise ValueError(f"height and width must be multiples of {patch} pixels, got {size[0]} and {size[1]}")
    folder = Path(folder)
    network.eval().requires_grad_(False).float().cpu()
    parities = {
        f"{graph}{SUFFIXES[name]}": write_program(module, signature, folder / f"{graph}{SUFFIXES[name]}")
        for name in formats
        for graph, (module, signature) in _graphs(network, size).items()
    }
    facts = {
        **(card or {}),
        "kind": "exported DropSeg network",
        "model": to_yaml(network.config),
        "size": list(size),
        "formats": list(formats),
        "parity": {file: str(parity) for file, parity in parities.items()},
        "sha256": {file.name: file_hash(file) for file in sorted(folder.iterdir()) if file.name != CARD},
    }
    text = json.dumps(facts, indent=2) + "\n"
    write_atomic(folder / CARD, lambda file: file.write(text.encode()))
    return parities


@dataclass
class ExportedBackend:
    """An exported network in place of :class:`dropseg_vos.backends.TorchBackend`.

    Attributes:
        config: the network's configuration.
        size: (height, width) of frames that it takes.
        reference, frame: its programs.
    """

    config: ModelConfig
    size: Size
    reference: Program
    frame: Program
    device: ClassVar[torch.device] = torch.device("cpu")

    @property
    def divisor(self) -> int:
        """What heights and widths must be multiples of."""
        return self.config.patch

    def embed_reference(self, frame: Tensor, masks: Tensor) -> Tensor:
        """See :class:`dropseg_vos.backends.Backend`."""
        return self.reference(masks=masks, frame=frame)["tokens"]

    def segment(self, references: Tensor, frames: Tensor) -> Tensor:
        """See :class:`dropseg_vos.backends.Backend`; one frame at a time."""
        found = [self.frame(references=references, frame=frame[None])["logits"][:, 0] for frame in frames]
        return torch.stack(found)


def open_exported(
    folder: str | Path, backend: Format = "onnx", *, precision: Precision = "f32", threads: int | None = None
) -> ExportedBackend:
    """Open an exported network.

    Args:
        folder: what :func:`export_network` wrote.
        backend: ``onnx`` or ``openvino``.
        precision, threads: see :func:`trackcore.export.open_program`.

    Raises:
        ExportError: there is no exported network, not for this backend, or not in this precision.
        ValueError: unknown backend.
    """
    folder = Path(folder)
    if backend not in SUFFIXES:
        raise ValueError(f"exported networks run with {' or '.join(SUFFIXES)}, got {backend!r}")
    if not (folder / CARD).is_file():
        raise ExportError(f"{folder} holds no exported network ({CARD}); write one with `dropseg-vos export`")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if backend not in card["formats"]:
        raise ExportError(f"{folder} was exported for {', '.join(card['formats'])} alone, not for {backend}")
    programs = [
        open_program(folder / f"{graph}{SUFFIXES[backend]}", precision=precision, threads=threads)
        for graph in ("reference", "frame")
    ]
    return ExportedBackend(from_yaml(ModelConfig, card["model"]), tuple(card["size"]), *programs)
