import itertools
import math

import pytest
import torch

from trackcore.training import Progress
from trackcore.training.schedules import constant, multi_step, step_drop, warmup_cosine, warmup_cosine_epochs


def at(step: int, total: int = 100) -> Progress:
    return Progress(step=step, epoch=1, steps_per_epoch=total, epochs=1)


def torch_rates(scheduler, epochs: int) -> list[float]:
    """What a torch scheduler stepped after every epoch gives in epochs 1, 2, ..."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = scheduler(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_constant():
    assert constant(at(3)) == 1.0


def test_step_drop_at_its_edges():
    assert [step_drop(epoch, 240) for epoch in (1, 240, 241, 300)] == [1.0, 1.0, 0.1, 0.1]
    with pytest.raises(ValueError, match="at least 1 epoch"):
        step_drop(1, 0)


def test_step_drop_is_torchs_step_schedule():
    expected = torch_rates(lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.1), 13)
    assert [step_drop(epoch, 4) for epoch in range(1, 14)] == pytest.approx(expected, rel=1e-9)


def test_multi_step_is_torchs():
    expected = torch_rates(lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 7], 0.5), 12)
    assert [multi_step(epoch, (3, 7), 0.5) for epoch in range(1, 13)] == pytest.approx(expected, rel=1e-9)


def test_warmup_cosine():
    rates = [warmup_cosine(at(step), warmup_steps=10, floor=0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.5)))
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert warmup_cosine(at(100), warmup_steps=10, floor=0.1) == pytest.approx(0.1)


def test_warmup_cosine_epochs():
    assert [warmup_cosine_epochs(epoch, 10, 4) for epoch in (0, 1, 4)] == [0.0, 0.25, 1.0]
    assert warmup_cosine_epochs(7, 10, 4, floor=0.1) == pytest.approx(0.55)
    assert warmup_cosine_epochs(10, 10, 4, floor=0.1) == pytest.approx(0.1)
    assert warmup_cosine_epochs(0, 10) == 1.0
