"""Attention of each query to the keys that match it best, and to no others.

"SparseTT: Visual Tracking with Sparse Transformers" (IJCAI 2022), section 3.2, equations 2 and 3: of the scaled logits
``q k^T / sqrt(d)`` of a query exactly the k largest enter the softmax; all other weights are 0. A *row* is one head of
one sample. The choice itself has no gradient, so the keys that were not chosen get none.

:func:`topk_weights` defines the result. :func:`topk_attention` finds the k-th largest logit of each query without
sorting, hides the logits below it and takes an ordinary softmax: the same choice, except that of logits that equal the
k-th largest the first keys are taken, where ``torch.topk`` leaves open which. On CUDA a Triton kernel does all of it
for a block of queries at a time and never writes logits to memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from trackcore.ops.selection import kth_largest

try:
    import triton
except ImportError:  # no Triton for this platform: blocks of logits on CUDA as well
    triton = None

# Logits formed at once. On the CPU they stay in the cache; elsewhere the bound only keeps memory small.
_BLOCK = {"cpu": 1 << 18}
_BLOCK_ELSEWHERE = 1 << 26
_KERNEL_TYPES = (torch.float32, torch.float16, torch.bfloat16)
_MOST_KEYS = 1024  # of a kernel's tile
_TILES_OF_KEYS = 2.5  # what a kernel takes of shared memory, at most, in tiles of its keys


def topk_weights(queries: Tensor, keys: Tensor, count: int, mask: Tensor | None = None) -> Tensor:
    """The attention weights, by definition: sort out the k largest logits, softmax, scatter.

    Args:
        queries: ``(..., L, d)``.
        keys: ``(..., S, d)``.
        count: keys per query; as many as there are when it is larger.
        mask: added to the logits, broadcast to ``(..., L, S)``; minus infinity forbids a key. A query with fewer
            allowed keys than ``count`` attends to these.

    Returns:
        ``(..., L, S)``; each query has at most ``count`` weights other than 0, and they add up to 1.
    """
    logits = (queries * queries.shape[-1] ** -0.5) @ keys.mT
    if mask is not None:
        logits = logits + mask
    largest = logits.topk(min(count, keys.shape[-2]), dim=-1)
    return torch.zeros_like(logits).scatter(-1, largest.indices, largest.values.softmax(-1))


def topk_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    count: int,
    *,
    mask: Tensor | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Scaled dot-product attention over the ``count`` best keys of each query.

    The logits are formed for a block of queries at a time, and formed again for the gradient; what is kept between the
    two are two numbers per query. Logits and softmax of half-precision inputs are float32, under autocast too, so that
    rounding does not decide which keys are chosen.

    Args:
        queries: ``(..., L, d)``.
        keys: ``(..., S, d)``.
        values: ``(..., S, e)``.
        count: keys per query, at least 1. With S or more this is ordinary attention.
        mask: added to the logits, see :func:`topk_weights`. It is for odd cases: with it the logits are kept whole.
        dropout: probability that a chosen key's weight becomes 0; the others are divided by ``1 - dropout``. Random
            numbers come from torch's default generator.

    Returns:
        ``(..., L, e)``.

    Raises:
        ValueError: a shape, the count or the probability is wrong.
    """
    if count < 1:
        raise ValueError(f"each query attends to at least 1 key, got a count of {count}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is a probability below 1, got {dropout}")
    lead = queries.shape[:-2]
    if keys.shape[:-2] != lead or values.shape[:-1] != keys.shape[:-1] or keys.shape[-1] != queries.shape[-1]:
        raise ValueError(
            "queries (..., L, d), keys (..., S, d) and values (..., S, e) agree in rows, keys and d, got "
            f"{tuple(queries.shape)}, {tuple(keys.shape)}, {tuple(values.shape)}"
        )
    if count >= keys.shape[-2]:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=dropout)
    if mask is not None or torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting():
        weights = topk_weights(queries, keys, count, mask)
        return F.dropout(weights, dropout, training=dropout > 0) @ values
    seed = torch.randint(1 << 31, (), device=queries.device) if dropout else None
    rows = (tensor.flatten(0, -3) for tensor in (queries, keys, values))
    return torch.ops.trackcore.topk_attention(*rows, count, dropout, seed)[0].view(*lead, queries.shape[-2], -1)


