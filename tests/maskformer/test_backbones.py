"""Backbones: features, strides, freezing."""

import pytest
import torch

from pipeline.maskformer.backbones import build_backbone
from pipeline.maskformer.config import FEATURES, ResNetConfig
from tests.segmenter.tiny import resnet, swin

KINDS = {
    "resnet18": resnet(),
    "resnet34-gn": resnet(depth=34, norm="GN", stem_channels=32, res2_channels=32),
    "resnet50": resnet(depth=50, norm="FrozenBN"),
    "resnet50c": resnet(depth=50, stem="deeplab", res5_multi_grid=(1, 2, 4)),
    "swin": swin(),
    "swin-absolute": swin(absolute_position=True, patch_norm=False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_features_have_the_promised_channels_and_strides(kind):
    backbone = build_backbone(KINDS[kind]).eval()
    features = backbone(torch.zeros(1, 3, 64, 96))
    assert tuple(features) == FEATURES
    for (name, shape), stride in zip(backbone.output_shape().items(), (4, 8, 16, 32), strict=True):
        assert shape.stride == stride
        assert features[name].shape == (1, shape.channels, 64 // stride, 96 // stride)


def trained(backbone, prefix: str) -> bool:
    found = [p.requires_grad for name, p in backbone.named_parameters() if name.startswith(prefix)]
    assert found and len(set(found)) == 1, prefix
    return found[0]


@pytest.mark.parametrize("make", (resnet, swin))
@pytest.mark.parametrize("freeze_at", range(4))
def test_the_first_stages_can_be_frozen(make, freeze_at):
    config = make(freeze_at=freeze_at)
    backbone = build_backbone(config)
    stages = (
        ("stem.", "res2.", "res3.", "res4.")
        if isinstance(config, ResNetConfig)
        else ("patch_embed.", "layers.0.", "layers.1.", "layers.2.")
    )
    assert [trained(backbone, name) for name in stages] == [i >= freeze_at for i in range(4)]


def test_frozen_swin_stages_stay_without_drop_path():
    backbone = build_backbone(swin(freeze_at=2, drop_path=0.5)).train()
    assert not backbone.layers[0].training
    assert backbone.layers[1].training


def test_multi_grid_dilates_the_blocks_of_res5():
    backbone = build_backbone(resnet(depth=50, res5_multi_grid=(1, 2, 4)))
    assert [block.conv2.dilation for block in backbone.res5] == [(1, 1), (2, 2), (4, 4)]
