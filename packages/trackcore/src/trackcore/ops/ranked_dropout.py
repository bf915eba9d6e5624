"""Attention over two frames in which matched queries lose some of their own frame's keys.

"DropMAE: Masked Autoencoders with Spatial-Attention Dropout for Tracking Tasks" (CVPR 2023), section 3.3. The L = 2n
tokens are those of one frame, then those of the other; a *row* is one head of one sample. In each row exactly ``count``
*pairs* (a query and a key of its own frame) are hidden from the softmax. They are drawn without replacement over the
whole row, with probability proportional to :func:`sampling_weights`, which favour queries with a good match in the
other frame. A token is never hidden from itself, and pairs of different frames are never hidden.

Tensors over pairs are ``(rows, L, n)``: the query in the joint sequence, then the key inside the query's own frame.

Drawing is ranking: with Exp(1) clocks E, the ``count`` pairs of largest w / E are such a sample (Efraimidis and
Spirakis, "Weighted random sampling with a reservoir", 2006). Clocks given from outside therefore decide everything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

EPSILON = 1e-6  # published: added to every score, so that no pair is impossible

# Logits formed at once. On the CPU they stay in the cache; elsewhere the bound only keeps memory small.
_BLOCK = {"cpu": 1 << 21}
_BLOCK_ELSEWHERE = 1 << 26


def sampling_weights(logits: Tensor) -> Tensor:
    """How readily each pair is dropped.

    With A the softmax over all keys, ``t_i`` the largest A of query i in the other frame and ``s_ij`` its A in the own
    frame (both plus 1e-6, and ``s_ii = 0``), the weight is ``t_i s_ij / sum_j s_ij``.

    Args:
        logits: ``(rows, L, L)`` scaled.

    Returns:
        ``(rows, L, n)``, zero for a token and itself; float32 for half-precision logits, else of their type.

    Raises:
        ValueError: the logits are not square, or L is odd.
    """
    rows, tokens, keys = logits.shape
    if tokens != keys or tokens % 2:
        raise ValueError(f"logits of two frames are (rows, L, L) with an even L, got {tuple(logits.shape)}")
    precision = torch.promote_types(logits.dtype, torch.float32)
    grid = _by_frame(logits.softmax(-1, dtype=precision))
    temporal = torch.stack([grid[:, 0, :, 1].amax(-1), grid[:, 1, :, 0].amax(-1)], 1) + EPSILON
    spatial = _within_frames(grid) + EPSILON
    _own(spatial).zero_()
    return spatial.mul_((temporal / spatial.sum(-1)).unsqueeze(-1)).reshape(rows, tokens, tokens // 2)


def draw_clocks(rows: int, tokens: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Exp(1) variables ``(rows, L, n)`` in float32, with the 24 bits of a float32 uniform variable."""
    # Tensor.exponential_ takes five times as long on the CPU.
    return torch.rand(rows, tokens, tokens // 2, device=device, generator=generator).log_().neg_()


def drop_pairs(
    logits: Tensor, count: int, clocks: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Choose the pairs to hide.

    Args:
        logits: ``(rows, L, L)`` scaled; no gradient is taken.
        count: pairs in each row, at most ``L (n - 1)``.
        clocks: Exp(1) variables ``(rows, L, n)``, possibly flattened after the rows; None draws them.
        generator: to draw them from; None is torch's default one.

    Returns:
        ``(rows, L, n)`` bool with exactly ``count`` True in each row. Of pairs that rank the same, those of lower index
        (query, then key) are taken.

    Raises:
        ValueError: a shape or the count is wrong.
    """
    rows, tokens, _ = logits.shape
    check_count(count, tokens)
    scores = sampling_weights(logits.detach())
    if clocks is None:
        clocks = draw_clocks(rows, tokens, logits.device, generator)
    elif clocks.numel() != scores.numel() or len(clocks) != rows:
        raise ValueError(f"logits {tuple(logits.shape)} need clocks {tuple(scores.shape)}, got {tuple(clocks.shape)}")
    scores.div_(clocks.view_as(scores))
    _own(scores.view(rows, 2, tokens // 2, tokens // 2)).fill_(-1)  # below all others, even those of an infinite clock
    return _largest(scores.view(rows, -1), count).view_as(scores)


def hide_pairs(logits: Tensor, dropped: Tensor) -> Tensor:
    """Set the logits ``(rows, L, L)`` of dropped pairs ``(rows, L, n)`` to minus infinity, in place; returns them."""
    rows, _, half = dropped.shape
    _within_frames(_by_frame(logits)).masked_fill_(dropped.view(rows, 2, half, half), float("-inf"))
    return logits


def check_count(count: int, tokens: int) -> None:
    """Raise ValueError when a row of ``tokens`` tokens, both frames together, has no ``count`` pairs to drop."""
    most = tokens * (tokens // 2 - 1)
    if not 0 <= count <= most:
        raise ValueError(f"of the pairs of {tokens} tokens between 0 and {most} can be dropped, got {count}")


def _by_frame(logits: Tensor) -> Tensor:
    """``(rows, L, L)`` as ``(rows, 2, n, 2, n)``: frame and place of the query, frame and place of the key."""
    return logits.unflatten(2, (2, -1)).unflatten(1, (2, -1))


def _within_frames(grid: Tensor) -> Tensor:
    """The blocks ``(rows, 2, n, n)`` of queries and keys of the same frame."""
    return grid.diagonal(0, 1, 3).movedim(-1, 1)


def _own(pairs: Tensor) -> Tensor:
    """The entries of ``(rows, 2, n, n)`` where query and key are the same token."""
    return pairs.diagonal(0, 2, 3)


def _largest(scores: Tensor, count: int) -> Tensor:
    """Mask of the ``count`` largest scores ``(rows, N)`` of each row, of equal ones the first. No sorting."""
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    place = scores.shape[1] - count
    if scores.device.type == "cpu":  # several times faster than torch.kthvalue and torch.topk
        least = torch.from_numpy(np.partition(scores.numpy(), place, axis=1)[:, place : place + 1].copy())
    else:
        least = scores.kthvalue(place + 1, dim=1, keepdim=True).values
    chosen = scores >= least
    if chosen.count_nonzero() == len(chosen) * count:
        return chosen
    above, equal = scores > least, scores == least
    return above | (equal & (equal.cumsum(1) <= count - above.sum(1, keepdim=True)))


def ranked_dropout_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    count: int,
    *,
    clocks: Tensor | None = None,
    dropped: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention without ``count`` pairs of each row.

    The logits are formed for a block of rows at a time and formed again for the gradient; what is kept between the two
    is the choice of pairs, one byte each. No gradient flows through the choice.

    The softmax and all that decides about pairs are computed in float32 for half-precision inputs, under autocast too;
    so are the products on the CPU.

    Args:
        queries, keys, values: ``(..., L, d)`` of L = 2n tokens; all leading dimensions are rows.
        count: pairs hidden in each row. Where it is 0, ``F.scaled_dot_product_attention`` is faster.
        clocks: Exp(1) variables ``(rows, L n)`` in the order of the leading dimensions, last fastest; None draws them
            from torch's default generator.
        dropped: ``(rows, L, n)`` bool, the pairs themselves in place of a choice; ``count`` is then not looked at.

    Returns:
        The attention's output ``(..., L, d)``, and the pairs that were hidden ``(rows, L, n)`` bool.

    Raises:
        ValueError: a shape or the count is wrong.
    """
    lead = queries.shape[:-2]
    tokens = queries.shape[-2]
    if not queries.shape == keys.shape == values.shape or tokens % 2:
        raise ValueError(
            "queries, keys and values of two frames have one shape (..., L, d) with an even L, got "
            f"{tuple(queries.shape)}, {tuple(keys.shape)}, {tuple(values.shape)}"
        )
    check_count(count, tokens)
    rows = queries.shape[:-2].numel()
    pairs = (rows, tokens, tokens // 2)
    if dropped is not None and dropped.shape != pairs:
        raise ValueError(f"dropped must be {pairs}, got {tuple(dropped.shape)}")
    if clocks is not None and (clocks.numel() != torch.Size(pairs).numel() or len(clocks) != rows):
        raise ValueError(f"clocks must be {pairs} or flattened after the rows, got {tuple(clocks.shape)}")
    flat = (tensor.flatten(0, -3) for tensor in (queries, keys, values))
    output, dropped = torch.ops.trackcore.ranked_dropout(*flat, count, clocks, dropped)
    return output.view(*lead, tokens, -1), dropped


# One operator for autograd and torch.compile: what is done inside depends on the device, and for equal ranks on values.
@torch.library.custom_op("trackcore::ranked_dropout", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,))
def _forward(
    queries: Tensor, keys: Tensor, values: Tensor, count: int, clocks: Tensor | None, dropped: Tensor | None
) -> tuple[Tensor, Tensor]:
    rows, tokens, _ = queries.shape
    output = torch.empty_like(values, memory_format=torch.contiguous_format)
    hidden = torch.empty(rows, tokens, tokens // 2, dtype=torch.bool, device=queries.device)
    with torch.autocast(queries.device.type, enabled=False):
        for block in _blocks(queries):
            q, k, v = (_working(tensor[block]) for tensor in (queries, keys, values))
            logits = _logits(q, k)
            if dropped is None:
                hidden[block] = drop_pairs(logits, count, None if clocks is None else clocks[block])
            else:
                hidden[block] = dropped[block]
            output[block] = _softmax(hide_pairs(logits, hidden[block])).to(v.dtype) @ v
    return output, hidden


@_forward.register_fake
def _(queries, keys, values, count, clocks, dropped):
    rows, tokens, _ = queries.shape
    hidden = torch.empty(rows, tokens, tokens // 2, dtype=torch.bool, device=queries.device)
    return torch.empty_like(values, memory_format=torch.contiguous_format), hidden


@torch.library.custom_op("trackcore::ranked_dropout_backward", mutates_args=())
def _backward(
    gradient: Tensor, queries: Tensor, keys: Tensor, values: Tensor, output: Tensor, dropped: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    gradients = tuple(
        torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (queries, keys, values)
    )
    scale = queries.shape[-1] ** -0.5
    with torch.autocast(queries.device.type, enabled=False):
        for block in _blocks(queries):
            g, q, k, v, o = (_working(tensor[block]) for tensor in (gradient, queries, keys, values, output))
            attention = _softmax(hide_pairs(_logits(q, k), dropped[block]))
            gradients[2][block] = attention.to(g.dtype).mT @ g
            # through the softmax: dS = A (dA - sum_j A dA), and the sum is that of o dO over the channels
            inner = (g.to(attention.dtype) * o).sum(-1, keepdim=True)
            through = ((g @ v.mT).sub(inner)).mul_(attention).mul_(scale).to(q.dtype)
            gradients[0][block] = through @ k
            gradients[1][block] = through.mT @ q
    return gradients


@_backward.register_fake
def _(gradient, queries, keys, values, output, dropped):
    return tuple(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (queries, keys, values))


def _save(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs[:3], *output)
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx, gradient: Tensor, _) -> tuple[Tensor | None, ...]:
    return (*torch.ops.trackcore.ranked_dropout_backward(gradient, *ctx.saved_tensors), None, None, None)


_forward.register_autograd(_differentiate, setup_context=_save)


def _blocks(queries: Tensor) -> Iterator[slice]:
    """Slices of the rows, each with so many logits as are formed at once."""
    rows, tokens, _ = queries.shape
    size = max(1, _BLOCK.get(queries.device.type, _BLOCK_ELSEWHERE) // tokens**2)
    return (slice(first, first + size) for first in range(0, rows, size))


def _working(tensor: Tensor) -> Tensor:
    """On the CPU half precision becomes float32, in which small products are faster, on many processors far faster."""
    return tensor.float() if tensor.device.type == "cpu" and tensor.dtype.itemsize < 4 else tensor


def _logits(queries: Tensor, keys: Tensor) -> Tensor:
    rows, tokens, width = queries.shape
    nothing = queries.new_empty(rows, tokens, tokens)
    return torch.baddbmm(nothing, queries, keys.mT, beta=0, alpha=width**-0.5)


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
