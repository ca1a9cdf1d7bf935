"""AdamW over groups, each with its own rate and decay."""

import pytest
import torch

from pipeline.training.optimiser import PEAK, Group, adamw


def weight(gradient: float) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.grad = torch.full((1,), gradient)
    return parameter


def test_the_first_step_by_hand():
    """AdamW's first step is the learning rate against the gradient's sign; decay comes before."""
    plain, decayed = weight(3.0), weight(-0.2)
    optimizer = adamw([Group([plain], 0.1, 0.0), Group([decayed], 0.01, 0.5)])
    optimizer.step()
    assert plain.item() == pytest.approx(1 - 0.1)
    assert decayed.item() == pytest.approx(1 * (1 - 0.01 * 0.5) + 0.01)


def test_empty_groups_are_left_out_and_peaks_are_kept():
    optimizer = adamw([Group([], 1.0, 0.0), Group([weight(1.0)], 0.1, 0.0)], (0.9, 0.98), 1e-6)
    [group] = optimizer.param_groups
    assert (group["lr"], group[PEAK]) == (0.1, 0.1)
    assert (group["betas"], group["eps"]) == ((0.9, 0.98), 1e-6)
