"""Real torchvision and timm networks with random weights give the same features here."""

import pickle

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from pipeline.checkpoints.backbone_names import to_detectron2
from pipeline.maskformer.backbones import build_backbone
from pipeline.maskformer.config import FEATURES, ResNetConfig, SwinConfig
from pipeline.segmenter.warm_start import warm_start
from pipeline.weights.read import read_tensors
from tests.segmenter.tiny import resnet, swin

IMAGE = torch.rand((1, 3, 128, 128), generator=torch.Generator().manual_seed(0))
SWIN = SwinConfig(embed_dim=16, depths=(2, 2, 2, 2), heads=(1, 2, 4, 8), window=2, drop_path=0.1)
NARROW = {"stem_channels": 64, "res2_channels": 256, "bottleneck_channels": 8}
RESNET50 = ResNetConfig(depth=50, stem="basic", res5_multi_grid=None, **NARROW)
RESNET50S = ResNetConfig(depth=50, res5_multi_grid=None, **NARROW | {"stem_channels": 128})


def shaken(model: nn.Module) -> nn.Module:
    """Random everywhere, so that no two entries can be exchanged unnoticed."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.02)
    return model.eval()


def resnet_features(model: nn.Module) -> list[Tensor]:
    """Of torchvision's or timm's network, whose parts have the same names."""
    x = model.conv1(IMAGE)
    x = model.maxpool(getattr(model, "relu", getattr(model, "act1", None))(model.bn1(x)))
    found = []
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = stage(x)
        found.append(x)
    return found


def torchvision_resnet() -> tuple[nn.Module, list[Tensor]]:
    block = torchvision.models.resnet.Bottleneck
    model = shaken(torchvision.models.ResNet(block, [3, 4, 6, 3], width_per_group=8))
    return model, resnet_features(model)


def timm_resnet_deep_stem() -> tuple[nn.Module, list[Tensor]]:
    model = shaken(timm.create_model("resnet50s", pretrained=False, base_width=8, num_classes=3))
    return model, resnet_features(model)


def torchvision_swin() -> tuple[nn.Module, list[Tensor]]:
    model = shaken(
        torchvision.models.SwinTransformer([4, 4], 16, [2, 2, 2, 2], [1, 2, 4, 8], [2, 2])
    )
    x, found = IMAGE, []
    for place, part in enumerate(model.features):
        x = part(x)
        if place % 2:
            found.append(x)
    return model, [normed(x) for x in found]


def timm_swin() -> tuple[nn.Module, list[Tensor]]:
    model = shaken(
        timm.models.SwinTransformer(
            img_size=128, embed_dim=16, depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8), window_size=2
        )
    )
    x, found = model.patch_embed(IMAGE), []
    for stage in model.layers:
        x = stage(x)
        found.append(x)
    return model, [normed(x) for x in found]


def normed(x: Tensor) -> Tensor:
    """(B, H, W, C) -> (B, C, H, W) with the layer norm that detectron2 puts on each output."""
    return layer_norm(x, x.shape[-1:]).permute(0, 3, 1, 2)


NETWORKS = {
    "torchvision's or timm's ResNet": (torchvision_resnet, RESNET50),
    "timm's ResNet with deep stem": (timm_resnet_deep_stem, RESNET50S),
    "torchvision's Swin": (torchvision_swin, SWIN),
    "timm's Swin": (timm_swin, SWIN),
}


@pytest.mark.parametrize("names", NETWORKS)
@torch.inference_mode()
def test_the_features_are_those_of_the_network_the_weights_come_from(names, tmp_path):
    make, architecture = NETWORKS[names]
    source, wanted = make()
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    backbone = build_backbone(architecture).eval()
    result = warm_start(backbone, read_tensors(tmp_path / "weights.pth").tensors, "weights.pth")
    assert result.names == names
    outputs = ("norm0.", "norm1.", "norm2.", "norm3.")  # detectron2's own, one per output
    assert all(
        key.startswith(outputs) or key.endswith("relative_position_index") for key in result.kept
    ), result.kept
    classifier = ("fc.", "head.", "norm.")
    assert all(key.startswith(classifier) or "position_index" in key for key in result.left_over)
    found = backbone(IMAGE)
    for name, expected in zip(FEATURES, wanted, strict=True):
        assert found[name].shape == expected.shape
        scale = expected.abs().max()
        assert (found[name] - expected).abs().max() < 2e-5 * max(1.0, scale), name


@torch.inference_mode()
def test_model_zoo_and_original_files_need_no_new_names(tmp_path):
    for architecture, extra in (
        (resnet(depth=50, stem="deeplab"), {"stem.fc.weight": torch.zeros(2, 2)}),
        (swin(), {"head.weight": torch.zeros(2), "layers.0.blocks.1.attn_mask": torch.zeros(2)}),
    ):
        source = shaken(build_backbone(architecture))
        arrays = {key: value.numpy() for key, value in (source.state_dict() | extra).items()}
        (tmp_path / "zoo.pkl").write_bytes(pickle.dumps({"model": arrays}, 2))
        backbone = build_backbone(architecture).eval()
        result = warm_start(backbone, read_tensors(tmp_path / "zoo.pkl").tensors, "zoo.pkl")
        assert not result.kept and result.left_over.keys() == extra.keys()
        expected = source(IMAGE)
        assert all(torch.equal(backbone(IMAGE)[name], expected[name]) for name in FEATURES)


def test_other_architectures_in_familiar_names_are_refused():
    model = timm.create_model("resnet26d", pretrained=False)
    with pytest.raises(ValueError, match="a ResNet-D, whose shortcuts pool"):
        to_detectron2(model.state_dict(), "resnet26d.pth")
    with pytest.raises(ValueError, match="R-50.pkl: a Caffe2 ResNet .* reads BGR pictures"):
        to_detectron2({"res2_0_branch2a_w": torch.zeros(64, 64, 1, 1)}, "R-50.pkl")
