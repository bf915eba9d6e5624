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

import torch
from torch import Tensor

from trackcore.devices import cpu_has_bf16
from trackcore.ops.selection import kth_largest

EPSILON = 1e-6  # published: added to every score, so that no pair is impossible

# Logits formed at once. On the CPU they stay in the cache; elsewhere the bound only keeps memory small.
_BLOCK = {"cpu": 1 << 21}
_BLOCK_ELSEWHERE = 1 << 26

# Least attention that a query must keep for its rest to be scaled up; float32 numbers end eight digits below.
_LEAST = 1e-30


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
    _, tokens, keys = logits.shape
    if tokens != keys or tokens % 2:
        raise ValueError(f"logits of two frames are (rows, L, L) with an even L, got {tuple(logits.shape)}")
    return _weights(logits.softmax(-1, dtype=_precise(logits.dtype)))


def draw_clocks(rows: int, tokens: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Exp(1) variables ``(rows, L, n)`` in float32, minus the logarithms of multiples of 2^-23."""
    words = torch.empty(rows, tokens * tokens // 4, dtype=torch.int64, device=device).random_(generator=generator)
    # The low bits of both halves of a word, as the mantissa of a number in [1, 2). On the CPU torch.rand takes half as
    # long again, and exponential_ many times as long.
    uniform = words.view(torch.int32).bitwise_and_(0x7FFFFF).bitwise_or_(0x3F800000).view(torch.float32).sub_(1)
    return uniform.log_().neg_().view(rows, tokens, tokens // 2)


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
    shape = (rows, tokens, tokens // 2)
    if clocks is None:
        weights = sampling_weights(logits.detach())
        return _rank(weights, draw_clocks(rows, tokens, logits.device, generator), count)
    if clocks.numel() != torch.Size(shape).numel() or len(clocks) != rows:
        raise ValueError(f"logits {tuple(logits.shape)} need clocks {shape}, got {tuple(clocks.shape)}")
    return _rank(sampling_weights(logits.detach()), clocks.view(shape), count)


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


def _weights(attention: Tensor) -> Tensor:
    """:func:`sampling_weights` of the softmax ``(rows, L, L)``."""
    grid = _by_frame(attention)
    temporal = torch.stack([grid[:, 0, :, 1].amax(-1), grid[:, 1, :, 0].amax(-1)], 1) + EPSILON
    spatial = _within_frames(grid) + EPSILON
    _own(spatial).zero_()
    return spatial.mul_((temporal / spatial.sum(-1)).unsqueeze(-1)).flatten(1, 2)


def _rank(weights: Tensor, clocks: Tensor, count: int) -> Tensor:
    """Mask of the ``count`` pairs of largest weight over clock; overwrites the weights."""
    scores = weights.div_(clocks)
    _own(scores.unflatten(1, (2, -1))).fill_(-1)  # below all others, even those of an infinite clock
    return _largest(scores.flatten(1), count).view_as(scores)


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
    least = kth_largest(scores, count)
    # into numbers and then to bool, which takes a third of the time of bool at once on the CPU
    chosen = torch.ge(scores, least, out=torch.empty_like(scores)).bool()
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
    so are the products on processors that have no instructions for the inputs' type.

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
        for block, logits, attention in _blocks(queries):
            q, k, v = (_working(tensor[block]) for tensor in (queries, keys, values))
            _attend(q, k, logits, attention)
            if dropped is None:
                given = (
                    draw_clocks(len(q), tokens, q.device) if clocks is None else clocks[block].view_as(hidden[block])
                )
                hidden[block] = _rank(_weights(attention), given, count)
            else:
                hidden[block] = dropped[block]
            left = _keep(hidden[block], logits, attention, v.dtype)
            output[block] = (attention.to(v.dtype) @ v) / left
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
        for block, logits, attention in _blocks(queries):
            g, q, k, v, o = (_working(tensor[block]) for tensor in (gradient, queries, keys, values, output))
            _attend(q, k, logits, attention)
            left = _keep(dropped[block], logits, attention, v.dtype)  # divides the narrow side of each product
            gradients[2][block] = attention.to(v.dtype).mT @ (g / left).to(v.dtype)
            # through the softmax: dS = A (dA - sum_j A dA), and the sum is that of g o over the channels
            through = _product(g, v.mT, logits)
            through.sub_((g * o.to(attention.dtype)).sum(-1, keepdim=True)).mul_(attention)
            through = through.to(q.dtype)
            gradients[0][block] = (through @ k) * (scale / left)
            gradients[1][block] = through.mT @ (q * (scale / left)).to(q.dtype)
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


def _blocks(queries: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Slices of the rows, with memory for their logits and for their softmax that all of them share."""
    rows, tokens, _ = queries.shape
    size = max(1, min(rows, _BLOCK.get(queries.device.type, _BLOCK_ELSEWHERE) // tokens**2))
    working = _working(queries[:0])
    precise = _precise(working.dtype)
    # On the CPU what is done with half-precision logits costs more than the products that give them.
    kept = precise if queries.device.type == "cpu" else working.dtype
    logits = working.new_empty(size, tokens, tokens, dtype=kept)
    attention = torch.empty_like(logits, dtype=precise)
    for first in range(0, rows, size):
        count = min(size, rows - first)
        yield slice(first, first + count), logits[:count], attention[:count]


def _attend(queries: Tensor, keys: Tensor, logits: Tensor, attention: Tensor) -> None:
    """Write the logits and their softmax over all keys."""
    _product(queries, keys.mT, logits, queries.shape[-1] ** -0.5)
    torch.softmax(logits, -1, dtype=attention.dtype, out=attention)


def _product(left: Tensor, right: Tensor, out: Tensor, scale: float = 1.0) -> Tensor:
    """``scale * left @ right`` into ``out``, which may be of a wider type than the product; returns it."""
    if left.dtype == out.dtype:
        return torch.baddbmm(out, left, right, beta=0, alpha=scale, out=out)
    return out.copy_(torch.baddbmm(left.new_zeros(()), left, right, beta=0, alpha=scale))


def _keep(dropped: Tensor, logits: Tensor, attention: Tensor, products: torch.dtype) -> Tensor:
    """Take dropped pairs out of the softmax; returns what each query has left ``(rows, L, 1)``, to divide by.

    Args:
        products: the type in which what remains will be multiplied.
    """
    kept = (~dropped).view(torch.uint8)  # which multiplies several times faster than bool
    _within_frames(_by_frame(attention)).mul_(kept.unflatten(1, (2, -1)))
    left = attention.sum(-1, keepdim=True)
    if left.amin() < _LEAST:  # next to all of a query's attention is dropped: look at the rest anew
        torch.softmax(hide_pairs(logits, dropped), -1, dtype=attention.dtype, out=attention)
    elif products == torch.float16:  # to which small numbers are zero
        attention.div_(left)
    else:
        return left
    return torch.ones_like(left)


def _working(tensor: Tensor) -> Tensor:
    """The tensor in the type of the products: on the CPU float32 unless the processor multiplies the type it has."""
    if tensor.device.type != "cpu" or tensor.dtype.itemsize >= 4 or (tensor.dtype == torch.bfloat16 and cpu_has_bf16()):
        return tensor
    return tensor.float()


def _precise(dtype: torch.dtype) -> torch.dtype:
    """The type that softmax and ranks are computed in."""
    return torch.promote_types(dtype, torch.float32)
