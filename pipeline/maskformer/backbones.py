"""detectron2's backbones with outputs res2 .. res5 (strides 4 .. 32), paper section 4.1.

ResNets (R-101c has the DeepLab stem and res5 multi-grid 1, 2, 4) and Swin transformers. Parameter
names are detectron2's own, which are also those of the released checkpoints.
"""

from detectron2.modeling.backbone import Backbone, SwinTransformer
from detectron2.modeling.backbone.resnet import BasicBlock, BasicStem, BottleneckBlock, ResNet
from detectron2.projects.deeplab.resnet import DeepLabStem
from torch import Tensor, nn

from pipeline.maskformer.config import FEATURES, ResNetConfig, SwinConfig

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
STEMS = {"basic": BasicStem, "deeplab": DeepLabStem}


def build_backbone(config: ResNetConfig | SwinConfig) -> Backbone:
    """Build the backbone; its `output_shape()` returns channels and stride per feature."""
    return build_resnet(config) if isinstance(config, ResNetConfig) else Swin(config)


def build_resnet(config: ResNetConfig) -> ResNet:
    """Build a ResNet: (B,3,H,W) -> {"res2": (B,C,H/4,W/4), ... "res5": (B,8C,H/32,W/32)}."""
    blocks = BLOCKS[config.depth]
    dilations = (1, 1, config.res4_dilation, config.res5_dilation)
    stages = []
    in_channels, out_channels = config.stem_channels, config.res2_channels
    for stage, (count, dilation) in enumerate(zip(blocks, dilations, strict=True)):
        stride = 1 if stage == 0 or dilation > 1 else 2
        stages.append(
            ResNet.make_stage(
                BasicBlock if config.depth < 50 else BottleneckBlock,
                count,
                in_channels=in_channels,
                out_channels=out_channels,
                norm=config.norm,
                stride_per_block=[stride] + [1] * (count - 1),
                **_bottleneck_options(config, stage, count, dilation),
            )
        )
        in_channels, out_channels = out_channels, out_channels * 2
    stem = STEMS[config.stem](in_channels=3, out_channels=config.stem_channels, norm=config.norm)
    return ResNet(stem, stages, out_features=list(FEATURES), freeze_at=config.freeze_at)


def _bottleneck_options(config: ResNetConfig, stage: int, count: int, dilation: int) -> dict:
    """Return the options that only bottleneck blocks (depth 50 and more) have."""
    if config.depth < 50:
        return {}
    grid = config.res5_multi_grid if stage == 3 and config.res5_multi_grid else (1,) * count
    return {
        "bottleneck_channels": config.bottleneck_channels * config.groups * 2**stage,
        "num_groups": config.groups,
        "stride_in_1x1": config.stride_in_1x1,
        "dilation_per_block": [dilation * step for step in grid],
    }


class Swin(SwinTransformer):
    """detectron2's Swin with this project's feature names and with freezing as in a ResNet."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__(
            pretrain_img_size=config.pretrain_size,
            patch_size=config.patch_size,
            embed_dim=config.embed_dim,
            depths=config.depths,
            num_heads=config.heads,
            window_size=config.window,
            mlp_ratio=config.mlp_ratio,
            qkv_bias=config.qkv_bias,
            qk_scale=config.qk_scale,
            drop_rate=config.dropout,
            attn_drop_rate=config.attention_dropout,
            drop_path_rate=config.drop_path,
            ape=config.absolute_position,
            patch_norm=config.patch_norm,
            frozen_stages=config.freeze_at if config.freeze_at else -1,
        )
        self._out_features = list(FEATURES)
        self._out_feature_channels = dict(zip(FEATURES, self.num_features, strict=True))
        self._out_feature_strides = {
            name: config.patch_size * 2**level for level, name in enumerate(FEATURES)
        }

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B,3,H,W) normalised pictures -> {"res2": (B,C,H/4,W/4), ...}, each layer-normed."""
        return dict(zip(FEATURES, super().forward(x).values(), strict=True))

    def train(self, mode: bool = True) -> nn.Module:
        """Frozen stages stay in evaluation mode: no dropout, no drop path."""
        super().train(mode)
        if mode:
            self._freeze_stages()
        return self
