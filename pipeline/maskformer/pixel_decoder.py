"""The pixel decoder: a feature pyramid with group norm (MaskFormer's, paper section 3.1).

Top down: each level's 1x1 `adapter_i` is added to the coarser map, enlarged by nearest
neighbours, and smoothed by the 3x3 `layer_i`; `mask_features` turns the finest map into the
per-pixel embedding. i counts from 1 at the finest feature.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from detectron2.layers import Conv2d, ShapeSpec
from fvcore.nn import weight_init
from torch import Tensor, nn

from pipeline.maskformer.config import FEATURES

GROUPS = 32


class GroupNorm(nn.GroupNorm):
    """torch's group norm that accepts maps of one cell: a group of one value becomes the bias."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,h,w) -> (B,C,h,w)."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class PixelDecoder(nn.Module):
    """Backbone features -> per-pixel embedding at the stride of the finest feature."""

    def __init__(self, shapes: Mapping[str, ShapeSpec], conv_dim: int, mask_dim: int) -> None:
        """`shapes`: channels of every feature in `FEATURES`, finest first."""
        super().__init__()
        coarsest = len(FEATURES)
        for level, name in enumerate(FEATURES, start=1):
            channels = shapes[name].channels
            if level < coarsest:
                self.add_module(f"adapter_{level}", _conv(channels, conv_dim, 1, activation=None))
                channels = conv_dim
            self.add_module(f"layer_{level}", _conv(channels, conv_dim, 3, activation=F.relu))
        self.mask_features = Conv2d(conv_dim, mask_dim, kernel_size=3, padding=1)
        weight_init.c2_xavier_fill(self.mask_features)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """{"res2": (B,C,h,w), ...} -> (B,mask_dim,h,w) per-pixel embedding."""
        y = None
        for level, name in reversed(list(enumerate(FEATURES, start=1))):
            x = features[name]
            if y is not None:
                x = getattr(self, f"adapter_{level}")(x)
                x = x + F.interpolate(y, size=x.shape[-2:], mode="nearest")
            y = getattr(self, f"layer_{level}")(x)
        return self.mask_features(y)


def _conv(channels: int, out: int, kernel: int, activation) -> Conv2d:
    conv = Conv2d(
        channels,
        out,
        kernel_size=kernel,
        padding=kernel // 2,
        bias=False,
        norm=GroupNorm(GROUPS, out),
        activation=activation,
    )
    weight_init.c2_xavier_fill(conv)
    return conv
