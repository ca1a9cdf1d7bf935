"""The learning rate at every step: a linear warm-up, then a fall to 0 in one of two shapes."""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from pipeline.training.optimiser import PEAK

POWER = 0.9
"""Of the poly shape, as DeepLab and MaskFormer use it."""
POLY_START = 1e-6
"""Share of the learning rate at step 0 of the poly shape, as published with MaskFormer."""


@dataclass(frozen=True)
class Schedule:
    """A function of the step, from 0; nothing is remembered from step to step.

    cosine (open_clip's, of CLIP's trainings): step s of the warm-up has (s + 1) / warmup_steps of
    the peak; half a cosine falls from its end to `steps`.
    poly (detectron2's, of MaskFormer's): (1 - s / steps) ** 0.9 from the first step on, and the
    warm-up times that, from 1e-6 up.
    """

    shape: Literal["cosine", "poly"]
    steps: int
    warmup_steps: int

    def learning_rate(self, peak: float, step: int) -> float:
        """Return the learning rate of step 0 .. steps - 1."""
        warm = step < self.warmup_steps
        if self.shape == "poly":
            share = step / self.warmup_steps if warm else 1.0
            start = POLY_START * (1 - share) + share if warm else 1.0
            return peak * start * math.pow(1.0 - step / self.steps, POWER)
        if warm:
            return peak * ((step + 1) / self.warmup_steps)
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return peak * (0.5 * (1 + math.cos(math.pi * done)))

    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> float:
        """Set the learning rate of every group of an `adamw`; returns the first group's."""
        for group in optimizer.param_groups:
            group["lr"] = self.learning_rate(group[PEAK], step)
        return optimizer.param_groups[0]["lr"]
