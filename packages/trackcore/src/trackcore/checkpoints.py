"""Weights on disk: read published checkpoints safely, load them strictly, save own ones atomically.

Published files (``.pth``, ``.pth.tar``) are read by :mod:`trackcore.safe_pickle`, which runs none of their code. Own
weights are a ``.safetensors`` file with a JSON card of the same name beside it, which says where the weights come from.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import torch
from safetensors.torch import load_file as load_safetensors
from safetensors.torch import save as dump_safetensors
from torch import Tensor, nn

from trackcore import safe_pickle

_SHOWN = 6  # names listed per kind of mismatch before the rest is only counted


class CheckpointError(RuntimeError):
    """A checkpoint cannot be used; the message names the file and says why."""


class UnsafeCheckpointError(CheckpointError):
    """The file's pickle names something that has no business in a checkpoint. Nothing of it was run."""


class CheckpointMismatchError(CheckpointError):
    """The weights do not fit the network. ``report`` holds all names."""

    def __init__(self, message: str, report: LoadReport) -> None:
        super().__init__(message)
        self.report = report


class CheckpointWriteError(CheckpointError):
    """Saving failed; an earlier file of the same name is as it was."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        state: tensors by published name, on the CPU.
        kind: what the file is, in words: "OSTrack tracker checkpoint, epoch 300".
        epoch: last finished epoch, or None when the file does not say.
        meta: everything else in the file. Objects of foreign classes are :class:`trackcore.safe_pickle.StandIn`; the
            card of a ``.safetensors`` file is under "card".
        path: where it was read from.
    """

    state: dict[str, Tensor] = field(repr=False)
    kind: str
    epoch: int | None
    meta: dict[str, Any] = field(repr=False)
    path: Path


@dataclass(frozen=True)
class LoadReport:
    """How a state dict fits a network.

    Attributes:
        missing: names of the network that the checkpoint lacks.
        unexpected: names of the checkpoint that the network lacks.
        mismatched: (name, shape in the checkpoint, shape in the network).
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    @property
    def fits(self) -> bool:
        """Whether every name and shape agrees."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        lines = []
        if self.missing:
            lines.append(f"missing in the checkpoint ({len(self.missing)}): {_abbreviate(self.missing)}")
        if self.unexpected:
            lines.append(f"unknown to the network ({len(self.unexpected)}): {_abbreviate(self.unexpected)}")
        if self.mismatched:
            shapes = [f"{name} is {list(have)}, the network wants {list(want)}" for name, have, want in self.mismatched]
            lines.append(f"other shapes ({len(shapes)}): {_abbreviate(shapes, '; ')}")
        return "\n".join(lines) or "all names and shapes agree"


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint onto the CPU without executing anything in it.

    Args:
        path: ``.safetensors`` (with an optional JSON card beside it), or a ``torch.save`` file of either format.

    Raises:
        UnsafeCheckpointError: the pickle names a function or class it should not.
        CheckpointError: no such file, a folder, damaged, truncated, or no weights in it.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give a checkpoint file (.safetensors, .pth or .pth.tar)")
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint at {path}")
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    try:
        content = safe_pickle.read(path)
    except safe_pickle.UnsafePickleError as error:
        raise UnsafeCheckpointError(
            f"{path} refused: its pickle names {error.name}, which weights do not need and which could run code; "
            "nothing of it was run. Other programs may not be as careful with this file"
        ) from error
    except safe_pickle.NotACheckpointError as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened: {error.strerror or error}") from error
    return _describe(content, path)


