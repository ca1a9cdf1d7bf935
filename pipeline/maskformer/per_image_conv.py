"""Convolve the pictures of a batch one by one on a CPU.

Which kernel torch and oneDNN choose for a convolution depends on the batch size, most of all for
small maps, and kernels round differently: mask logits by 1e-5 to 1e-3. A picture's masks must not
depend on the other pictures of its batch, so at inference each map is convolved alone. The matrix
products around the convolutions need no such care (`pipeline/__init__.py`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class PerImageConv(TorchFunctionMode):
    """A mode in which 2-d convolutions on a CPU see one picture at a time."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func is torch.conv2d and args and args[0].dim() == 4 and args[0].device.type == "cpu":
            maps, *rest = args
            return torch.cat([func(one, *rest, **named) for one in maps.split(1)])
        return func(*args, **named)
