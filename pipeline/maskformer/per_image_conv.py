"""Convolve the pictures of a batch one at a time on a CPU.

Which kernel torch and oneDNN take for a convolution depends on how many maps there are, most of all
for small ones, and kernels round differently: mask logits by 1e-5 to 1e-3. A picture's masks must
not depend on the company they are made in, so at inference each map is convolved as it is alone.
The matrix products around the convolutions need no such care (`pipeline/__init__.py`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class PerImageConv(TorchFunctionMode):
    """Within it, a 2-d convolution on a CPU sees one picture at a time."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func is torch.conv2d and args and args[0].dim() == 4 and args[0].device.type == "cpu":
            maps, *rest = args
            return torch.cat([func(one, *rest, **named) for one in maps.split(1)])
        return func(*args, **named)
