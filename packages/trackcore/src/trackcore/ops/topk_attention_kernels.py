"""Triton kernels of top-k attention; :mod:`trackcore.ops.topk_attention` says what they compute and when they are used.

A program takes a block of queries of one row and all keys of it, so that the logits stay in registers. The k-th largest
logit of each query is built bit by bit: 32 times the logits are compared with a candidate and counted. Logits, choice
and softmax are float32.

The backward kernel does the same once more. It adds the gradients of keys and values up atomically.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_QUERIES = 16  # of a program; the smallest side of a product in Triton


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, count: int, dropout: float, seed: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Output ``(R, L, d)``, and per query the least chosen logit and the last key that has it and was taken."""
    rows, length, _ = queries.shape
    queries, keys, values = queries.contiguous(), keys.contiguous(), values.contiguous()
    output = torch.empty_like(queries)
    least = queries.new_empty(rows, length, 1, dtype=torch.float32)
    last = queries.new_empty(rows, length, 1, dtype=torch.int32)
    if output.numel():
        _attend[_grid(queries)](
            queries, keys, values, output, least, last, _pointer(seed, least), queries.shape[-1] ** -0.5, dropout,
            length, keys.shape[1], count, **_blocks(queries, keys, seed),
        )  # fmt: skip
    return output, least, last


