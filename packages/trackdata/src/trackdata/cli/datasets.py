"""``trackdata datasets``: what can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Datasets:
    """List the datasets that can be read, their splits and layouts."""

    names: bool = False
    """print the names alone, one a line"""

    def __call__(self) -> int:
        from trackdata.datasets import dataset_names

        if self.names:
            print("\n".join(dataset_names()))
            return 0
        from rich.console import Console

        Console().print(_table())
        return 0


def _table() -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from trackdata.datasets import list_datasets

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("name", "dataset", "splits", "annotation", "layout below the root"):
        table.add_column(heading, overflow="fold")
    for info in list_datasets():
        table.add_row(info.name, info.title, ", ".join(info.splits) or "-", info.annotation, info.layout)
    return table