def _load_safetensors(path: Path) -> Checkpoint:
    try:
        state = load_safetensors(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors: {error}") from error
    card_path = path.with_suffix(".json")
    meta: dict[str, Any] = {}
    if card_path.exists():
        try:
            card = json.loads(card_path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"the card {card_path} of {path.name} cannot be read: {error}") from error
        if not isinstance(card, dict):
            raise CheckpointError(f"the card {card_path} must be a JSON object, got {type(card).__name__}")
        if "sha256" in card and card["sha256"] != file_hash(path):
            raise CheckpointError(
                f"{path} is not what its card {card_path.name} describes (sha256 differs): the weights are damaged or "
                "the card belongs to others; remove the card to load them regardless"
            )
        meta["card"] = card
    epoch = meta.get("card", {}).get("epoch")
    kind = meta.get("card", {}).get("kind", "safetensors weights")
    return Checkpoint(state=state, kind=kind, epoch=epoch, meta=meta, path=path)


def _describe(content: Any, path: Path) -> Checkpoint:
    """Find the weights in what a ``torch.save`` file held, and say what the file is."""
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds {_what(content)}, not a dict with weights; save the network's state_dict() instead"
        )
    for key in ("net", "model", "state_dict", "model_state_dict"):
        state = _tensors(content.get(key))
        if state:
            meta = {str(name): value for name, value in content.items() if name != key}
            break
    else:
        key, state, meta = "", _tensors(content), {}
    if not state:
        names = ", ".join(repr(name) for name in list(content)[:_SHOWN]) or "nothing"
        raise CheckpointError(
            f"{path} has no weights: expected tensors under 'net', 'model', 'state_dict' or 'model_state_dict', or a "
            f"plain state dict; it holds {names}"
        )
    epoch = meta.get("epoch")
    epoch = epoch if isinstance(epoch, int) and not isinstance(epoch, bool) else None
    kind = _kind(key, state, meta) + (f", epoch {epoch}" if epoch is not None else "")
    return Checkpoint(state=state, kind=kind, epoch=epoch, meta=meta, path=path)


def _tensors(value: Any) -> dict[str, Tensor]:
    """``value`` as a state dict, empty when it is none."""
    if not isinstance(value, dict) or not value or not all(isinstance(item, Tensor) for item in value.values()):
        return {}
    # detach drops hooks and gradients a pickle may have attached
    return {str(name): item.detach() for name, item in value.items()}


