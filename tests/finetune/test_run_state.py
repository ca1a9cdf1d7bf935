"""A run goes on from its checkpoint as if it had not been ended."""

from pathlib import Path

import torch

from pipeline.core.resume import Checkpoints
from pipeline.finetune.run_state import RunState
from pipeline.training.curves import Curves


class Run:
    """Three weights that Adam draws to 0, and the curve of their sum."""

    def __init__(self, folder: Path) -> None:
        self.weights = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.optimizer = torch.optim.Adam([self.weights], lr=0.1)
        self.curves = Curves(None)
        self.state = RunState({"weights": self.weights}, self.optimizer, self.curves)
        self.checkpoints = Checkpoints(folder, "a run")

    def steps(self, start: int, stop: int) -> "Run":
        for step in range(start, stop):
            self.optimizer.zero_grad()
            (self.weights**2).sum().backward()
            self.optimizer.step()
            self.curves.add(step + 1, {"sum": float(self.weights.detach().sum())})
        return self


def test_a_resumed_run_has_weights_moments_and_curves_of_a_whole_one(tmp_path):
    whole = Run(tmp_path / "whole").steps(0, 6)
    first = Run(tmp_path / "cut").steps(0, 4)
    first.state.save(first.checkpoints, 4)
    resumed = Run(tmp_path / "cut")
    assert resumed.state.load(resumed.checkpoints) == 4
    resumed.steps(4, 6)
    assert torch.equal(resumed.weights, whole.weights)
    assert resumed.curves.history == whole.curves.history


def test_without_a_checkpoint_it_begins_at_step_0(tmp_path):
    run = Run(tmp_path)
    assert run.state.load(run.checkpoints) == 0
    assert run.weights.tolist() == [1, 2, 3]
