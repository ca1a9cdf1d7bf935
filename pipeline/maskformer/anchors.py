"""Queries anchored to points of the picture: what the miniature segmenter adds to MaskFormer.

MaskFormer's queries are the same vectors for every picture; which of them takes which object is
learned by matching alone, and from scratch that takes tens of thousands of steps. An anchored query
is tied to a point of a regular grid and starts from the per-pixel embedding there, so before any
training it already asks which pixels resemble its point, and a few hundred steps make that a mask.
The anchors' own output is trained without matching: each predicts the region around its point, so
that every labelled point teaches what a mask is, whatever the class. The decoder behind them and
its losses are unchanged.
"""

from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.position import sine_position


class Anchors(nn.Module):
    """A square grid of points over the padded picture.

    position: (Q,C) float32 sine embedding of the points, row by row.
    """

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        side = isqrt(config.queries)
        centres = (torch.arange(side) + 0.5) / side * 2 - 1  # grid_sample: -1..1 edge to edge
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        self.register_buffer("points", torch.stack([x, y], -1).view(1, -1, 1, 2), persistent=False)
        position = sine_position(side, side, config.hidden_dim, torch.device("cpu"))
        self.register_buffer("position", position.flatten(1).T.contiguous(), persistent=False)
        self.project = nn.Linear(config.mask_dim, config.hidden_dim)

    @property
    def places(self) -> Tensor:
        """Return x and y of the points, (Q,2) float32 in 0..1 of the padded picture."""
        return (self.points.view(-1, 2) + 1) / 2

    def forward(self, mask_features: Tensor) -> Tensor:
        """mask_features (B,E,H,W) -> (Q,B,C): the embedding at each point, bilinearly sampled."""
        points = self.points.to(mask_features.dtype).expand(len(mask_features), -1, -1, -1)
        sampled = F.grid_sample(mask_features, points, mode="bilinear", align_corners=False)
        return self.project(sampled[..., 0].permute(2, 0, 1))
