"""``dropmae-pretrain visualize``: what a network reconstructs, as a PNG and in TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Visualize:
    """Draw frame pairs side by side: original, masked, reconstructed. Normalised targets are shown as pixels again."""

    weights: tyro.conf.Positional[Path]
    """run folder, own .safetensors, or a published .pth with its decoder"""
    source: tyro.conf.Positional[Path]
    """video, folder of images, or folder of videos"""
    output: Path = Path("pairs.png")
    """PNG to write"""
    tensorboard: Path | None = None
    """also write the picture for TensorBoard into this folder (that of a run is RUN/tensorboard)"""
    pairs: int = 6
    """how many"""
    gap: int = 50
    """the frames of a pair are less than this many frames apart"""
    seed: int = 0
    """of frames and masks"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""


def run(words: Sequence[str]) -> int:
    """Write the picture; returns 0."""
    asked = tyro.cli(Visualize, args=list(words), prog="dropmae-pretrain visualize")

    import cv2
    import torch

    from dropmae_pretrain.loading import load_network
    from dropmae_pretrain.pair_config import CropConfig, PairConfig
    from dropmae_pretrain.pictures import draw_pairs, pair_sheet, reconstruct
    from dropmae_pretrain.videos import open_clips

    loaded = load_network(asked.weights, recipe=asked.recipe, device=asked.device)
    network = loaded.network
    config = PairConfig(gap=asked.gap, crop=CropConfig(network.config.image_size))
    pairs = draw_pairs(open_clips(asked.source), asked.pairs, config, asked.seed)
    noise = torch.rand(len(pairs.names), network.config.tokens, generator=torch.Generator().manual_seed(asked.seed))
    device = network.mask_token.device
    first, second, noise = (tensor.to(device) for tensor in (pairs.first, pairs.second, noise))
    sheet = pair_sheet(reconstruct(network, first, second, noise, config.crop), pairs.names)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    asked.output.write_bytes(data.tobytes())
    print(f"wrote {asked.output}")
    if asked.tensorboard is not None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(asked.tensorboard)) as writer:
            writer.add_image("reconstruction", sheet, loaded.step, dataformats="HWC")
        print(f"wrote an image of step {loaded.step} to {asked.tensorboard}")
    return 0
