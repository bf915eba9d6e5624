"""The Swin backbone as SparseTT uses it, under the published names.

"Swin Transformer: Hierarchical Vision Transformer using Shifted Windows" (ICCV 2021), in the form of mmdetection, which
is not timm's: see :mod:`sparse_track.windows` for the order of padding and rolling, and :class:`PatchMerging` for that
of the merged channels. Maps of tokens are ``(B, H, W, C)``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from timm.models.swin_transformer import get_relative_position_index
from torch import Tensor, nn

from sparse_track.config import BackboneConfig
from sparse_track.windows import window_layout
from trackcore.stems import ConvolutionalStem
from trackcore.vit import drop_path_rates


class PatchEmbed(nn.Module):
    """Patches of 4 x 4 pixels; images are padded right and below with zeros to whole patches."""

    def __init__(self, width: int, stem: str = "linear", patch: int = 4):
        super().__init__()
        self.patch = patch
        linear = stem == "linear"
        self.projection = nn.Conv2d(3, width, patch, stride=patch) if linear else ConvolutionalStem(patch, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` normalised to ``(B, h, w, C)``."""
        height, width = images.shape[-2:]
        images = F.pad(images, (0, -width % self.patch, 0, -height % self.patch))
        tokens = self.projection(images)
        if tokens.ndim == 4:
            return self.norm(tokens.permute(0, 2, 3, 1))
        return self.norm(tokens).unflatten(1, (images.shape[2] // self.patch, -1))


class PatchMerging(nn.Module):
    """Join 2 x 2 tokens and halve what that makes of channels; odd maps are padded right and below with zeros.

    The joined channels are ordered channel first, place second: ``4 c + 2 dy + dx``. Microsoft's and timm's order is
    another; :mod:`sparse_track.pretrained` converts.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, H, W, C)`` to ``(B, ceil(H / 2), ceil(W / 2), 2 C)``."""
        _, height, width, channels = tokens.shape
        tokens = F.pad(tokens, (0, 0, 0, width % 2, 0, height % 2))
        # Joined place first, which keeps channels together in memory; the weights are brought into that order.
        joined = torch.cat([tokens[:, dy::2, dx::2] for dy in range(2) for dx in range(2)], dim=3)
        gain, offset = (vector.view(channels, 4).T.flatten() for vector in (self.norm.weight, self.norm.bias))
        weight = self.reduction.weight.view(-1, channels, 4).mT.flatten(1)
        return F.linear(F.layer_norm(joined, (4 * channels,), gain, offset, self.norm.eps), weight)


class WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias for each relative position.

    Args:
        width, heads: of the tokens.
        window: side of a window.
        shift: how far windows are shifted against the map; 0 or half a window.
    """

    def __init__(self, width: int, heads: int, window: int, shift: int):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", get_relative_position_index(window, window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def bias(self, height: int, width: int) -> Tensor:
        """What is added to the logits on an H x W map: ``(windows or 1, heads, w * w, w * w)``."""
        area = self.window**2
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        bias = bias.view(1, area, area, self.heads).permute(0, 3, 1, 2)
        layout = window_layout(height, width, self.window, self.shift, bias.device)
        return bias if layout.mask is None else bias + layout.mask[:, None].to(bias)

    def keep_layout(self, height: int, width: int) -> None:
        """Compute windows and bias for maps of this size once and for all; for weights that no longer change."""
        for name, tensor in zip(_kept(height, width), self._laid_out(height, width), strict=True):
            self.register_buffer(name, tensor.detach().contiguous(), persistent=False)

    def _laid_out(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Bias, tokens and places of the windows; see :class:`sparse_track.windows.WindowLayout`."""
        kept = _kept(height, width)
        if hasattr(self, kept[0]):
            return tuple(getattr(self, name) for name in kept)
        table = self.relative_position_bias_table
        layout = window_layout(height, width, self.window, self.shift, table.device)
        return self.bias(height, width), layout.tokens, layout.places

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, H, W, C)`` to ``(B, H, W, C)``."""
        batch, height, width, channels = tokens.shape
        bias, order, places = self._laid_out(height, width)
        # A padding token is zero after the norm, so its queries, keys and values are the layer's bias: no need to
        # compute them. One gather pads, rolls and cuts into windows.
        qkv = self.qkv(tokens.flatten(1, 2))
        qkv = torch.cat([qkv, self.qkv.bias.to(qkv).expand(batch, 1, -1)], dim=1).index_select(1, order)
        qkv = qkv.view(batch, -1, self.window**2, 3, self.heads, channels // self.heads).permute(3, 0, 1, 4, 2, 5)
        attended = _attend(*qkv.unbind(0), bias)
        attended = attended.transpose(2, 3).reshape(batch, -1, channels).index_select(1, places)
        return self.proj(attended).view(tokens.shape)


def _kept(height: int, width: int) -> list[str]:
    """Names of the buffers that :meth:`WindowAttention.keep_layout` makes."""
    return [f"_{part}_{height}_{width}" for part in ("bias", "tokens", "places")]


def _attend(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """``(B, windows, heads, w * w, d)`` each; ``bias`` as :meth:`WindowAttention.bias` has it."""
    if torch.is_grad_enabled() or torch.compiler.is_exporting():
        # the fused operator has no gradient for a mask, and sees no windows beside a batch of any size
        logits = (queries * queries.shape[-1] ** -0.5) @ keys.mT
        return (logits + bias).softmax(-1) @ values
    batch = len(queries)
    flat = (tensor.flatten(0, 1) for tensor in (queries, keys, values))
    mask = bias if len(bias) == 1 else bias.expand(batch, -1, -1, -1, -1).flatten(0, 1)
    return F.scaled_dot_product_attention(*flat, attn_mask=mask.to(queries)).unflatten(0, (batch, -1))


class _Attention(nn.Module):
    """A level that published names have: ``attn.w_msa``."""

    def __init__(self, width: int, heads: int, window: int, shift: int):
        super().__init__()
        self.w_msa = WindowAttention(width, heads, window, shift)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.w_msa(tokens)


class FeedForward(nn.Module):
    """Linear, GELU (exact), linear; published names are ``layers.0.0`` and ``layers.1``."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.layers = nn.ModuleList([nn.Sequential(nn.Linear(width, hidden), nn.GELU()), nn.Linear(hidden, width)])

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


class Block(nn.Module):
    """Pre-norm block: ``x + DP(attn(norm1 x))``, then ``x + DP(ffn(norm2 x))``."""

    def __init__(self, width: int, heads: int, window: int, shift: int, mlp_ratio: float, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = _Attention(width, heads, window, shift)
        self.norm2 = nn.LayerNorm(width)
        self.ffn = FeedForward(width, int(width * mlp_ratio))
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, H, W, C)`` to ``(B, H, W, C)``."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        return tokens + self.drop_path(self.ffn(self.norm2(tokens)))


class Stage(nn.Module):
    """Blocks on maps of one size; every other block's windows are shifted. The merging after them is called apart."""

    def __init__(self, width: int, heads: int, window: int, mlp_ratio: float, rates: list[float], merge: bool):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(width, heads, window, window // 2 if number % 2 else 0, mlp_ratio, rate)
            for number, rate in enumerate(rates)
        )
        if merge:
            self.downsample = PatchMerging(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, H, W, C)`` to ``(B, H, W, C)``."""
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class Swin(nn.Module):
    """Patch embedding and stages up to stride 16, and a norm.

    The published network also computes the merging after its third stage and a fourth stage, and discards both. Where
    the configuration has a fourth stage, their weights are there, so that published checkpoints fit; they are never
    run.
    """

    def __init__(self, config: BackboneConfig):
        super().__init__()
        depths = config.depths
        rates = drop_path_rates(config.drop_path, sum(depths))
        self.patch_embed = PatchEmbed(config.width, config.stem, config.patch)
        self.stages = nn.ModuleList(
            Stage(
                config.width << number,
                config.heads[number],
                config.window,
                config.mlp_ratio,
                rates[sum(depths[:number]) : sum(depths[: number + 1])],
                merge=number < len(depths) - 1,
            )
            for number in range(len(depths))
        )
        self.norm2 = nn.LayerNorm(config.output_width)
        self.apply(_init)

    def stage_tokens(self, images: Tensor) -> list[Tensor]:
        """Tokens after the embedding and after each of the three stages, before merging; ``(B, H, W, C)`` each."""
        tokens = self.patch_embed(images)
        reached = [tokens]
        for number, stage in enumerate(self.stages[:3]):
            tokens = stage(tokens if number == 0 else self.stages[number - 1].downsample(tokens))
            reached.append(tokens)
        return reached

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` normalised to a map ``(B, C, s, s)`` at stride 16."""
        return self.norm2(self.stage_tokens(images)[-1]).permute(0, 3, 1, 2)

    def unused_parameters(self) -> set[nn.Parameter]:
        """Those that no output depends on."""
        if len(self.stages) == 3:
            return set()
        return {*self.stages[2].downsample.parameters(), *self.stages[3].parameters()}


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
