"""Looking at every item of a dataset, in several processes."""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, get_args

from trackdata.datasets import dataset_info, open_dataset, open_videos
from trackdata.datasets.imagenet_xml import parse_xml
from trackdata.errors import AnnotationError, MissingDataError
from trackdata.process_map import Died, map_in_processes
from trackdata.sequences import Dataset
from trackdata.storage import Store, open_store, read_annotation, walk
from trackdata.verification.checks import Checked, Decode, check_item, item_name
from trackdata.verification.findings import Finding, VerificationReport
from trackdata.verification.known import known_reports
from trackdata.videos import VideoList

_XML = ("imagenet_det", "imagenet_vid")
_TOGETHER = 16  # items a process takes at once when it does not decode all of their frames


@dataclass(frozen=True)
class VerifyProgress:
    """How far verification is.

    Attributes:
        done, total: sequences.
        faults: found so far.
    """

    done: int
    total: int
    faults: int


def open_to_verify(name: str, root: str | Path | Store, split: str | None = None) -> Dataset | VideoList:
    """A dataset as it is best looked at: segmented videos whole and not by object, still images one by one and not by
    annotation.

    Args:
        name, root, split: as for :func:`trackdata.datasets.open_dataset`.

    Raises:
        UnknownDatasetError, ValueError, AnnotationError: as :func:`trackdata.datasets.open_dataset`.
    """
    info = dataset_info(name)
    if info.videos is not None:
        return open_videos(name, root, split)
    if name in ("coco", "imagenet_det"):
        crowd = {"crowd": True} if name == "coco" else {}
        return info.open(open_store(root), split, items="images", **crowd)
    return open_dataset(name, root, split)


def verify_at(
    name: str, root: str | Path | Store, split: str | None = None, decode: Decode = "first", **options: Any
) -> VerificationReport:
    """Open a dataset and :func:`verify` it. Where it cannot be opened, the report says why.

    Args:
        name, root, split: as for :func:`trackdata.datasets.open_dataset`.
        decode, options: as for :func:`verify`.

    Raises:
        UnknownDatasetError, ValueError: no such dataset or split, or as :func:`verify`.
    """
    place = str(root) if isinstance(root, str | Path) else root.where("")
    began = time.perf_counter()
    try:
        dataset = open_to_verify(name, root, split)
    except AnnotationError as error:
        reasons = [str(error)]
        if name in _XML and not isinstance(error, MissingDataError):
            reasons = _damaged_xml(open_store(root)) or reasons
        findings = tuple(Finding(name, "annotation", reason) for reason in reasons)
        return VerificationReport(name, place, decode, 0, 0, 0, findings, round(time.perf_counter() - began, 3))
    return verify(dataset, decode, root=place, **options)


def _damaged_xml(store: Store) -> list[str]:
    """What is wrong with each file of boxes of ImageNet, all of which make one index."""
    reasons = []
    for key in walk(store, "Annotations"):
        if key.endswith(".xml"):
            try:
                parse_xml(read_annotation(store, key), store.where(key))
            except AnnotationError as error:
                reasons.append(str(error))
    return reasons


def verify(
    dataset: Dataset | VideoList,
    decode: Decode = "first",
    *,
    root: str = "",
    workers: int = 1,
    limit: int | None = None,
    on_progress: Callable[[VerifyProgress], None] | None = None,
) -> VerificationReport:
    """Look at every sequence, video or image of a dataset. Bad data end up in the report and stop nothing.

    Args:
        dataset: as :func:`open_to_verify` gives it; other datasets do as well.
        decode: ``none`` looks at annotation and names of files; ``first`` also decodes the first frame of each
            sequence; ``all`` decodes every frame.
        root: where the dataset is, for the report.
        workers: processes; 1 works in this one. More start fresh interpreters, so a script must guard its entry point
            with ``if __name__ == "__main__"``.
        limit: only the first so many.
        on_progress: called in this process.

    Raises:
        ValueError: unknown ``decode``, or workers or limit below 1.
    """
    if decode not in get_args(Decode):
        raise ValueError(f"decode is one of {', '.join(get_args(Decode))}, got {decode!r}")
    if workers < 1 or (limit is not None and limit < 1):
        raise ValueError(f"workers and limit must be at least 1, got {workers} and {limit}")
    began = time.perf_counter()
    count = len(dataset) if limit is None else min(limit, len(dataset))
    checked: dict[int, Checked] = {}
    faults = 0
    for index, result in _check_all(dataset, decode, count, workers):
        checked[index] = result
        faults += sum(finding.fault for finding in result.findings)
        if on_progress is not None:
            on_progress(VerifyProgress(len(checked), count, faults))
    findings = [Finding(key, "damaged", reason) for key, reason in getattr(dataset, "unreadable", {}).items()]
    for index in range(count):
        findings += checked[index].findings
    findings += _known(dataset, count, {finding.sequence for finding in findings if finding.kind == "missing"})
    return VerificationReport(
        dataset=dataset.name,
        root=root,
        decode=decode,
        sequences=count,
        frames=sum(result.frames for result in checked.values()),
        decoded=sum(result.decoded for result in checked.values()),
        findings=tuple(findings),
        seconds=round(time.perf_counter() - began, 3),
    )


def _known(dataset: Dataset | VideoList, count: int, missing: set[str]) -> list[Finding]:
    reports = known_reports(dataset.name)
    names = (item_name(dataset, index) for index in range(count)) if reports else ()
    return [Finding(name, "known", text) for name in names if name not in missing for text in reports.get(name, ())]


def _check_all(dataset: Dataset | VideoList, decode: Decode, count: int, workers: int) -> Iterator[tuple[int, Checked]]:
    if workers == 1:
        yield from ((index, check_item(dataset, decode, index)) for index in range(count))
        return
    together = 1 if decode == "all" and not getattr(dataset, "still", False) else _TOGETHER
    ranges = (range(start, min(start + together, count)) for start in range(0, count, together))
    with tempfile.TemporaryDirectory() as folder:
        # Read once by each process: large lists of names would travel with every task otherwise.
        path = Path(folder) / "dataset.pickle"
        path.write_bytes(pickle.dumps(dataset))
        for indices, results in map_in_processes(partial(_check_range, path, decode), ranges, workers):
            if isinstance(results, Died):
                reason = (
                    "the process that read it died; a file may be damaged in a way that its decoder does not survive"
                )
                results = [_crashed(dataset, index, reason) for index in indices]
            yield from zip(indices, results, strict=True)


def _crashed(dataset: Dataset | VideoList, index: int, reason: str) -> Checked:
    return Checked(0, 0, (Finding(item_name(dataset, index), "crashed", reason),))


def _check_range(path: Path, decode: Decode, indices: range) -> list[Checked]:
    dataset = _load(path)
    return [check_item(dataset, decode, index) for index in indices]


@lru_cache(maxsize=1)
def _load(path: Path) -> Any:
    return pickle.loads(path.read_bytes())
