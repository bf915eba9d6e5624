"""ViT blocks on timm's parts, with fused attention and attention scores of chosen rows.

Parameter names follow timm (``norm1, attn.qkv, attn.proj, norm2, mlp.fc1, mlp.fc2``), so that MAE, DropMAE and tracker
checkpoints load by name.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import DropPath, Mlp
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention; ``qkv`` rows are ordered q, k, v, then head, then channel."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not divisible by {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def heads_of(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values of ``(B, N, C)`` tokens, each ``(B, heads, N, C / heads)``."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads)
        return qkv.permute(2, 0, 3, 1, 4).unbind(0)

    def merge(self, values: Tensor) -> Tensor:
        """Join heads ``(B, heads, N, d)`` and project to ``(B, N, C)``."""
        return self.proj(values.transpose(1, 2).flatten(2))

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, N, C)`` to ``(B, N, C)``."""
        return self.merge(F.scaled_dot_product_attention(*self.heads_of(tokens)))


def attention_rows(queries: Tensor, keys: Tensor) -> Tensor:
    """Softmax attention of some queries over all keys, in float32 whatever the inputs are.

    Ranking tokens by scores rounded to bf16 would make ties of different scores, so precision is fixed here.

    Args:
        queries: ``(B, heads, R, d)``, the rows wanted; the whole map is never formed.
        keys: ``(B, heads, N, d)``.

    Returns:
        ``(B, heads, R, N)`` float32 (float64 when the inputs are), rows sum to 1.
    """
    if queries.dtype.itemsize < 4:
        queries, keys = queries.float(), keys.float()
    scores = queries @ keys.transpose(-2, -1)
    return (scores * queries.shape[-1] ** -0.5).softmax(dim=-1)


class Block(nn.Module):
    """Pre-norm transformer block ``y = x + DP(attn(norm1 x)); y + DP(mlp(norm2 y))``.

    The two halves can be called one by one: early candidate elimination drops tokens between them.

    Args:
        width, heads: token width and number of attention heads.
        mlp_ratio: hidden width of the MLP relative to ``width``.
        drop_path: stochastic depth rate of both residual branches, drawn per sample.
        norm_eps: epsilon of both layer norms.
    """

    def __init__(
        self, width: int, heads: int, *, mlp_ratio: float = 4.0, drop_path: float = 0.0, norm_eps: float = 1e-6
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attn = Attention(width, heads)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def attend(self, tokens: Tensor) -> Tensor:
        """First half: attention and its residual."""
        return tokens + self.drop_path(self.attn(self.norm1(tokens)))

    def transform(self, tokens: Tensor) -> Tensor:
        """Second half: MLP and its residual."""
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, N, C)`` to ``(B, N, C)``."""
        return self.transform(self.attend(tokens))


def init_mimetic(attention: Attention) -> None:
    """Start attention as pre-trained ViTs end up: queries resemble keys, values are projected to their negatives.

    "Mimetic Initialization of Self-Attention Layers" (ICML 2023): per head ``Wq Wk^T`` is close to 0.7 Z + 0.7 I and
    ``Wv Wproj`` to 0.4 Z - 0.4 I with Z normal of variance 1 / width. Tokens that look alike attend to each other from
    the first step, which lets small ViTs learn to match without pre-training.
    """
    init_mimetic_weights(attention.qkv.weight, attention.proj.weight, attention.heads)


@torch.no_grad()
def init_mimetic_weights(qkv: Tensor, proj: Tensor, heads: int, *, values: bool = True) -> None:
    """:func:`init_mimetic` for weights of any module: ``(3 C, C)`` of queries, keys, values, and ``(C, C)``.

    Without ``values`` queries and keys alone are drawn, and the rest stays as it is.
    """
    width = proj.shape[0]
    size = width // heads

    def factors(noise: float, identity: float) -> tuple[Tensor, Tensor]:
        target = noise * torch.randn(width, width) / width**0.5 + identity * torch.eye(width)
        left, strengths, right = torch.linalg.svd(target)
        root = strengths.sqrt()
        return left * root, right.T * root

    queries, keys, carried = qkv.view(3, width, width)
    for head in range(heads):
        left, right = factors(0.7, 0.7)
        rows = slice(head * size, (head + 1) * size)
        queries[rows], keys[rows] = left[:, :size].T, right[:, :size].T
    if values:
        left, right = factors(0.4, -0.4)
        carried.copy_(left.T)
        proj.copy_(right)


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """Stochastic depth per block, growing linearly from 0 to ``rate``."""
    return [rate * index / max(depth - 1, 1) for index in range(depth)]


def init_linear(module: nn.Module) -> None:
    """Truncated normal 0.02 and zero bias for linear layers, 1 and 0 for layer norms (ViT and MAE convention)."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
