"""Batch statistics over all processes on any device; torch's own synchronised batch norm needs a GPU."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor, nn


def synchronise(model: nn.Module) -> nn.Module:
    """Take the statistics of all batch norms in ``model`` over all processes from now on; returns the model.

    On GPUs these are torch's ``SyncBatchNorm``; names in the state dict stay.
    """
    first = next(model.parameters(), None)
    if first is not None and first.is_cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if isinstance(model, nn.modules.batchnorm._BatchNorm):
        return SharedBatchNorm.of(model)
    for name, child in model.named_children():
        setattr(model, name, synchronise(child))
    return model


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batches of all processes, which may differ in size."""

    @classmethod
    def of(cls, norm: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
        """With the parameters and statistics of ``norm`` themselves, not copies."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared._parameters.update(norm._parameters)
        shared._buffers.update(norm._buffers)
        return shared.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm takes (B, C, ...), got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, ...)`` normalised."""
        several = torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
        if not (self.training and several):
            return super().forward(input)
        self._check_input_dim(input)
        shape = (1, -1, *[1] * (input.ndim - 2))
        others = (0, *range(2, input.ndim))
        size = input.new_tensor([input.numel() / input.shape[1]])
        # in two steps, since a difference of mean squares loses digits
        sums = _Sum.apply(torch.cat([input.sum(others), size]))
        mean, count = sums[:-1] / sums[-1], sums[-1]
        centred = input - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(others)) / count
        if self.track_running_stats:
            self._keep(mean.detach(), variance.detach() * count / (count - 1))
        scaled = centred * (variance + self.eps).rsqrt().view(shape)
        return scaled if self.weight is None else scaled * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class _Sum(torch.autograd.Function):
    """Sum over the processes; what reaches each of them in the backward pass is the sum of all gradients."""

    @staticmethod
    def forward(ctx, value: Tensor) -> Tensor:
        total = value.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total