def _kind(key: str, state: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    frame_vectors = any(name.endswith("temporal_pos_embed_x") for name in state)
    if key == "net":
        # DropTrack's files call their network OSTrack; the two frame vectors tell them apart
        network = meta.get("net_type")
        name = "DropTrack" if network == "OSTrack" and frame_vectors else network
        return f"{name} tracker checkpoint" if isinstance(name, str) else "tracker checkpoint"
    if key == "model" and str(meta.get("format", "")).startswith("trackcore training"):
        return f"training checkpoint of this library, step {meta.get('step')}"
    if "layers.0.blocks.0.attn.relative_position_bias_table" in state:
        return "Swin classifier"
    if "feat_adjuster_z.conv.weight" in state:
        return "SparseTT tracker checkpoint"
    if "mask_patch_embed.proj.weight" in state:
        return "DropSeg segmentation network"
    if key == "model" and any(name.startswith("patch_embed.") for name in state):
        decoder = "" if any(name.startswith("decoder") for name in state) else " (encoder only)"
        return f"{'DropMAE' if frame_vectors else 'MAE'} pre-training checkpoint{decoder}"
    if key == "model":
        return "checkpoint with a model"
    return "checkpoint with a state dict" if key else "plain state dict"


def _what(value: Any) -> str:
    if isinstance(value, safe_pickle.StandIn):
        return f"a pickled {type(value).__module__}.{type(value).__qualname__} object"
    return f"a {type(value).__name__}"


def load_state(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    strict: bool = True,
    rename: Callable[[str], str | None] | None = None,
    hint: str = "",
) -> LoadReport:
    """Copy weights into a network by name.

    Args:
        model: the network; untouched when an error is raised.
        state: tensors by name.
        strict: every name and shape must agree. Otherwise what agrees is copied and the report tells the rest.
        rename: maps a name of ``state`` to the network's name, or to None to leave the tensor out.
        hint: added to the error, for what only the caller knows ("this looks like a 256 tracker").

    Raises:
        CheckpointMismatchError: strict, and something does not agree.
        CheckpointError: ``rename`` maps two names to the same one.
    """
    if rename is not None:
        renamed: dict[str, Tensor] = {}
        for name, tensor in state.items():
            target = rename(name)
            if target in renamed:
                raise CheckpointError(
                    f"two tensors of the checkpoint are renamed to {target!r}, the second is {name!r}"
                )
            if target is not None:
                renamed[target] = tensor
        state = renamed
    own = model.state_dict()
    mismatched = tuple(
        (name, tuple(state[name].shape), tuple(own[name].shape))
        for name in own
        if name in state and state[name].shape != own[name].shape
    )
    report = LoadReport(
        missing=tuple(name for name in own if name not in state),
        unexpected=tuple(name for name in state if name not in own),
        mismatched=mismatched,
    )
    if strict and not report.fits:
        raise CheckpointMismatchError(
            f"the weights do not fit {type(model).__name__}{f': {hint}' if hint else ''}\n{report}", report
        )
    skipped = {name for name, _, _ in mismatched}
    model.load_state_dict({name: state[name] for name in own if name in state and name not in skipped}, strict=False)
    return report


def save_weights(path: str | Path, state: Mapping[str, Tensor], card: Mapping[str, Any] | None = None) -> Path:
    """Write ``path`` (``.safetensors``) and its JSON card, each atomically; returns ``path``.

    Args:
        path: ends in ``.safetensors``; folders above it are created.
        state: tensors by name, on any device.
        card: JSON-able facts about the weights (recipe, epoch, metrics). The weights' sha256, the number of parameters
            and the library versions are added.

    Raises:
        CheckpointWriteError: writing failed; earlier files are as they were.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"weights are saved as .safetensors, got {path}")
    # clones, because tensors that share memory (tied weights) cannot be written as they are
    data = dump_safetensors({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()})
    facts = {
        **(card or {}),
        "sha256": hashlib.sha256(data).hexdigest(),
        "tensors": len(state),
        "values": sum(tensor.numel() for tensor in state.values()),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "trackcore": _version()},
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False, default=str)
    write_atomic(path, lambda file: file.write(data))
    write_atomic(path.with_suffix(".json"), lambda file: file.write(text.encode() + b"\n"))
    return path


def write_atomic(path: str | Path, writer: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that it is at any moment either the old one or the complete new one.

    ``writer`` fills a temporary file in the same folder, which is flushed to the disk and renamed over ``path``.

    Raises:
        CheckpointWriteError: the disk is full or not writable; ``path`` is as it was and no temporary file is left.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            writer(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the folder itself may be what is wrong
            temporary.unlink(missing_ok=True)
        failure = _disk_error(error)
        if failure is None:
            raise
        free = f", {shutil.disk_usage(path.parent).free / 2**20:.0f} MiB free" if path.parent.is_dir() else ""
        advice = "free some space" if failure.errno in (errno.ENOSPC, errno.EDQUOT) else "check the folder"
        raise CheckpointWriteError(
            f"{path} could not be written ({failure.strerror or failure}{free}): {advice} and start again; "
            f"{'the earlier file is intact' if path.exists() else 'there was no earlier file'}"
        ) from error


def _disk_error(error: BaseException | None) -> OSError | None:
    """The OSError behind ``error``: torch wraps what a file object raises in a RuntimeError of its own."""
    while isinstance(error, RuntimeError):
        error = error.__cause__ or error.__context__
    return error if isinstance(error, OSError) else None


def _sync_folder(folder: Path) -> None:
    """Flush the folder itself, which holds the new name."""
    if os.name != "posix":  # Windows has no handle on folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("trackcore")
    except PackageNotFoundError:
        return "unknown (not installed)"


def _abbreviate(items: Iterable[str], separator: str = ", ") -> str:
    items = list(items)
    rest = f"{separator}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(items[:_SHOWN]) + rest
