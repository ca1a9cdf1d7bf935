"""Lower precision inside the two networks, float32 everywhere around them.

float32 is the reference. What the others change is measured by tests/benchmarks/bench_numerics.py.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import get_args

import torch

from pipeline.errors import UserError
from pipeline.modes import Precision


def in_precision(device: torch.device, precision: Precision) -> AbstractContextManager:
    """Autocast of matrix products and convolutions; nothing for float32. UserError for another
    precision."""
    if precision not in get_args(Precision):
        raise UserError(
            f"precision is {precision!r}; expected one of {', '.join(get_args(Precision))}"
        )
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))
