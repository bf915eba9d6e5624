"""What each benchmark's server wants, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trackdata.datasets import open_dataset, open_videos
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.scoring import results_folder
from trackdata.evaluation.submissions.archives import SubmissionError
from trackdata.evaluation.submissions.boxes import pack_boxes, pack_got10k, pack_trackingnet
from trackdata.evaluation.submissions.masks import pack_davis, pack_youtubevos

if TYPE_CHECKING:
    from trackdata.storage import Store


@dataclass(frozen=True)
class Server:
    """One benchmark.

    Attributes:
        dataset: what :func:`~trackdata.datasets.open_dataset` calls it.
        split: whose sequences are handed in.
        counts: how many there are officially, in one edition or another.
        content: boxes or masks.
        pack: writes the archive; see :mod:`trackdata.evaluation.submissions`.
    """

    dataset: str
    split: str | None
    counts: tuple[int, ...]
    content: Literal["boxes", "masks"]
    pack: Callable[..., Path]


SERVERS: Mapping[str, Server] = {
    "got10k": Server("got10k", "test", (180,), "boxes", pack_got10k),
    "trackingnet": Server("trackingnet", "test", (511,), "boxes", pack_trackingnet),
    "davis2017": Server("davis2017", "test-dev", (30,), "masks", pack_davis),
    "youtubevos": Server("youtubevos", "valid", (474, 507), "masks", pack_youtubevos),
    "lasot": Server("lasot", "test", (280,), "boxes", pack_boxes),
    "lasot_ext": Server("lasot_ext", None, (150,), "boxes", pack_boxes),
    "tnl2k": Server("tnl2k", None, (700,), "boxes", pack_boxes),
    "otb2015": Server("otb2015", None, (100,), "boxes", pack_boxes),
    "uav123": Server("uav123", None, (123,), "boxes", pack_boxes),
    "nfs": Server("nfs", None, (100,), "boxes", pack_boxes),
}


@dataclass(frozen=True)
class Packed:
    """A written archive, and how many sequences or videos are in it."""

    archive: Path
    sequences: int


def submit(
    benchmark: str,
    results: Path,
    root: Path | str | Store,
    archive: Path | None = None,
    *,
    split: str | None = None,
    runs: int | None = None,
    partial: bool = False,
) -> Packed:
    """Check results against the benchmark's files and write the archive for its server.

    Args:
        benchmark: a key of :data:`SERVERS`.
        results: ``<results>/<tracker>`` or ``<results>/<tracker>/<dataset>``; for masks a folder or an archive.
        root: the dataset, in any storage.
        archive: where to write; next to the results when None.
        split: another split than the one the server wants, for rehearsals.
        runs: of GOT-10k; see :func:`~trackdata.evaluation.submissions.boxes.pack_got10k`.
        partial: pack also when the dataset in ``root`` has not all official sequences.

    Raises:
        ValueError: no such benchmark, or ``runs`` for another one than GOT-10k.
        SubmissionError: with everything that is missing or wrong.
        AnnotationError: the dataset cannot be read.
        ResultError: there are no results.
    """
    if benchmark not in SERVERS:
        raise ValueError(f"no archive is known for {benchmark!r} (known: {', '.join(SERVERS)})")
    if runs is not None and benchmark != "got10k":
        raise ValueError(f"runs are for got10k alone, {benchmark} takes one")
    server = SERVERS[benchmark]
    opened = (open_dataset if server.content == "boxes" else open_videos)(server.dataset, root, split or server.split)
    if not partial and split is None and len(opened) not in server.counts:
        official = " or ".join(map(str, server.counts))
        raise SubmissionError(results, [f"{opened.name} in {root} has {len(opened)} sequences instead of {official}"])
    if server.content == "masks":
        return Packed(server.pack(results, opened, archive), len(opened))
    folder = results_folder(Path(results), opened.name)
    expected = {sequence_name(opened, index): len(opened[index]) for index in range(len(opened))}
    options: dict[str, Any] = {"runs": runs} if benchmark == "got10k" else {}
    return Packed(server.pack(folder, expected, archive, **options), len(expected))
