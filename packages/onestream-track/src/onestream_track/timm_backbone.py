"""Any ViT of timm as the backbone: supervised, MAE, DINOv2 (with registers or without), CLIP, SigLIP and so on.

Template and search tokens go through the blocks together, behind the class and register tokens the ViT was trained
with. Both crops get position tables of their own, resampled from the ViT's, as in OSTrack; tensors keep timm's names.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import timm
import torch
from timm.layers import Attention
from timm.models.vision_transformer import Block, VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from onestream_track.backbone import Backbone
from onestream_track.config import ModelConfig
from trackcore import checkpoints


def create_vit(name: str, *, drop_path: float = 0.0, pretrained: bool = False) -> VisionTransformer:
    """A ViT without its head.

    Args:
        name: as timm lists it, with or without the tag of its weights.
        drop_path: stochastic depth of the last block.
        pretrained: download timm's weights of this name.

    Raises:
        ValueError: timm knows no such model, or it is no ViT whose blocks attend to all tokens alike.
    """
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.partition('.')[0]}*")[:5]
        raise ValueError(f"timm has no model {name!r}" + (f"; it has {', '.join(near)}" if near else ""))
    try:
        vit = timm.create_model(name, pretrained=pretrained, num_classes=0, drop_path_rate=drop_path)
    except RuntimeError as error:  # timm's word for an unknown tag
        raise ValueError(f"timm has no model {name!r}: {error}") from error
    plain = isinstance(vit, VisionTransformer) and getattr(vit, "pos_embed", None) is not None
    if not plain or not all(type(block) is Block and type(block.attn) is Attention for block in vit.blocks):
        raise ValueError(
            f"{name} is a {type(vit).__name__}: backbones are plain ViTs with a table of positions, such as "
            "vit_base_patch16_224.mae, vit_base_patch14_dinov2.lvd142m or vit_base_patch16_siglip_224"
        )
    return vit


@lru_cache(maxsize=8)
def _sizes(name: str) -> dict[str, int | float]:
    with torch.device("meta"):
        vit = create_vit(name)
    first = vit.blocks[0]
    height, width = vit.patch_embed.patch_size
    grid = vit.patch_embed.grid_size
    if height != width or grid[0] != grid[1]:
        raise ValueError(f"{name} has patches of {height} x {width} on a grid of {grid}: squares are needed")
    return {
        "width": vit.embed_dim,
        "depth": len(vit.blocks),
        "heads": first.attn.num_heads,
        "mlp_ratio": first.mlp.fc1.out_features / vit.embed_dim,
        "stride": height,
        "position_grid": grid[0],
    }


def resolve(config: ModelConfig) -> ModelConfig:
    """A configuration whose sizes are those of its backbone; the same one when it names none.

    Sides of crops become the nearest multiples of the patch: 128 and 256 pixels are 126 and 252 for patches of 14.

    Raises:
        ValueError: see :func:`create_vit`, or an option that only the published backbone has.
    """
    if config.backbone is None:
        return config
    usual = ModelConfig()
    for name in ("stem", "start", "segments", "concatenation"):
        if getattr(config, name) != getattr(usual, name):
            raise ValueError(
                f"{name} {getattr(config, name)!r} cannot be combined with backbone {config.backbone!r}: "
                f"leave it at {getattr(usual, name)!r}"
            )
    sizes = _sizes(config.backbone)
    stride = int(sizes["stride"])
    sides = {name: stride * round(getattr(config, name) / stride) for name in ("template_size", "search_size")}
    resolved = replace(config, **sizes, **sides)
    resolved.check()
    return resolved


class TimmBackbone(Backbone):
    """A ViT of timm over the tokens of template and search region; see :class:`onestream_track.backbone.Backbone`.

    Args:
        config: resolved.
    """

    def __init__(self, config: ModelConfig):
        nn.Module.__init__(self)  # the parts come from timm
        self.config = config
        vit = create_vit(config.backbone, drop_path=config.drop_path)
        self.cls_token, self.reg_token, self.pos_embed = vit.cls_token, vit.reg_token, vit.pos_embed
        self.patch_embed, self.norm_pre, self.blocks = vit.patch_embed, vit.norm_pre, vit.blocks
        self.norm = vit.fc_norm if isinstance(vit.norm, nn.Identity) else vit.norm  # the former behind an average
        self.patch_embed.strict_img_size, self.patch_embed.flatten = False, True  # crops have other sides
        self.prefix = vit.num_prefix_tokens
        self._prefix_has_positions = not vit.no_embed_class
        self.pos_embed_z = nn.Parameter(torch.zeros(1, config.template_grid**2, config.width))
        self.pos_embed_x = nn.Parameter(torch.zeros(1, config.search_grid**2, config.width))
        if config.frame_identity:
            self.temporal_pos_embed_x = nn.Parameter(torch.randn(1, 1, config.width))
            self.temporal_pos_embed_z = nn.Parameter(torch.randn(1, 1, config.width))
        self.rebuild_position_tables()
        rows = [] if config.elimination.template_range == "GT_BOX" else self._voters()
        self.register_buffer("voters", torch.tensor(rows, dtype=torch.long) + self.prefix, persistent=False)

    def _concatenate(self, z: Tensor, x: Tensor) -> Tensor:
        parts = [token.expand(z.shape[0], -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        if parts and self._prefix_has_positions:
            parts = [torch.cat(parts, dim=1) + self.pos_embed[:, : self.prefix]]
        return self.norm_pre(torch.cat([*parts, z, x], dim=1))

    def _template_first(self, tokens: Tensor) -> Tensor:
        return tokens[:, self.prefix :]

    def _heads(self, block: Block, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        attention = block.attn
        joint = attention.qkv(block.norm1(tokens))
        queries, keys, values = joint.unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return attention.q_norm(queries), attention.k_norm(keys), values

    def _merge(self, block: Block, values: Tensor) -> Tensor:
        attention = block.attn
        merged = attention.proj(attention.norm(values.transpose(1, 2).flatten(2)))
        return block.drop_path1(block.ls1(merged))

    def _transform(self, block: Block, tokens: Tensor) -> Tensor:
        return tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens))))


@torch.no_grad()
def load_vit(backbone: TimmBackbone, weights: str | Path) -> checkpoints.LoadReport:
    """Start from a pre-trained ViT.

    Args:
        backbone: gets its weights, and both tables of positions from its table.
        weights: a file as timm reads it (its own, DINOv2's, CLIP's, MAE's ...), or ``timm``, which downloads the
            weights of the backbone's name.

    Returns:
        Names in the file that no tensor here has, such as those of a head.

    Raises:
        CheckpointError: the file cannot be read, or lacks tensors of the ViT.
        ValueError: timm has no weights of this name.
    """
    name = backbone.config.backbone
    if str(weights) == "timm":
        vit = create_vit(name, pretrained=True)
        state = vit.state_dict()
    else:
        vit = create_vit(name)
        try:
            state = checkpoint_filter_fn(dict(checkpoints.load(weights).state), vit)
        except (RuntimeError, KeyError) as error:  # what becomes of tensors of another network
            raise checkpoints.CheckpointMismatchError(
                f"{weights} are no weights of {name}: {error}", checkpoints.LoadReport((), (), ())
            ) from error
    if isinstance(vit.norm, nn.Identity):
        state = {tensor.replace("fc_norm.", "norm."): value for tensor, value in state.items()}
    report = checkpoints.load_state(backbone, state, strict=False)
    own = {"pos_embed_z", "pos_embed_x", "temporal_pos_embed_x", "temporal_pos_embed_z"}
    missing = tuple(tensor for tensor in report.missing if tensor not in own)
    if missing or report.mismatched:
        wrong = [*missing, *(tensor for tensor, *_ in report.mismatched)]
        raise checkpoints.CheckpointMismatchError(
            f"{weights} are no weights of {name}: {len(wrong)} tensors are missing or differ in shape ({wrong[0]} ...)",
            report,
        )
    backbone.rebuild_position_tables()
    return checkpoints.LoadReport(missing, report.unexpected, report.mismatched)
