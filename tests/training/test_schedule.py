"""The learning rate at every step."""

import pytest
import torch
from detectron2.projects.deeplab.lr_scheduler import WarmupPolyLR
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.optimiser import Group, adamw
from pipeline.training.schedule import Schedule


def test_cosine_by_hand():
    schedule = Schedule("cosine", steps=6, warmup_steps=2)
    rates = [schedule.learning_rate(2.0, step) for step in range(6)]
    assert rates == pytest.approx([1.0, 2.0, 2.0, 1.707107, 1.0, 0.292893], abs=1e-6)
    assert Schedule("cosine", 1, 0).learning_rate(1.0, 0) == 1.0
    assert Schedule("cosine", 4, 100).learning_rate(1.0, 3) == 0.04


def test_poly_by_hand():
    schedule = Schedule("poly", steps=10, warmup_steps=4)
    rates = [schedule.learning_rate(2.0, step) for step in range(10)]
    warm = [1e-6 * (1 - step / 4) + step / 4 if step < 4 else 1 for step in range(10)]
    expected = [2 * w * (1 - step / 10) ** 0.9 for step, w in enumerate(warm)]
    assert rates == pytest.approx(expected)


@given(st.integers(1, 40), st.integers(0, 60), st.floats(1e-6, 1.0))
def test_poly_is_detectron2s_to_the_last_bit(steps, warmup, peak):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    theirs = WarmupPolyLR(optimizer, steps, warmup_factor=1e-6, warmup_iters=warmup, power=0.9)
    ours = Schedule("poly", steps, warmup)
    for step in range(steps):
        assert ours.learning_rate(peak, step) == optimizer.param_groups[0]["lr"]
        optimizer.step()
        theirs.step()


def test_every_group_follows_from_its_own_peak():
    slow, fast = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = adamw([Group([slow], 0.1, 0.0), Group([], 5.0, 0.0), Group([fast], 1.0, 0.3)])
    schedule = Schedule("cosine", steps=4, warmup_steps=2)
    for step, factor in enumerate((0.5, 1.0, 1.0, 0.5)):
        assert schedule.apply(optimizer, step) == pytest.approx(0.1 * factor)
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.1 * factor, factor])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0, 0.3]
