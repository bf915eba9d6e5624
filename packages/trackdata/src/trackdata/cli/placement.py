"""Where ``trackdata evaluate`` tracks: processes, devices, a Ray cluster, parts of the data."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal

from trackdata.cli.common import UsageError

if TYPE_CHECKING:
    from trackdata.evaluation import Engine, Shard


@dataclass(frozen=True)
class Placement:
    """Where a run takes place."""

    workers: int | None = None
    """processes, each with one tracker; by default one per device"""
    devices: str | None = None
    """given to trackers that have an option `device`, in turn: cuda:0,cuda:1 or cpu; with Ray cuda or cpu"""
    timeout: float | None = None
    """seconds that one sequence may take"""
    engine: Literal["local", "ray"] = "local"
    """processes of this machine, or actors of a Ray cluster"""
    ray_address: str | None = None
    """of the cluster, such as auto or HOST:6379; by default one is started on this machine"""
    shard: str | None = None
    """NUMBER/COUNT: only this part of each dataset, for machines that share no more than the output folder"""

    @property
    def device_names(self) -> tuple[str, ...]:
        """The devices asked for."""
        return tuple(name.strip() for name in (self.devices or "").split(",") if name.strip())


def parse_shard(placement: Placement) -> Shard:
    """The part asked for. Raises UsageError when there is no such part."""
    from trackdata.evaluation.shards import WHOLE, Shard

    try:
        return WHOLE if placement.shard is None else Shard.parse(placement.shard)
    except ValueError as error:
        raise UsageError(f"--shard: {error}") from error


def make_engine(placement: Placement, tracker: str) -> Engine:
    """The engine for one tracker. Raises UsageError for flags that do not go together."""
    from trackdata.evaluation import LocalEngine, RayEngine

    devices = placement.device_names
    workers = placement.workers if placement.workers is not None else max(1, len(devices))
    if placement.engine == "local" and placement.ray_address is not None:
        raise UsageError("--ray-address goes with --engine ray")
    if placement.engine == "ray" and devices not in ((), ("cpu",), ("cuda",)):
        raise UsageError(f"--devices with Ray is cpu or cuda, got {placement.devices}: Ray chooses which GPU")
    devices = devices if takes_device(tracker, devices) else ()
    try:
        if placement.engine == "local":
            return LocalEngine(workers, devices, placement.timeout)
        return RayEngine(
            workers,
            device=next(iter(devices), None),
            address=placement.ray_address,
            gpus=float(devices == ("cuda",)),
            timeout=placement.timeout,
        )
    except ValueError as error:
        raise UsageError(f"--{error}") from error


def takes_device(tracker: str, devices: tuple[str, ...]) -> bool:
    """Whether there are devices and the factory of the registered ``tracker`` has an option ``device``.

    The tracker's package is imported only when there are devices.
    """
    from trackcore.tracker import GROUP

    if not devices:
        return False
    [entry] = entry_points(group=GROUP, name=tracker)
    parameters = inspect.signature(entry.load()).parameters.values()
    return any(parameter.name == "device" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
