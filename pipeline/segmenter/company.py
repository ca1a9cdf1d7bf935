"""Convolving one small feature map with the kernels that several get.

On a CPU torch takes another convolution for a lone map of at most 20,480 numbers, which rounds mask
logits differently by 1e-5 to 1e-4. A picture's masks must not depend on the company they are made
in, so at inference such a map is convolved as one of two.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

TINY = 20480
"""Numbers in a lone input up to which torch takes other kernels (`ConvParams::use_mkldnn`)."""


class InCompany(TorchFunctionMode):
    """Within it, no convolution sees a lone tiny map."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.conv2d and _lone(args[0]):
            return func(torch.cat([args[0]] * 2), *args[1:], **(kwargs or {}))[:1]
        return func(*args, **(kwargs or {}))


def _lone(maps: Tensor) -> bool:
    return len(maps) == 1 and maps.device.type == "cpu" and maps.numel() <= TINY
