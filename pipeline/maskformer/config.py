"""What a segmenter is made of: the architecture part of `segmenter.json`.

It holds only what decides the shape and the arithmetic of the network; training settings are in
`pipeline.segmenter.train`. Names and defaults follow the published R-101c model (paper section
4.1); the embedded world overrides them through `params.yaml`.
"""

from math import isqrt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError

from pipeline.core.errors import UserError

MasksOf = Literal["last_layer", "all_layers"]  # whose masks are used, see masks.py
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
FEATURES = ("res2", "res3", "res4", "res5")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ResNetConfig(_Strict):
    """A detectron2 ResNet; `deeplab` is the three-convolution stem of R-101c."""

    kind: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152] = 101
    stem: Literal["basic", "deeplab"] = "deeplab"
    stem_channels: Width = 128
    res2_channels: Width = 256  # doubled at every later stage
    bottleneck_channels: Width = 64  # of res2; depths 18 and 34 have no bottleneck
    groups: Width = 1
    norm: Literal["BN", "SyncBN", "FrozenBN", "GN"] = "BN"
    stride_in_1x1: bool = False
    res4_dilation: Annotated[Literal[1, 2], NoBoolean] = 1
    res5_dilation: Annotated[Literal[1, 2, 4], NoBoolean] = 1
    res5_multi_grid: Blocks | None = (1, 2, 4)  # per block, times res5_dilation
    freeze_at: int = Field(0, ge=0, le=5)  # 1 = stem, 2 = stem and res2, ...

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


class SwinConfig(_Strict):
    """detectron2's Swin transformer with one layer norm per output."""

    kind: Literal["swin"] = "swin"
    embed_dim: Width = 96
    depths: StageLayers = (2, 2, 6, 2)
    heads: StageHeads = (3, 6, 12, 24)
    window: Patches = 7
    patch_size: Patches = 4
    pretrain_size: Patches = 224  # only for the absolute position embedding
    mlp_ratio: float = Field(4.0, gt=0, le=100)
    qkv_bias: bool = True
    qk_scale: Annotated[float, Field(gt=0, le=1000)] | None = None
    dropout: Dropped = 0.0
    attention_dropout: Dropped = 0.0
    drop_path: Dropped = 0.3
    absolute_position: bool = False
    patch_norm: bool = True
    freeze_at: int = Field(0, ge=0, le=5)  # 1 = patch embedding, 2 = and the first stage, ...


BackboneConfig = Annotated[ResNetConfig | SwinConfig, Field(discriminator="kind")]


class SegmenterConfig(_Strict):
    """Architecture of a `MaskFormer`."""

    backbone: BackboneConfig = ResNetConfig()
    clip_dim: Width = 512  # D, width of the text features
    conv_dim: Width = Field(256, multiple_of=32)  # pixel decoder; group norm has 32 groups
    mask_dim: Width = 256  # per-pixel and mask embedding
    hidden_dim: Width = Field(256, multiple_of=2)  # transformer decoder
    heads: Heads = 8
    feedforward: Width = 2048
    decoder_layers: Layers = 6
    dropout: Dropped = 0.1
    pre_norm: bool = False
    query_kind: Literal["learned", "anchored"] = "learned"  # anchored: see anchors.py
    queries: int = Field(100, ge=1, le=10_000)  # Q
    class_hidden: Width = 1024
    class_layers: Layers = 2
    enforce_input_proj: bool = False  # 1x1 projection of res5 even where the width fits already
    memory_feature: Literal["res2", "res3", "res4", "res5"] = "res5"
    size_divisibility: int = Field(32, ge=1, le=1024)
    pixel_mean: Mean = (123.675, 116.28, 103.53)  # RGB, 0..255
    pixel_std: Deviation = (58.395, 57.12, 57.375)

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
