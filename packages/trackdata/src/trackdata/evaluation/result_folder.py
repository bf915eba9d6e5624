"""The folder of one tracker's results on one dataset: what is there already, and adding to it.

Every sequence leaves a result (see :mod:`trackdata.evaluation.results`) and, written last, a record in
``records/<sequence>.json`` that says which tracker made it from what. A result without a fitting record does not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trackdata.evaluation.identity import digest, fingerprint
from trackdata.evaluation.passes import Failure, Pass
from trackdata.evaluation.results import ResultError, read_boxes, write_track
from trackdata.sequences import Sequence
from trackdata.writing import write_atomically


@dataclass(frozen=True)
class Outcome:
    """What became of one sequence.

    Attributes:
        sequence: its name.
        frames: frames tracked; 0 when it failed.
        seconds: time spent in the tracker.
        decode_seconds: time spent reading frames.
        error: why it failed, or None.
        reused: the result was there already.
    """

    sequence: str
    frames: int = 0
    seconds: float = 0.0
    decode_seconds: float = 0.0
    error: str | None = None
    reused: bool = False


@dataclass(frozen=True)
class ResultFolder:
    """Where results of one tracker on one dataset go, and what they must have been made with.

    Several processes and machines may add to the same folder, each its own sequences.
    """

    path: Path
    identity: Mapping[str, Any]

    def describe(self, tracker: str, dataset: str) -> None:
        """Write ``run.json``: whose results these are."""
        content = {"tracker": tracker, "dataset": dataset, "identity": self.identity}
        write_atomically(self.path / "run.json", json.dumps(content, indent=1) + "\n")

    def stored(self, sequence: Sequence) -> Outcome | None:
        """The outcome of an earlier, complete run of the same tracker over the same frames, or None."""
        record = read_record(self.path, sequence.name)
        if record is None or record.get("fingerprint") != fingerprint(self.identity, sequence):
            return None
        try:
            complete = len(read_boxes(self.path / f"{sequence.name}.txt")) == len(sequence)
            outcome = Outcome(**record["outcome"])
        except (ResultError, KeyError, TypeError):
            return None
        return replace(outcome, reused=True) if complete and outcome.error is None else None

    def add(self, sequence: Sequence, result: Pass | Failure) -> Outcome:
        """Write what came of tracking ``sequence``, instead of what was there."""
        record = _record_path(self.path, sequence.name)
        record.unlink(missing_ok=True)  # first, so that no crash leaves it beside a result it does not describe
        if isinstance(result, Failure):
            (self.path / f"{sequence.name}.txt").unlink(missing_ok=True)
            outcome = Outcome(sequence.name, error=result.reason)
        else:
            write_track(self.path, sequence.name, result.track)
            seconds = float(result.track.times.sum())
            outcome = Outcome(sequence.name, len(sequence), round(seconds, 6), round(result.decode_seconds, 6))
        content = {
            "identity": digest(self.identity),
            "fingerprint": fingerprint(self.identity, sequence),
            "outcome": asdict(outcome),
        }
        write_atomically(record, json.dumps(content, indent=1) + "\n")
        return outcome


def read_record(folder: Path, sequence: str) -> dict[str, Any] | None:
    """The record of a sequence, or None when there is none or it is damaged."""
    return _read_json(_record_path(folder, sequence))


def recorded_faults(folder: Path, sequences: Iterable[str]) -> dict[str, str]:
    """By sequence, why a result in ``folder`` must not be used, as far as records say: it failed, or it is of other
    options or weights than the latest run, which was interrupted before it came to this sequence.
    """
    latest = _read_json(folder / "run.json")
    owner = None if latest is None else digest(latest.get("identity", {}))
    faults = {}
    for name in sequences:
        record = read_record(folder, name) or {}
        outcome = record.get("outcome")
        error = outcome.get("error") if isinstance(outcome, dict) else None
        if error is None and record.get("identity") not in (None, owner):
            error = "the result is of other options or weights than the latest run; run again"
        if error is not None:
            faults[name] = error
    return faults


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


def _record_path(folder: Path, sequence: str) -> Path:
    return folder / "records" / f"{sequence}.json"
