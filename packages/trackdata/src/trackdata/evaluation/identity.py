"""Who produced a result, as text that changes when the tracker, its options or its weights do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trackdata.sequences import Sequence

_CHUNK = 1 << 22


def tracker_identity(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A JSON-able description of a tracker; options that name files or folders are described by their content.

    Two files of the same content count as the same, wherever they lie. Of a folder, such as an exported network, the
    files directly in it count, with their names.
    """
    described = {}
    for key, value in sorted((options or {}).items()):
        path = Path(value) if isinstance(value, str | Path) and str(value) else None
        known = path is not None and (path.is_file() or path.is_dir())
        described[key] = f"sha256:{_content(path)}" if known else _jsonable(value)
    return {"tracker": name, "options": described}


def digest(identity: Mapping[str, Any]) -> str:
    """``identity`` as a short text, the same for the same content."""
    return hashlib.sha256(json.dumps(_jsonable(identity), sort_keys=True).encode()).hexdigest()


def fingerprint(identity: Mapping[str, Any], sequence: Sequence) -> str:
    """What a stored result must have been made from to be reused: the tracker, and the sequence it ran over."""
    boxes = hashlib.sha256(np.ascontiguousarray(sequence.boxes, dtype=np.float64).tobytes()).hexdigest()
    told = json.dumps([_jsonable(identity), sequence.name, len(sequence), boxes], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _content(path: Path) -> str:
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(entry for entry in path.iterdir() if entry.is_file()):
            digest.update(f"{file.name}/{_content(file)}/".encode())  # no name holds a slash
        return digest.hexdigest()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
