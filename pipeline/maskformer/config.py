"""What a segmenter is made of: the architecture part of `segmenter.json`.

It holds only what decides the shape and the arithmetic of the network; training settings are in
`pipeline.segmenter.train`. Names and defaults follow the published R-101c model (paper section
4.1); the embedded world overrides them through `params.yaml`.
"""

from math import isqrt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from pipeline.core.errors import UserError
from pipeline.core.section import Section

MaskLayers = Literal["last", "all"]  # whose masks are used, see masks.py
Width = Annotated[int, Field(ge=1, le=65_536)]  # channels, numbers in a vector
Layers = Annotated[int, Field(ge=1, le=100)]
Heads = Annotated[int, Field(ge=1, le=1024)]  # of attention
Patches = Annotated[int, Field(ge=1, le=4096)]  # a length in patches or pixels
Dropped = Annotated[float, Field(ge=0, lt=1)]
Level = Annotated[float, Field(ge=0, le=255)]  # of a colour channel
Spread = Annotated[float, Field(gt=0, le=255)]
Stride = Annotated[int, Field(ge=1, le=64)]
# Lists in YAML and JSON; one entry for each block or stage, or for red, green and blue.
Blocks = Annotated[tuple[Stride, ...], Field(strict=False)]
StageLayers = Annotated[tuple[Layers, Layers, Layers, Layers], Field(strict=False)]
StageHeads = Annotated[tuple[Heads, Heads, Heads, Heads], Field(strict=False)]
Mean = Annotated[tuple[Level, Level, Level], Field(strict=False)]
Deviation = Annotated[tuple[Spread, Spread, Spread], Field(strict=False)]


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


NoBoolean = BeforeValidator(_no_boolean)  # to Literal[1], True is a 1
Feature = Literal["res2", "res3", "res4", "res5"]
FEATURES: tuple[Feature, ...] = ("res2", "res3", "res4", "res5")
Depth = Literal[18, 34, 50, 101, 152]


class ResNetConfig(Section):
    """A detectron2 ResNet; `deeplab` is the three-convolution stem of R-101c."""

    kind: Literal["resnet"] = "resnet"
    """resnet | swin; further keys depend on it"""
    depth: Depth = 101
    """18, 34, 50, 101, 152"""
    stem: Literal["basic", "deeplab"] = "deeplab"
    """basic (one 7x7 convolution) | deeplab (three 3x3 convolutions)"""
    stem_channels: Width = 128
    """channels after the stem; at least 1"""
    res2_channels: Width = 256
    """channels of res2, doubled at each later stage; at least 1"""
    bottleneck_channels: Width = 64
    """inside the blocks of res2, doubled at each later stage; at least 1"""
    groups: Width = 1
    """of the 3x3 convolutions of bottlenecks; at least 1"""
    norm: Literal["BN", "SyncBN", "FrozenBN", "GN"] = "BN"
    """BN | SyncBN | FrozenBN | GN"""
    stride_in_1x1: bool = False
    """where a bottleneck strides: true in its first 1x1 | false in its 3x3"""
    res4_dilation: Annotated[Literal[1, 2], NoBoolean] = 1
    """dilation of res4 instead of its stride: 1 | 2"""
    res5_dilation: Annotated[Literal[1, 2, 4], NoBoolean] = 1
    """of res5: 1 | 2 | 4"""
    res5_multi_grid: Blocks | None = (1, 2, 4)
    """dilation of each block of res5, e.g. [1, 2, 4]; null: none"""
    freeze_at: int = Field(0, ge=0, le=5)
    """stages that do not train: 0 none, 1 the stem, 2 and res2 ... 5 all"""

    @model_validator(mode="after")
    def _dilations_fit(self) -> "ResNetConfig":
        if self.res4_dilation == 2 and self.res5_dilation != 4:
            raise UserError(
                f"res5_dilation = {self.res5_dilation}: with res4_dilation = 2 it must be 4"
            )
        dilated = self.res5_multi_grid or self.res4_dilation * self.res5_dilation > 1
        if self.depth < 50 and (dilated or self.groups > 1):
            raise UserError(
                f"depth = {self.depth} has basic blocks, which take neither dilation nor groups: "
                "set res5_multi_grid to null, dilations and groups to 1, or depth to 50 or more"
            )
        if self.res5_multi_grid and len(self.res5_multi_grid) != 3:
            raise UserError(f"res5_multi_grid = {self.res5_multi_grid}: there are 3 res5 blocks")
        return self


