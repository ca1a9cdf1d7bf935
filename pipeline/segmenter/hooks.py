"""detectron2 training hooks: reproducible steps, learning rate, progress, curves, checkpoints."""

from contextlib import ExitStack

import numpy as np
import torch
from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import nn

from pipeline.core.progress import counting
from pipeline.core.resume import Checkpoints
from pipeline.training.curves import Curves
from pipeline.training.schedule import Schedule

RATE = "learning_rate"
"""What the curves call it."""


class SaveCheckpoints(HookBase):
    """Writes a checkpoint every `period` steps and at the end."""

    def __init__(self, checkpoints: Checkpoints, segmenter: nn.Module, period: int) -> None:
        self.checkpoints, self.segmenter, self.period = checkpoints, segmenter, period

    def after_step(self) -> None:
        step = self.trainer.iter + 1
        due = step % self.period == 0 or step == self.trainer.max_iter
        if due and comm.is_main_process():
            weights = self.segmenter.state_dict()
            self.checkpoints.save(step, weights, self.trainer.state_dict())


class SeedStep(HookBase):
    """Seeds torch before every step, so that dropout is the same in a resumed run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_step(self) -> None:
        numbers = (self.seed, self.trainer.iter, comm.get_rank())
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))


class ShowProgress(HookBase):
    """A progress bar of the training steps."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.stack = ExitStack()

    def before_train(self) -> None:
        if comm.is_main_process():
            total = self.trainer.max_iter
            self.advance = self.stack.enter_context(counting(total, self.description))
            self.advance(self.trainer.start_iter)

    def after_step(self) -> None:
        if comm.is_main_process():
            self.advance(1)

    def after_train(self) -> None:
        self.stack.close()


class SetLearningRate(HookBase):
    """Gives every step the learning rate of a schedule."""

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule) -> None:
        self.optimizer, self.schedule = optimizer, schedule

    def before_step(self) -> None:
        rate = self.schedule.apply(self.optimizer, self.trainer.iter)
        self.trainer.storage.put_scalar(RATE, rate, smoothing_hint=False)


class GradNormClipping(HookBase):
    """Scales the gradient of all trained parameters to a norm of at most `max_norm` before each
    update."""

    def __init__(self, parameters: list[nn.Parameter], max_norm: float) -> None:
        self.parameters, self.max_norm = parameters, max_norm

    def after_backward(self) -> None:
        nn.utils.clip_grad_norm_(self.parameters, self.max_norm)


class RecordCurves(HookBase):
    """Losses and learning rate as curves, a point every `period` steps.

    The curves are part of the checkpoints and written every `write_period` steps and at the end.
    """

    def __init__(self, curves: Curves, period: int, write_period: int) -> None:
        self.curves, self.period, self.write_period = curves, period, write_period

    def after_step(self) -> None:
        if not comm.is_main_process():
            return
        latest = self.trainer.storage.latest()
        self.curves.see(
            {name: value for name, (value, _) in latest.items() if "loss" in name or name == RATE}
        )
        step = self.trainer.iter + 1
        last = step == self.trainer.max_iter
        if step % self.period == 0 or last:
            self.curves.close(step)
        if step % self.write_period == 0 and not last:
            self.curves.write()

    def after_train(self) -> None:
        """Write also where nothing was left to train: the outputs may be gone, the run is not."""
        if comm.is_main_process():
            self.curves.write()

    def state_dict(self) -> dict:
        return self.curves.state()

    def load_state_dict(self, state_dict: dict) -> None:
        self.curves.restore(state_dict)
