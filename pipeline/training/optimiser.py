"""AdamW over groups of parameters, each with its own learning rate and weight decay."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

PEAK = "peak"
"""Key of a group's peak learning rate, which the schedule scales."""


@dataclass(frozen=True)
class Group:
    """Parameters with one peak learning rate and one weight decay."""

    parameters: list[nn.Parameter]
    learning_rate: float
    weight_decay: float


def adamw(
    groups: Iterable[Group],
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    fused: bool | None = None,
) -> torch.optim.AdamW:
    """Build AdamW over `groups`, empty ones left out.

    betas, eps, fused: torch's; `fused` rounds otherwise than the loop over parameters does.
    """
    return torch.optim.AdamW(
        [
            {
                "params": group.parameters,
                "lr": group.learning_rate,
                PEAK: group.learning_rate,
                "weight_decay": group.weight_decay,
            }
            for group in groups
            if group.parameters
        ],
        betas=betas,
        eps=eps,
        fused=fused,
    )
