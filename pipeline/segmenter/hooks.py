"""detectron2 training hooks: reproducible steps, progress, curves, rejects, safe checkpoints."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from detectron2.engine import HookBase
from detectron2.utils import comm
from dvclive import Live
from torch import nn

from pipeline.core.progress import counting
from pipeline.core.resume import Checkpoints


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


class Curves(HookBase):
    """Losses and learning rate as dvclive curves, means over every `period` steps.

    The history is part of the checkpoints: a resumed run writes the same curves as an
    uninterrupted one. With `folder` None nothing is written.
    """

    def __init__(self, folder: Path | None, period: int) -> None:
        self.folder, self.period = folder, period
        self.history: list[dict[str, float]] = []  # each with "step"
        self.window: list[dict[str, float]] = []

    def before_train(self) -> None:
        self.live = None
        if self.folder is not None and comm.is_main_process():
            self.live = Live(
                str(self.folder), save_dvc_exp=False, dvcyaml=False, report=None, resume=False
            )
            for point in self.history:
                self._write(point)

    def after_step(self) -> None:
        if not comm.is_main_process():
            return
        latest = self.trainer.storage.latest()
        self.window.append(
            {name: value for name, (value, _) in latest.items() if "loss" in name or name == "lr"}
        )
        step = self.trainer.iter + 1
        if step % self.period and step != self.trainer.max_iter:
            return
        point = {name: float(np.mean([seen[name] for seen in self.window])) for name in latest
                 if name in self.window[0]}  # fmt: skip
        self.window = []
        self.history.append(point | {"step": step})
        if self.live is not None:
            self._write(self.history[-1])

    def after_train(self) -> None:
        if self.live is not None:
            self.live.end()

    def last(self) -> dict[str, float]:
        """Return the newest means, {} before there are any."""
        return dict(self.history[-1]) if self.history else {}

    def _write(self, point: dict[str, float]) -> None:
        self.live.step = int(point["step"])
        for name, value in point.items():
            if name != "step":
                self.live.log_metric(f"train/{name}", value)

    def state_dict(self) -> dict:
        return {"history": self.history, "window": self.window}

    def load_state_dict(self, state_dict: dict) -> None:
        self.history, self.window = state_dict["history"], state_dict["window"]
