"""The state of a fine-tuning run: its curves, and what its checkpoints hold.

Order and augmentation follow from the seed and the step, so a step number, the trained weights
and the optimiser's moments are all the state there is.
"""

from pathlib import Path

import torch
from dvclive import Live
from torch import nn

from pipeline.core.resume import Checkpoints


class Curves:
    """Training curves: a history of points, written for people by dvclive where asked to.

    history: dicts with "step" and values; the losses of steps since the last point are averaged.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._rate = 0.0

    def see(self, loss: float, learning_rate: float) -> None:
        """Note one step."""
        self._losses.append(loss)
        self._rate = learning_rate

    def add_losses(self, step: int) -> None:
        """Close the window of steps: their mean loss becomes a point."""
        mean = sum(self._losses) / len(self._losses)
        self._losses = []
        self.add(step, {"train/loss": mean, "train/learning_rate": self._rate})

    def add(self, step: int, values: dict[str, float | None]) -> None:
        """Add a point; a value that is None is left out."""
        known = {name: value for name, value in values.items() if value is not None}
        self.history.append({"step": step, **known})

    def last(self, name: str) -> float | None:
        """The newest value of that name, None before there is one."""
        return next((point[name] for point in reversed(self.history) if name in point), None)

    def write(self) -> None:
        """Write the whole history as dvclive plots (TSV files) into the folder, if there is one."""
        if self.folder is None:
            return
        with Live(str(self.folder), save_dvc_exp=False, dvcyaml=False, report=None) as live:
            for point in self.history:
                live.step = int(point["step"])
                for name, value in point.items():
                    if name != "step":
                        live.log_metric(name, value)

    def state(self) -> dict:
        return {"history": self.history, "losses": self._losses, "rate": self._rate}

    def restore(self, state: dict) -> None:
        self.history, self._losses = state["history"], state["losses"]
        self._rate = state["rate"]


class RunState:
    """What a run needs to go on: trained parameters, optimiser and curves."""

    def __init__(
        self,
        parameters: dict[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        curves: Curves,
    ) -> None:
        self.parameters, self.optimizer, self.curves = parameters, optimizer, curves

    def save(self, checkpoints: Checkpoints, step: int) -> None:
        """Write the state after `step` steps."""
        state = {"optimizer": self.optimizer.state_dict(), "curves": self.curves.state()}
        checkpoints.save(step, self.parameters, state)

    def load(self, checkpoints: Checkpoints) -> int:
        """Take the newest checkpoint's state, if there is one; returns the steps done, else 0."""
        found = checkpoints.load(self.parameters)
        if found is None:
            return 0
        self.optimizer.load_state_dict(found.state["optimizer"])
        self.curves.restore(found.state["curves"])
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(found.weights[name])
        return found.step
