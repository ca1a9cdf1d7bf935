"""What happens before and after every step of the training."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from detectron2.engine import SimpleTrainer

from pipeline.segmenter.hooks import (
    RATE,
    GradNormClipping,
    RecordCurves,
    SaveCheckpoints,
    SeedStep,
    SetLearningRate,
)
from pipeline.training.curves import Curves
from pipeline.training.optimiser import Group, adamw
from pipeline.training.schedule import Schedule


def test_the_whole_gradient_is_clipped_to_one_norm():
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    for parameter in parameters:
        parameter.grad = torch.tensor([3.0, 4.0])
    GradNormClipping(parameters, 1.0).after_backward()
    norm = np.sqrt(sum(float((p.grad**2).sum()) for p in parameters))
    assert norm == pytest.approx(1.0, rel=1e-4)


def trained_with(hook, steps: int) -> SimpleTrainer:
    """A trainer that does nothing in its steps but what `hook` does around them."""
    model = torch.nn.Linear(1, 1)
    trainer = SimpleTrainer(model, [], torch.optim.SGD(model.parameters(), lr=1.0))
    trainer.run_step = lambda: None
    trainer.register_hooks([hook])
    trainer.train(0, steps)
    return trainer


def test_a_step_has_the_same_random_numbers_in_every_run():
    class Draw(SeedStep):
        drawn: list[float] = []

        def after_step(self) -> None:
            self.drawn.append(float(torch.rand(())))

    trained_with(Draw(1), 3)
    torch.rand(5)
    trained_with(Draw(1), 3)
    first, again = Draw.drawn[:3], Draw.drawn[3:]
    assert first == again and len(set(first)) == 3


def test_every_step_has_the_rate_of_its_schedule():
    optimizer = adamw([Group([torch.nn.Parameter(torch.zeros(1))], 1.0, 0.0)])
    rates = []

    class Note(SetLearningRate):
        def after_step(self) -> None:
            rates.append(self.trainer.storage.latest()[RATE][0])

    trained_with(Note(optimizer, Schedule("cosine", 4, 2)), 4)
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5])
    assert optimizer.param_groups[0]["lr"] == rates[-1]


def test_checkpoints_are_written_every_period_and_at_the_end():
    steps = []
    checkpoints = SimpleNamespace(save=lambda step, weights, state: steps.append(step))
    trained_with(SaveCheckpoints(checkpoints, torch.nn.Linear(1, 1), period=3), 7)
    assert steps == [3, 6, 7]


def test_curves_have_means_of_losses_and_come_back():
    class Lose(RecordCurves):
        def after_step(self) -> None:
            self.trainer.storage.put_scalar("loss_mask", float(self.trainer.iter))
            self.trainer.storage.put_scalar("data_time", 9.0)
            super().after_step()

    hook = Lose(Curves(None), period=2, write_period=100)
    trained_with(hook, 5)
    points = [(point["step"], point["train/loss_mask"]) for point in hook.curves.history]
    assert points == [(2, 0.5), (4, 2.5), (5, 4.0)]
    assert set(hook.curves.history[0]) == {"step", "train/loss_mask"}
    other = RecordCurves(Curves(None), 2, 100)
    other.load_state_dict(hook.state_dict())
    assert other.curves.history == hook.curves.history
