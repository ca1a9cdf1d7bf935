"""From backbone and pixel-decoder features to one class and one mask embedding per query.

Follows MaskFormer (paper section 3.1): a transformer decoder on `res5`, a three-layer mask head
and, in place of the class layer, an MLP to the width of CLIP's text features.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from detectron2.layers import Conv2d, ShapeSpec
from fvcore.nn import weight_init
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.maskformer.anchors import Anchors
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.decoder import Decoder, Transformer
from pipeline.maskformer.pixel_decoder import PixelDecoder
from pipeline.maskformer.position import sine_position


@dataclass(frozen=True)
class QueryOutput:
    """Output of one decoder layer: `class_embed` (B,Q,D), not normalised; `pred_masks` (B,Q,h,w)
    logits."""

    class_embed: Tensor
    pred_masks: Tensor


class MLP(nn.Module):
    """Linear layers with ReLU between them; parameters are `layers.N`."""

    def __init__(self, in_dim: int, hidden: int, out_dim: int, layers: int) -> None:
        super().__init__()
        widths = [in_dim] + [hidden] * (layers - 1) + [out_dim]
        self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))

    def forward(self, x: Tensor) -> Tensor:
        """(...,in_dim) -> (...,out_dim)."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class TransformerPredictor(nn.Module):
    """Queries -> class and mask embeddings, for every decoder layer."""

    def __init__(self, config: SegmenterConfig, memory_channels: int) -> None:
        super().__init__()
        hidden = config.hidden_dim
        self.transformer = Transformer(
            Decoder(
                config.decoder_layers,
                hidden,
                config.heads,
                config.feedforward,
                config.dropout,
                config.pre_norm,
            )
        )
        self.query_embed = nn.Embedding(config.queries, hidden)
        self.anchors = Anchors(config) if config.query_kind == "anchored" else None
        if memory_channels != hidden or config.enforce_input_proj:
            self.input_proj = Conv2d(memory_channels, hidden, kernel_size=1)
            weight_init.c2_xavier_fill(self.input_proj)
        else:
            self.input_proj = nn.Sequential()
        self.mask_embed = MLP(hidden, hidden, config.mask_dim, 3)
        self.class_embed = MLP(hidden, config.class_hidden, config.clip_dim, config.class_layers)

    def forward(self, memory: Tensor, mask_features: Tensor) -> list[QueryOutput]:
        """memory (B,C,h,w), mask_features (B,E,H,W) -> one output per decoder layer, with anchored
        queries one more in front: the anchors' own output."""
        memory = self.input_proj(memory)
        batch, dim, height, width = memory.shape
        position = sine_position(height, width, dim, memory.device).to(memory.dtype)
        query = self.query_embed.weight[:, None].expand(-1, batch, -1)
        start = None
        if self.anchors is not None:
            query = query + self.anchors.position[:, None]
            start = self.anchors(mask_features)
        layers = self.transformer(memory, query, position.expand(batch, -1, -1, -1), start)
        return [
            QueryOutput(
                self.class_embed(x),
                torch.einsum("bqc,bchw->bqhw", self.mask_embed(x), mask_features),
            )
            for x in layers
        ]


class MaskFormerHead(nn.Module):
    """Pixel decoder and transformer predictor, under the checkpoint's name `sem_seg_head`."""

    def __init__(self, config: SegmenterConfig, shapes: Mapping[str, ShapeSpec]) -> None:
        super().__init__()
        self.memory_feature = config.memory_feature
        self.pixel_decoder = PixelDecoder(shapes, config.conv_dim, config.mask_dim)
        self.predictor = TransformerPredictor(config, shapes[config.memory_feature].channels)

    def forward(self, features: Mapping[str, Tensor]) -> list[QueryOutput]:
        """Backbone features {"res2": (B,C,h,w), ...} -> one output per decoder layer."""
        return self.predictor(features[self.memory_feature], self.pixel_decoder(features))
