"""The state of a fine-tuning run: its curves, and what its checkpoints hold.

Order and augmentation follow from the seed and the step, so a step number, the trained weights
and the optimiser's moments are all the state there is.
"""

import torch
from torch import nn

from pipeline.core.resume import Checkpoints
from pipeline.training.curves import Curves


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
