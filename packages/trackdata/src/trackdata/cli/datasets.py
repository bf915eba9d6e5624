"""``trackdata datasets``: what can be read."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tyro

from trackdata.cli.common import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from trackdata.datasets import DatasetInfo


@dataclass(frozen=True)
class Datasets:
    """List the datasets that can be read, or say what is known about some of them."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """datasets to describe: splits, layout on disk, annotation; none lists all"""

    def __call__(self) -> int:
        from trackdata.datasets import UnknownDatasetError, dataset_info, list_datasets

        if self.names:
            try:
                described = [_described(dataset_info(name)) for name in self.names]
            except UnknownDatasetError as error:
                raise UsageError(str(error)) from error
            print("\n\n".join(described))
        elif sys.stdout.isatty():
            from rich.console import Console

            Console().print(_table(list_datasets()))
        else:
            print("\n".join(info.name for info in list_datasets()))
        return 0


def _table(infos: list[DatasetInfo]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption="`trackdata datasets NAME` tells more. Names that published recipes use: "
        + ", ".join(info.name for info in infos if info.alias),
        caption_justify="left",
    )
    for heading in ("name", "dataset", "splits"):
        table.add_column(heading, overflow="fold")
    for info in infos:
        if not info.alias:
            table.add_row(info.name, info.title, ", ".join(info.splits) or "-")
    return table


def _described(info: DatasetInfo) -> str:
    rows = {
        "splits": ", ".join(info.splits) or "none",
        "layout": info.layout,
        "annotation": info.annotation,
        "boxes count from": str(info.origin) if info.boxes else "",
        "convention of published numbers": info.convention if info.boxes else "",
        "attributes of sequences": ", ".join(info.challenges.values()),
    }
    lines = [f"  {label}: {value}" for label, value in rows.items() if value]
    return "\n".join([f"{info.name}: {info.title}", *lines])
