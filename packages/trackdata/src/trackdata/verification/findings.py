"""What verification finds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trackdata.writing import write_atomically

if TYPE_CHECKING:
    from rich.table import Table

FORMAT = "trackdata verification 1"
Kind = Literal["missing", "annotation", "frames", "damaged", "masks", "crashed", "size", "boxes", "objects", "known"]
LISTED = 10  # frames that a finding names


@dataclass(frozen=True)
class KindInfo:
    """What findings of one kind have in common.

    Attributes:
        title: what they say.
        fault: something is missing, damaged or does not fit together, which another copy of the data may mend. The
            others are notes: the data say so themselves.
    """

    title: str
    fault: bool


KINDS: Mapping[Kind, KindInfo] = {
    "missing": KindInfo("listed but not there", True),
    "annotation": KindInfo("annotation damaged, or does not fit the frames", True),
    "frames": KindInfo("frames missing", True),
    "damaged": KindInfo("frames damaged", True),
    "masks": KindInfo("masks damaged, or of another size than the frame", True),
    "crashed": KindInfo("reading fails in an unforeseen way", True),
    "size": KindInfo("frames of several sizes, or of another than stated", False),
    "boxes": KindInfo("boxes outside the frame, or none where nothing says that the target is absent", False),
    "objects": KindInfo("masks without the object, or with others", False),
    "known": KindInfo("reported before", False),
}


@dataclass(frozen=True)
class Finding:
    """One thing about one sequence.

    Attributes:
        sequence: name of the sequence, video or image.
        kind: a key of :data:`KINDS`.
        message: what is the matter.
        frames: the first few frames it is about, counted from 0.
        count: how many frames it is about; 0 when it is about the sequence.
    """

    sequence: str
    kind: Kind
    message: str
    frames: tuple[int, ...] = ()
    count: int = 0

    @property
    def fault(self) -> bool:
        """Whether it is a fault, not a note."""
        return KINDS[self.kind].fault

    def __str__(self) -> str:
        if not self.frames or self.kind == "frames":
            return f"{self.sequence}: {self.message}"
        more = ", ..." if self.count > len(self.frames) else ""
        return f"{self.sequence}: {self.message} (frame {', '.join(map(str, self.frames))}{more})"


@dataclass(frozen=True)
class VerificationReport:
    """What was found in a dataset.

    Attributes:
        dataset: its name.
        root: where it is.
        decode: which frames were decoded: ``none``, ``first`` or ``all``.
        sequences: how many sequences, videos or images were looked at.
        frames: how many frames they have.
        decoded: how many of these were decoded.
        findings: in the dataset's order.
        seconds: wall-clock time.
    """

    dataset: str
    root: str
    decode: str
    sequences: int
    frames: int
    decoded: int
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What another copy of the data may mend."""
        return tuple(finding for finding in self.findings if finding.fault)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What the data say about themselves, and what was reported about them before."""
        return tuple(finding for finding in self.findings if not finding.fault)

    def by_kind(self) -> dict[Kind, list[Finding]]:
        """Findings of each kind that occurs, in the order of :data:`KINDS`."""
        found = {kind: [finding for finding in self.findings if finding.kind == kind] for kind in KINDS}
        return {kind: findings for kind, findings in found.items() if findings}

    def __str__(self) -> str:
        faulty = len({finding.sequence for finding in self.faults})
        head = (
            f"{self.dataset} in {self.root}: {self.sequences:,} sequences, {self.frames:,} frames, "
            f"{self.decoded:,} decoded in {self.seconds:.1f} s: "
        )
        verdict = f"{len(self.faults):,} faults in {faulty:,} sequences" if self.faults else "no faults"
        return f"{head}{verdict}, {len(self.notes):,} notes"

    def save(self, path: str | Path) -> None:
        """Write the report as JSON. Raises OSError."""
        summary = {kind: len(findings) for kind, findings in self.by_kind().items()}
        content = {"format": FORMAT, "faults": len(self.faults), "notes": len(self.notes), "by_kind": summary}
        write_atomically(Path(path), json.dumps(content | asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> VerificationReport:
        """Read a saved report.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no such report.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise KeyError("format")
            findings = tuple(Finding(**{**item, "frames": tuple(item["frames"])}) for item in content.pop("findings"))
            fields = {name: content[name] for name in cls.__dataclass_fields__ if name != "findings"}
            return cls(**fields, findings=findings)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: is no report of `trackdata verify` ({error})") from error


def findings_table(report: VerificationReport) -> Table:
    """A line for each kind of finding, to print with rich."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, justify in (("", "left"), ("what", "left"), ("sequences", "right"), ("frames", "right")):
        table.add_column(heading, justify=justify, overflow="fold")
    table.add_column("for example", overflow="fold")
    for kind, findings in report.by_kind().items():
        info = KINDS[kind]
        names = {finding.sequence for finding in findings}
        frames = sum(finding.count for finding in findings)
        mark = "[red]fault[/red]" if info.fault else "note"
        table.add_row(mark, info.title, f"{len(names):,}", f"{frames:,}" if frames else "", escape(str(findings[0])))
    return table