class SwinConfig(Section):
    """detectron2's Swin transformer with one layer norm per output."""

    kind: Literal["swin"] = "swin"
    """resnet | swin; further keys depend on it"""
    embed_dim: Width = 96
    """channels of the first stage, doubled at each later one; at least 1"""
    depths: StageLayers = (2, 2, 6, 2)
    """blocks of each stage"""
    heads: StageHeads = (3, 6, 12, 24)
    """attention heads of each stage"""
    window: Patches = 7
    """side of the attention windows, patches; that of the ImageNet weights"""
    patch_size: Patches = 4
    """side of a patch in pixels; at least 1"""
    pretrain_size: Patches = 224
    """picture side that the absolute position embedding was made for, pixels; at least 1"""
    mlp_ratio: float = Field(4.0, gt=0, le=100)
    """width of the feed-forward layers relative to their block; above 0"""
    qkv_bias: bool = True
    """biases in the attention; true | false"""
    qk_scale: Annotated[float, Field(gt=0, le=1000)] | None = None
    """factor on the attention scores, above 0; null: 1 / sqrt(width of a head)"""
    dropout: Dropped = 0.0
    """after the attention and in the feed-forward layers; from 0 to below 1"""
    attention_dropout: Dropped = 0.0
    """of the attention weights; from 0 to below 1"""
    drop_path: Dropped = 0.3
    """chance that the last block is skipped in training; 0 to below 1"""
    absolute_position: bool = False
    """add an absolute position embedding; true | false"""
    patch_norm: bool = True
    """layer norm after the patch embedding; true | false"""
    freeze_at: int = Field(0, ge=0, le=5)
    """stages that do not train: 0 none, 1 the patch embedding, 2 and the first ..."""


BackboneConfig = Annotated[ResNetConfig | SwinConfig, Field(discriminator="kind")]


class SegmenterConfig(Section):
    """Architecture of a `MaskFormer`."""

    backbone: BackboneConfig = ResNetConfig()
    clip_dim: Width = 512
    """width of the CLIP's text features; at least 1"""
    conv_dim: Width = Field(256, multiple_of=32)
    """channels of the pixel decoder; a multiple of 32"""
    mask_dim: Width = 256
    """width of a mask embedding; at least 1"""
    hidden_dim: Width = Field(256, multiple_of=2)
    """width of the transformer decoder; even, divisible by heads"""
    heads: Heads = 8
    """attention heads; at least 1"""
    feedforward: Width = 2048
    """width of the feed-forward layers; at least 1"""
    decoder_layers: Layers = 6
    """transformer decoder layers; at least 1"""
    dropout: Dropped = 0.1
    """in the transformer decoder; from 0 to below 1"""
    pre_norm: bool = False
    """layer norms before attention and feed-forward instead of after; true | false"""
    query_kind: Literal["learned", "anchored"] = "learned"
    """learned (the paper's) | anchored (on a grid; number must be a square)"""
    queries: int = Field(100, ge=1, le=10_000)
    """masks proposed per picture; at least 1"""
    class_hidden: Width = 1024
    """width of the hidden layer of the class head; at least 1"""
    class_layers: Layers = 2
    """layers of the class head; at least 1"""
    enforce_input_proj: bool = False
    """1x1 projection of the memory feature even where the width fits already; true | false"""
    memory_feature: Feature = "res5"
    """what the decoder attends to: res2 | res3 | res4 | res5 (the paper's)"""
    size_divisibility: int = Field(32, ge=1, le=1024)
    """pictures are padded to a multiple of this, pixels; at least 1"""
    pixel_mean: Mean = (123.675, 116.28, 103.53)
    """subtracted from RGB, 0..255 each"""
    pixel_std: Deviation = (58.395, 57.12, 57.375)
    """RGB is divided by these, above 0 to 255 each"""

    @model_validator(mode="after")
    def _heads_and_grid_fit(self) -> "SegmenterConfig":
        if self.hidden_dim % self.heads:
            raise UserError(f"heads = {self.heads} does not divide hidden_dim = {self.hidden_dim}")
        if self.query_kind == "anchored" and isqrt(self.queries) ** 2 != self.queries:
            raise UserError(
                f"queries = {self.queries}: anchored queries stand on a square grid, so their "
                "number must be a square (16, 25, 36, ...)"
            )
        return self
