"""A task small enough for tests: a two-layer network with dropout that learns which side of a line a point is on."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trackcore.training import Counted


class Network(nn.Module):
    """(B, 4) -> (B,) with dropout, so that random numbers matter."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.layers(points).squeeze(1)


class TinyTask:
    """Implements trackcore.training.Task; ``hook(step)`` is called in every training step."""

    def __init__(self, dropout: float = 0.2, seed: int = 0, optimizer: str = "adamw", hook=None) -> None:
        torch.manual_seed(seed)
        self.model = Network(dropout)
        self.seed, self.optimizer, self.hook = seed, optimizer, hook
        self.seen: list[float] = []
        self.totals: list[float] = []

    def parameter_groups(self):
        first, last = self.model.layers[0], self.model.layers[3]
        return [
            {"params": list(first.parameters()), "lr": 1e-2, "name": "first"},
            {"params": list(last.parameters()), "lr": 1e-3, "name": "last"},
        ]

    def build_optimizer(self, groups):
        return torch.optim.AdamW(groups) if self.optimizer == "adamw" else torch.optim.SGD(groups, momentum=0.9)

    def shard_units(self):
        return [self.model.layers[0]]

    def learning_rate_factor(self, progress):
        return 1.0 if progress.epoch < 3 else 0.1

    def _sample(self, *path: int):
        points = np.random.default_rng([self.seed, *path]).normal(size=4).astype(np.float32)
        return {"points": points, "side": np.float32(points.sum() > 0)}

    def train_sample(self, epoch: int, index: int):
        return Counted(self._sample(epoch, index), {"odd samples": index % 2})

    def validation_sample(self, index: int):
        return self._sample(0, index)

    def losses(self, model, batch, progress):
        if self.hook is not None and progress.training:
            self.hook(progress.step)
        if progress.training:
            self.seen.extend(batch["points"][:, 0].tolist())
        score = model(batch["points"])
        total = nn.functional.binary_cross_entropy_with_logits(score, batch["side"])
        if progress.training:
            self.totals.append(float(total.detach()))
        return {"total": total, "accuracy": ((score > 0) == (batch["side"] > 0)).float().mean()}
