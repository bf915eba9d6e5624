"""Batch norm over several processes against batch norm over the whole batch."""

from __future__ import annotations

import torch
import torch.distributed
import torch.multiprocessing
from torch import nn

from trackcore.training.batch_norm import SharedBatchNorm, synchronise

SHARES = (3, 5)  # samples of each process


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4, affine=False)).double()


def batch():
    return 5 + torch.randn(sum(SHARES), 3, 6, 6, generator=torch.Generator().manual_seed(1)).double()


def learn(model, images):
    images = images.clone().requires_grad_()
    model(images).pow(3).sum().backward()
    return images.grad, {name: parameter.grad for name, parameter in model.named_parameters()}


def _worker(rank, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=len(SHARES)
    )
    model = synchronise(network())
    to_images, to_parameters = learn(model, batch().split(SHARES)[rank])
    torch.save((to_images, to_parameters, model.state_dict()), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_is_that_of_the_whole_batch(tmp_path):
    torch.multiprocessing.spawn(_worker, (str(tmp_path),), nprocs=len(SHARES))
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(len(SHARES))]
    model = network()
    to_images, to_parameters = learn(model, batch())
    torch.testing.assert_close(torch.cat([part[0] for part in found]), to_images)
    for name, expected in to_parameters.items():
        torch.testing.assert_close(sum(part[1][name] for part in found), expected)
    for _, _, state in found:
        torch.testing.assert_close(state, dict(model.state_dict()))


def test_alone_it_is_ordinary_batch_norm():
    plain, shared = network(), synchronise(network())
    assert sum(isinstance(module, SharedBatchNorm) for module in shared.modules()) == 2
    assert list(shared.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(shared(batch()), plain(batch()))
    torch.testing.assert_close(shared.eval()(batch()), plain.eval()(batch()))
