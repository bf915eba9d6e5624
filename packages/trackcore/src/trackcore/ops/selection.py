"""The largest entry but k of rows, without sorting them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

_WORTH_A_THREAD = 1 << 15  # entries; handing work to a thread costs some ten microseconds
_LONG = 1 << 12  # entries of a row; a device whose kthvalue gives each row to one block is slow on few long ones


def kth_largest(rows: Tensor, count: int) -> Tensor:
    """The ``count``-th largest entry of each row, as a threshold; equal entries count each, and NaN is the largest.

    On the CPU NumPy's partition finds it, several times faster than ``torch.kthvalue`` and ``torch.topk``, in as many
    threads as torch uses. On other devices long float32 rows are counted through 32 times, once for each bit.

    Args:
        rows: ``(..., N)``; no gradient is taken.
        count: from 1 to N.

    Returns:
        ``(..., 1)`` of the same type.
    """
    place = rows.shape[-1] - count
    if rows.device.type != "cpu" and rows.dtype == torch.float32 and rows.shape[-1] >= _LONG:
        return _by_bits(rows.detach(), count)
    if rows.device.type != "cpu" or rows.dtype not in (torch.float32, torch.float64):
        return rows.detach().kthvalue(place + 1, dim=-1, keepdim=True).values
    flat = rows.detach().reshape(-1, rows.shape[-1]).numpy()
    shares = min(torch.get_num_threads(), 1 + flat.size // _WORTH_A_THREAD, max(1, len(flat)))
    parts = np.array_split(flat, shares)
    # the partition of the first share is this thread's
    others = [_threads(os.getpid(), shares).submit(_entry, part, place) for part in parts[1:]]
    found = [_entry(parts[0], place), *(other.result() for other in others)]
    return torch.from_numpy(np.concatenate(found)).view(*rows.shape[:-1], 1)


def _by_bits(rows: Tensor, count: int) -> Tensor:
    """The entry found bit by bit, from the highest on: a bit is set where ``count`` entries are still as large."""
    bits = torch.where(rows.isnan(), float("nan"), rows).view(torch.int32)
    order = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # as integers these have the order of the floats
    found = torch.full_like(order[..., :1], -(2**31))
    for bit in range(31, -1, -1):
        tried = found + 2**bit if bit < 31 else torch.zeros_like(found)  # 2^31 alone would not fit
        found = torch.where((order >= tried).sum(-1, keepdim=True) >= count, tried, found)
    return (found ^ ((found >> 31) & 0x7FFFFFFF)).view(torch.float32)


def _entry(rows: np.ndarray, place: int) -> np.ndarray:
    return np.partition(rows, place, axis=1)[:, place : place + 1].copy()


@lru_cache(maxsize=1)
def _threads(process: int, count: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked one, in which they do not exist, asks for its own."""
    return ThreadPoolExecutor(count, thread_name_prefix="partition")
