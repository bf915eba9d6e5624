"""What computes for a :class:`~dropseg_vos.segmenter.Segmenter`: PyTorch, or a program with the same methods."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from dropseg_vos.config import ModelConfig
from dropseg_vos.network import SegmentationNetwork
from dropseg_vos.sizes import Size


class Backend(Protocol):
    """A network as the segmenter uses it.

    Attributes:
        config: of the network.
        divisor: what heights and widths must be multiples of.
        device: where frames and masks are to be.
        size: the only (height, width) it takes, or None when it takes any.
    """

    config: ModelConfig
    divisor: int
    device: torch.device
    size: Size | None

    def embed_reference(self, frame: Tensor, masks: Tensor) -> Tensor:
        """Tokens ``(K, n, C)`` of the frame ``(1, 3, H, W)`` with each of the masks ``(K, 1, H, W)``."""

    def segment(self, references: Tensor, frames: Tensor) -> Tensor:
        """Logits ``(B, K, H, W)`` of K objects in the frames ``(B, 3, H, W)``."""


class TorchBackend:
    """The PyTorch network.

    Args:
        network: is taken over: moved, made ready for inference, its large weights converted.
        device: where to compute.
        dtype: of products. Sums of residual branches, norms and aggregation stay in float32.
        compiled: compile the pass over a frame with ``torch.compile``; its first call takes a minute.
    """

    size = None

    def __init__(
        self,
        network: SegmentationNetwork,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        compiled: bool = False,
    ):
        self.device, self.dtype = torch.device(device), dtype
        self.config, self.divisor = network.config, network.config.patch
        self.network = network.eval().requires_grad_(False).to(device)
        for module in self.network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                module.to(dtype)  # once; autocast would convert them in every pass
        self._segment = torch.compile(self.network.segment) if compiled else self.network.segment
        self._positions: dict[Size, Tensor] = {}

    def autocast(self) -> torch.autocast:
        """The context in which the network computes."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    @torch.inference_mode()
    def embed_reference(self, frame: Tensor, masks: Tensor) -> Tensor:
        """See :class:`Backend`."""
        with self.autocast():
            return self.network.embed_reference(frame, masks, self._resampled(frame))

    @torch.inference_mode()
    def segment(self, references: Tensor, frames: Tensor) -> Tensor:
        """See :class:`Backend`."""
        with self.autocast():
            return self._segment(references, frames, self._resampled(frames))

    def _resampled(self, frames: Tensor) -> Tensor:
        """Positions of frames of this size; those of the latest size are kept."""
        height, width = (side // self.divisor for side in frames.shape[-2:])
        if (height, width) not in self._positions:
            self._positions = {(height, width): self.network.positions(height, width)}
        return self._positions[height, width]