def gradients(
    gradient: Tensor, queries: Tensor, keys: Tensor, values: Tensor, output: Tensor, least: Tensor, last: Tensor,
    count: int, dropout: float, seed: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients with respect to queries, keys and values; what was chosen is read from ``least`` and ``last``."""
    tensors = [tensor.contiguous() for tensor in (gradient, queries, keys, values, output)]
    to_queries, (to_keys, to_values) = (
        torch.empty_like(tensors[1]),
        (torch.zeros_like(tensor, dtype=torch.float32) for tensor in tensors[2:4]),
    )
    if to_queries.numel():
        _attend_backward[_grid(queries)](
            *tensors, least, last, _pointer(seed, least), to_queries, to_keys, to_values, queries.shape[-1] ** -0.5,
            dropout, queries.shape[1], keys.shape[1], **_blocks(queries, keys, seed),
        )  # fmt: skip
    return to_queries, to_keys.to(keys.dtype), to_values.to(values.dtype)


def _grid(queries: Tensor) -> tuple[int, int]:
    return len(queries), triton.cdiv(queries.shape[1], _QUERIES)


def _blocks(queries: Tensor, keys: Tensor, seed: Tensor | None) -> dict[str, int | bool]:
    return {
        "QUERIES": _QUERIES,
        "KEYS": max(16, triton.next_power_of_2(keys.shape[1])),
        "WIDTH": queries.shape[-1],
        "DROPOUT": seed is not None,
    }


def _pointer(seed: Tensor | None, any_tensor: Tensor) -> Tensor:
    """A kernel takes a pointer where it reads none too."""
    return any_tensor if seed is None else seed


@triton.jit
def _ordered(logits):
    """Bits of float32 numbers, unsigned and in the order of the numbers."""
    bits = tl.where(logits == 0, 0.0, logits).to(tl.uint32, bitcast=True)  # -0 equals 0
    return tl.where(bits >> 31 == 1, bits ^ 0xFFFFFFFF, bits | 0x80000000)


@triton.jit
def _logits(queries, keys, scale, inside):
    logits = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
    return tl.where(inside, logits, float("-inf"))


@triton.jit
def _kept(seed, query, key, row, length, number, dropout):
    """Where a weight survives dropout: 1 / (1 - dropout), else 0."""
    place = (row * length + query)[:, None] * number + key[None, :]
    return tl.where(tl.rand(tl.load(seed), place) >= dropout, 1 / (1 - dropout), 0.0)


@triton.jit
def _attend(
    queries, keys, values, output, least, last, seed, scale, dropout, length, number, count,
    QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr, DROPOUT: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    query, key = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES), tl.arange(0, KEYS)
    channel = tl.arange(0, WIDTH)
    at_query = (row.to(tl.int64) * length + query)[:, None] * WIDTH + channel[None, :]
    at_key = (row.to(tl.int64) * number + key)[:, None] * WIDTH + channel[None, :]
    here, there = (query < length)[:, None], (key < number)[:, None]
    q = tl.load(queries + at_query, mask=here, other=0.0)
    k = tl.load(keys + at_key, mask=there, other=0.0)
    inside = (key < number)[None, :]
    logits = _logits(q, k, scale, inside)
    order = _ordered(logits)

    threshold = tl.zeros((QUERIES,), tl.uint32)
    for place in range(31, -1, -1):
        candidate = threshold | (tl.full((QUERIES,), 1, tl.uint32) << place)
        enough = tl.sum((inside & (order >= candidate[:, None])).to(tl.int32), 1) >= count
        threshold = tl.where(enough, candidate, threshold)
    above, equal = inside & (order > threshold[:, None]), inside & (order == threshold[:, None])
    room = count - tl.sum(above.to(tl.int32), 1)
    taken = equal & (tl.cumsum(equal.to(tl.int32), 1) <= room[:, None])
    chosen = above | taken
    tl.store(
        least + row.to(tl.int64) * length + query, tl.min(tl.where(chosen, logits, float("inf")), 1), query < length
    )
    tl.store(last + row.to(tl.int64) * length + query, tl.max(tl.where(taken, key[None, :], 0), 1), query < length)

    weights = tl.where(chosen, tl.exp(logits - tl.max(logits, 1)[:, None]), 0.0)
    weights = weights / tl.sum(weights, 1)[:, None]
    if DROPOUT:
        weights *= _kept(seed, query, key, row, length, number, dropout)
    v = tl.load(values + at_key, mask=there, other=0.0)
    result = tl.dot(weights.to(v.dtype), v, input_precision="ieee")
    tl.store(output + at_query, result, mask=here)


@triton.jit
def _attend_backward(
    gradient, queries, keys, values, output, least, last, seed, to_queries, to_keys, to_values, scale, dropout,
    length, number,
    QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr, DROPOUT: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    query, key = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES), tl.arange(0, KEYS)
    channel = tl.arange(0, WIDTH)
    at_query = (row.to(tl.int64) * length + query)[:, None] * WIDTH + channel[None, :]
    at_key = (row.to(tl.int64) * number + key)[:, None] * WIDTH + channel[None, :]
    here, there = (query < length)[:, None], (key < number)[:, None]
    q = tl.load(queries + at_query, mask=here, other=0.0)
    k = tl.load(keys + at_key, mask=there, other=0.0)
    inside = (key < number)[None, :]
    logits = _logits(q, k, scale, inside)

    limit = tl.load(least + row.to(tl.int64) * length + query, mask=query < length, other=0.0)[:, None]
    end = tl.load(last + row.to(tl.int64) * length + query, mask=query < length, other=0)[:, None]
    chosen = inside & here & ((logits > limit) | ((logits == limit) & (key[None, :] <= end)))
    weights = tl.where(chosen, tl.exp(logits - tl.max(logits, 1)[:, None]), 0.0)
    weights = weights / tl.where(query < length, tl.sum(weights, 1), 1.0)[:, None]

    g = tl.load(gradient + at_query, mask=here, other=0.0)
    o = tl.load(output + at_query, mask=here, other=0.0)
    inner = tl.sum(g.to(tl.float32) * o.to(tl.float32), 1)[:, None]
    v = tl.load(values + at_key, mask=there, other=0.0)
    through = tl.dot(g, tl.trans(v), input_precision="ieee")
    seen = weights
    if DROPOUT:
        kept = _kept(seed, query, key, row, length, number, dropout)
        through *= kept
        seen = weights * kept
    through = weights * (through - inner) * scale
    tl.store(to_queries + at_query, tl.dot(through.to(k.dtype), k, input_precision="ieee"), mask=here)
    tl.atomic_add(to_keys + at_key, tl.dot(tl.trans(through).to(q.dtype), q, input_precision="ieee"), mask=there)
    tl.atomic_add(to_values + at_key, tl.dot(tl.trans(seen).to(g.dtype), g, input_precision="ieee"), mask=there)