# One operator for autograd and torch.compile: what is done inside depends on the device, for equal logits on values.
@torch.library.custom_op("trackcore::topk_attention", mutates_args=())
def _forward(
    queries: Tensor, keys: Tensor, values: Tensor, count: int, dropout: float, seed: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Output, and per query the least chosen logit and the last key at which one equal to it was taken."""
    if _wants_kernel(queries, keys, values):
        from trackcore.ops import topk_attention_kernels

        return topk_attention_kernels.attend(queries, keys, values, count, dropout, seed)
    output, least, last = _outputs(queries, keys, values)
    generator = _generator(queries.device, seed)
    with torch.autocast(queries.device.type, enabled=False):
        for rows, some in _blocks(queries, keys):
            logits = _logits(_wide(queries[rows, some]), _wide(keys[rows]))
            least[rows, some], last[rows, some] = _choose(logits, count)
            weights = _softmax(logits)
            if generator is not None:
                weights.mul_(_survivors(weights, dropout, generator))
            output[rows, some] = weights @ _wide(values[rows])
    return output, least, last


@_forward.register_fake
def _(queries, keys, values, count, dropout, seed):
    return _outputs(queries, keys, values)


@register_flop_formula(torch.ops.trackcore.topk_attention)
def _flops(queries, keys, values, *_, out_shape=None, **__) -> int:
    """Of the two products; finding the largest logits takes no multiplications."""
    (rows, length, width), (_, number, depth) = queries, values
    return 2 * rows * length * number * (width + depth)


@torch.library.custom_op("trackcore::topk_attention_backward", mutates_args=())
def _backward(
    gradient: Tensor,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    output: Tensor,
    least: Tensor,
    last: Tensor,
    count: int,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    # the kernel adds gradients of keys up in any order
    if _wants_kernel(queries, keys, values) and not torch.are_deterministic_algorithms_enabled():
        from trackcore.ops import topk_attention_kernels

        return topk_attention_kernels.gradients(
            gradient, queries, keys, values, output, least, last, count, dropout, seed
        )
    to_queries, to_keys, to_values = (
        torch.zeros_like(tensor, dtype=least.dtype, memory_format=torch.contiguous_format)
        for tensor in (queries, keys, values)
    )
    generator = _generator(queries.device, seed)
    scale = queries.shape[-1] ** -0.5
    with torch.autocast(queries.device.type, enabled=False):
        for rows, some in _blocks(queries, keys):
            g, q, o = (_wide(tensor[rows, some]) for tensor in (gradient, queries, output))
            k, v = _wide(keys[rows]), _wide(values[rows])
            logits = _logits(q, k)
            if not _choose_again(logits, count, least[rows, some], last[rows, some]):
                logits = _logits(q, k)
                _choose(logits, count)
            weights = _softmax(logits)
            through = g @ v.mT
            if generator is None:
                to_values[rows] += weights.mT @ g
            else:
                kept = _survivors(weights, dropout, generator)
                to_values[rows] += (weights * kept).mT @ g
                through.mul_(kept)
            # through the softmax: dS = A (dA - sum_j A dA), and the sum is that of o dO over the channels
            through.sub_((g * o).sum(-1, keepdim=True)).mul_(weights).mul_(scale)
            to_queries[rows, some] = through @ k
            to_keys[rows] += through.mT @ q
    return to_queries.to(queries.dtype), to_keys.to(keys.dtype), to_values.to(values.dtype)


@_backward.register_fake
def _(gradient, queries, keys, values, output, least, last, count, dropout, seed):
    return tuple(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (queries, keys, values))


def _save(ctx, inputs, output) -> None:
    queries, keys, values, ctx.count, ctx.dropout, seed = inputs
    ctx.save_for_backward(queries, keys, values, *output, seed)
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx, gradient: Tensor, *_) -> tuple[Tensor | None, ...]:
    *tensors, seed = ctx.saved_tensors
    gradients = torch.ops.trackcore.topk_attention_backward(
        gradient.contiguous(), *tensors, ctx.count, ctx.dropout, seed
    )
    return (*gradients, None, None, None)


_forward.register_autograd(_differentiate, setup_context=_save)


def _wants_kernel(queries: Tensor, keys: Tensor, values: Tensor) -> bool:
    """On CUDA, where one tile holds all keys of a row."""
    if not queries.is_cuda or triton is None or queries.dtype not in _KERNEL_TYPES:
        return False
    number, width = triton.next_power_of_2(keys.shape[-2]), queries.shape[-1]
    room = torch.cuda.get_device_properties(queries.device).shared_memory_per_block_optin
    fits = number <= _MOST_KEYS and _TILES_OF_KEYS * number * width * queries.element_size() <= room
    return values.shape[-1] == width and width in (16, 32, 64, 128) and fits


def _outputs(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rows, length, _ = queries.shape
    precision = torch.promote_types(queries.dtype, torch.float32)
    return (
        queries.new_empty(rows, length, values.shape[-1]),
        queries.new_empty(rows, length, 1, dtype=precision),
        queries.new_empty(rows, length, 1, dtype=torch.int32),
    )


def _blocks(queries: Tensor, keys: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of the rows and of the queries, each with so many logits as are formed at once."""
    rows, length, _ = queries.shape
    room = max(1, _BLOCK.get(queries.device.type, _BLOCK_ELSEWHERE) // keys.shape[-2])  # queries
    some, at_once = min(length, room), max(1, room // max(1, length))
    for first in range(0, rows, at_once):
        for start in range(0, length, some):
            yield slice(first, first + at_once), slice(start, start + some)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _logits(queries: Tensor, keys: Tensor) -> Tensor:
    nothing = queries.new_empty(*queries.shape[:2], keys.shape[1])
    return torch.baddbmm(nothing, queries, keys.mT, beta=0, alpha=queries.shape[-1] ** -0.5)


def _softmax(logits: Tensor) -> Tensor:
    """In place."""
    return torch.softmax(logits, -1, out=logits)


def _hide_below(logits: Tensor, least: Tensor) -> int:
    """Shift each query's logits, in place, so that ``least`` becomes 0, and hide those below; returns how many are
    left.

    A softmax does not see the shift, and a comparison with one number for all is several times faster than a mask.
    """
    logits.sub_(least)
    F.threshold_(logits, -torch.finfo(logits.dtype).tiny, float("-inf"))  # above 0, and 0 itself
    return int((logits >= 0).count_nonzero())


def _choose(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Hide, in place, all but the ``count`` largest logits of each query, of equal ones the first.

    Returns:
        ``(..., 1)`` the least logit that was chosen, and ``(..., 1)`` the last key at which one equal to it was taken:
        any, that is the last of all, where all of them were.
    """
    least = kth_largest(logits, count)
    last = torch.full_like(least, logits.shape[-1] - 1, dtype=torch.int32)
    if _hide_below(logits, least) > least.numel() * count:
        equal = logits == 0
        rank = equal.cumsum(-1)
        room = count - (logits > 0).sum(-1, keepdim=True)
        logits.masked_fill_(equal & (rank > room), float("-inf"))
        last = torch.where(rank[..., -1:] > room, (rank < room).sum(-1, keepdim=True), last)
    return least, last


def _choose_again(logits: Tensor, count: int, least: Tensor, last: Tensor) -> bool:
    """Hide, in place, what :func:`_choose` has hidden in the same logits.

    Returns:
        False when ``count`` of each query are not what is left: the logits came out another way than before.
    """
    left = _hide_below(logits, least)
    if left > least.numel() * count:
        place = torch.arange(logits.shape[-1], device=logits.device)
        logits.masked_fill_((logits == 0) & (place > last), float("-inf"))
        left = int((logits >= 0).count_nonzero())
    return left == least.numel() * count


def _generator(device: torch.device, seed: Tensor | None) -> torch.Generator | None:
    return None if seed is None else torch.Generator(device).manual_seed(int(seed))


def _survivors(weights: Tensor, dropout: float, generator: torch.Generator) -> Tensor:
    """0 with probability ``dropout``, else 1 / (1 - ``dropout``)."""
    return torch.empty_like(weights).bernoulli_(1 - dropout, generator=generator).div_(1 - dropout)
