"""A network whose weights, gradients and optimiser state are spread over the processes (FSDP), and whole again on disk.

Training checkpoints hold whole tensors, so that a run can go on with another number of processes, or without sharding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer


def shard(model: nn.Module, units: Sequence[nn.Module], device: torch.device) -> None:
    """Shard ``model`` in place over all processes; each of ``units`` is gathered on its own when it computes."""
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for unit in units:
        fully_shard(unit, mesh=mesh)
    fully_shard(model, mesh=mesh)


def is_sharded(model: nn.Module) -> bool:
    """Whether :func:`shard` has been applied."""
    return isinstance(model, FSDPModule)


def whole(value: Any, keep: bool = True) -> Any:
    """``value`` (nested dicts and lists) with every sharded tensor whole and on the CPU.

    All processes have to call this, with values of the same structure. Those without ``keep`` get None for sharded
    tensors, and do not hold them all.
    """
    if isinstance(value, DTensor):
        full = value.full_tensor()
        return full.cpu() if keep else None
    if isinstance(value, Mapping):
        return {name: whole(item, keep) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(whole(item, keep) for item in value)
    return value


def model_share(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A whole state dict laid out as that of a model, sharded or not; what does not fit it stays whole."""
    own = model.state_dict()
    return {name: _share_of(tensor, own.get(name)) for name, tensor in state.items()}


def optimizer_share(state: dict[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """A whole optimiser state laid out for an optimiser, over sharded parameters or not."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    like = dict(zip(numbers, parameters, strict=True))
    entries = {
        number: {
            name: _share_of(item, like[number]) if isinstance(item, Tensor) else item for name, item in entry.items()
        }
        for number, entry in state["state"].items()
    }
    return {**state, "state": entries}


def _share_of(tensor: Tensor, like: Tensor | None) -> Tensor:
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device, like.dtype), like.device_mesh, like.placements)


@contextmanager
def gathered(model: nn.Module) -> Iterator[None]:
    """A context in which all weights are whole on every process, so that processes may run unequal forward passes."""
    parts = [part for part in model.modules() if isinstance(part, FSDPModule)]
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.set_reshard_after_forward(True, recurse=False)
            part.reshard()
