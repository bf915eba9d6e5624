"""Tables on the screen, and the same as JSON and Markdown in ``results/<label>.{json,md}``.

Each benchmark replaces its own section of the two files, together with the machine it measured in that run.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from machine import Machine
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was timed.
        seconds: median time of one unit.
        unit: what is counted, such as "frame".
        gflop: arithmetic of one unit in GFLOP (two per multiply-add), by formula; None where none is defined.
        precision: whose matrix-multiply rate the figure is set against, "fp32" or "bf16".
        note: what else to know.
    """

    name: str
    seconds: float
    unit: str = "frame"
    gflop: float | None = None
    precision: str = "fp32"
    note: str = ""

    def row(self, machine: Machine) -> dict[str, object]:
        """The figure as a rate and relative to the machine.

        Work with a known number of operations gets its share of the machine's matrix-multiply rate. For other work the
        products the machine could have computed in the same time say how much it costs next to a network.
        """
        rate = getattr(machine, self.precision)
        return asdict(self) | {
            "per_second": 1 / self.seconds,
            "gflop_per_second": None if self.gflop is None else self.gflop / self.seconds,
            "share_of_matmul_rate": None if self.gflop is None else self.gflop / self.seconds / rate,
            "matmul_gflop_in_that_time": self.seconds * rate,
        }


COLUMNS = ("figure", "ms", "per second", "GFLOP/s", "share of matmul rate", "GFLOP of matmul in that time", "note")


def _cells(row: dict) -> tuple[str, ...]:
    return (
        row["name"],
        f"{1e3 * row['seconds']:.3g}",
        f"{row['per_second']:.4g} {row['unit']}s",
        "" if row["gflop_per_second"] is None else f"{row['gflop_per_second']:.4g}",
        ""
        if row["share_of_matmul_rate"] is None
        else f"{100 * row['share_of_matmul_rate']:.1f} % ({row['precision']})",
        f"{row['matmul_gflop_in_that_time']:.3g}",
        row["note"],
    )


def _machine_cells(machine: dict) -> list[tuple[str, str]]:
    return [
        ("processor", f"{machine['processor']} ({machine['device']}, {machine['threads']} threads)"),
        ("matrix multiply, fp32", f"{machine['fp32']:.1f} GFLOP/s"),
        ("matrix multiply, bf16", f"{machine['bf16']:.1f} GFLOP/s"),
        ("software", f"Python {machine['python']}, torch {machine['torch']}"),
        ("load when the run began", f"{machine['load']}"),
    ]


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=180)  # a log file has no width of its own


def machine_table(machine: Machine) -> None:
    """Print what a machine is and can do."""
    table = Table("machine", "", title="This machine")
    for cells in _machine_cells(asdict(machine)):
        table.add_row(*cells)
    _console().print(table)


def report(
    section: str, machine: Machine, figures: list[Figure], label: str | None, output: Path | None = None
) -> Path:
    """Print the figures and put them into ``<label>.json`` and ``<label>.md``.

    Args:
        section: name of the benchmark, whose earlier figures in these files are replaced.
        machine: measured in the same run.
        figures: what was found.
        label: of the machine; None takes the processor's name.
        output: folder; None is ``results`` beside this file.

    Returns:
        The JSON file.
    """
    rows = [figure.row(machine) for figure in figures]
    machine_table(machine)
    table = Table(*COLUMNS, title=section)
    for row in rows:
        table.add_row(*_cells(row))
    _console().print(table)

    folder = output or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", (label or machine.processor).lower()).strip("-")
    path = folder / f"{slug}.json"
    sections = json.loads(path.read_text()) if path.exists() else {}
    sections[section] = {"machine": asdict(machine), "figures": rows}
    path.write_text(json.dumps(sections, indent=2) + "\n")
    path.with_suffix(".md").write_text(_markdown(slug, sections))
    _console().print(f"written to {path} and {path.with_suffix('.md').name}")
    return path


def _markdown(slug: str, sections: dict) -> str:
    lines = [f"# Speed: {slug}", ""]
    for section, content in sorted(sections.items()):
        lines += [f"## {section}", ""]
        lines += [f"- {name}: {value}" for name, value in _machine_cells(content["machine"])]
        lines += ["", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in content["figures"]]
        lines.append("")
    return "\n".join(lines)
