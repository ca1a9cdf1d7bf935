"""What a segmenter is made of: the architecture part of `segmenter.json`.

Only what decides the shape and the arithmetic of the network stands here; how it is trained is
`pipeline.segmenter.train`. Names and defaults follow the published R-101c model (paper section
4.1), the embedded world overrides them through `params.yaml`.
"""

from math import isqrt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.errors import UserError

MasksOf = Literal["last_layer", "all_layers"]  # whose masks are taken, see inference.py
Blocks = Annotated[tuple[int, ...], Field(strict=False)]  # YAML and JSON have lists
Stages = Annotated[tuple[int, int, int, int], Field(strict=False)]
Colour = Annotated[tuple[float, float, float], Field(strict=False)]
FEATURES = ("res2", "res3", "res4", "res5")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ResNetConfig(_Strict):
    """A detectron2 ResNet; `deeplab` is the three-convolution stem of R-101c."""

    kind: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152] = 101
    stem: Literal["basic", "deeplab"] = "deeplab"
    stem_channels: int = Field(128, ge=1)
    res2_channels: int = Field(256, ge=1)  # doubled at every later stage
    bottleneck_channels: int = Field(64, ge=1)  # of res2; depths 18 and 34 have no bottleneck
    groups: int = Field(1, ge=1)
    norm: Literal["BN", "SyncBN", "FrozenBN", "GN"] = "BN"
    stride_in_1x1: bool = False
    res4_dilation: Literal[1, 2] = 1
    res5_dilation: Literal[1, 2, 4] = 1
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
    embed_dim: int = Field(96, ge=1)
    depths: Stages = (2, 2, 6, 2)
    heads: Stages = (3, 6, 12, 24)
    window: int = Field(7, ge=1)
    patch_size: int = Field(4, ge=1)
    pretrain_size: int = Field(224, ge=1)  # only for the absolute position embedding
    mlp_ratio: float = Field(4.0, gt=0)
    qkv_bias: bool = True
    qk_scale: float | None = None
    dropout: float = Field(0.0, ge=0, lt=1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    drop_path: float = Field(0.3, ge=0, lt=1)
    absolute_position: bool = False
    patch_norm: bool = True
    freeze_at: int = Field(0, ge=0, le=5)  # 1 = patch embedding, 2 = and the first stage, ...


BackboneConfig = Annotated[ResNetConfig | SwinConfig, Field(discriminator="kind")]


class SegmenterConfig(_Strict):
    """Architecture of a `MaskFormer`."""

    backbone: BackboneConfig = ResNetConfig()
    clip_dim: int = Field(512, ge=1)  # D, width of the text features
    conv_dim: int = Field(256, ge=32, multiple_of=32)  # pixel decoder; group norm has 32 groups
    mask_dim: int = Field(256, ge=1)  # per-pixel and mask embedding
    hidden_dim: int = Field(256, ge=2, multiple_of=2)  # transformer decoder
    heads: int = Field(8, ge=1)
    feedforward: int = Field(2048, ge=1)
    decoder_layers: int = Field(6, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    pre_norm: bool = False
    query_kind: Literal["learned", "anchored"] = "learned"  # anchored: see anchors.py
    queries: int = Field(100, ge=1)  # Q
    class_hidden: int = Field(1024, ge=1)
    class_layers: int = Field(2, ge=1)
    enforce_input_proj: bool = False  # 1x1 projection of res5 even where the width fits already
    memory_feature: Literal["res2", "res3", "res4", "res5"] = "res5"
    size_divisibility: int = Field(32, ge=1)
    pixel_mean: Colour = (123.675, 116.28, 103.53)  # RGB, 0..255
    pixel_std: Colour = (58.395, 57.12, 57.375)

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
