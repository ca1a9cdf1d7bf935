"""A training may start from weights that fill a part of the segmenter; the others are named."""

import pytest
import torch
from safetensors.torch import save_file

from pipeline.maskformer.config import ResNetConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.warm_start import warm_start
from pipeline.weights.read import read_tensors
from tests.checkpoints.test_backbone_names import NARROW, torchvision_resnet
from tests.segmenter.tiny import config


def test_a_backbone_file_fills_the_backbone(tmp_path):
    source = MaskFormer(config())
    weights = {k: v for k, v in source.backbone.state_dict().items()}
    weights |= {"head.weight": torch.zeros(3, 3), "stem.conv1.weight": torch.zeros(1)}
    torch.save({"model": {f"module.{k}": v for k, v in weights.items()}}, tmp_path / "b.pth")
    model = MaskFormer(config())
    result = warm_start(model, read_tensors(tmp_path / "b.pth").tensors, "b.pth")
    assert torch.equal(model.backbone.res5[1].conv2.weight, source.backbone.res5[1].conv2.weight)
    assert result.left_over == {
        "head.weight": "no such parameter",
        "stem.conv1.weight": "shape (1,), here (16, 3, 7, 7)",
    }
    assert len(result.loaded) + len(result.kept) == len(model.state_dict())


def test_weights_that_fit_nowhere_are_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="none of its 1 tensors fits"):
        warm_start(MaskFormer(config()), read_tensors(tmp_path / "x.safetensors").tensors, "x")


def deeplab(**changes) -> MaskFormer:
    stem = {"depth": 50, "stem": "deeplab", "stem_channels": 128, "norm": "FrozenBN"}
    return MaskFormer(config(backbone=ResNetConfig(**NARROW | stem | changes)))


def test_what_does_not_fit_the_deeplab_stem_is_said():
    weights, _ = torchvision_resnet()
    result = warm_start(deeplab(), weights.state_dict(), "resnet50.pth")
    counts, ours, theirs = result.describe("resnet50.pth")
    assert "from resnet50.pth (torchvision's or timm's ResNet)" in counts
    assert ours.endswith(
        "keep them: res2.0.conv1 (1), res2.0.shortcut (1), stem.conv1 (1), stem.conv2 (5), "
        "stem.conv3 (5)"
    )
    assert "stem.conv1.weight (shape (64, 3, 7, 7), here (64, 3, 3, 3))" in theirs
    assert "fc.weight (no such parameter)" in theirs


def test_a_frozen_stem_must_not_stay_random():
    weights, _ = torchvision_resnet()
    with pytest.raises(ValueError, match="resnet50.pth: fills no .*stem.conv1.*freeze_at: 0"):
        warm_start(deeplab(freeze_at=2), weights.state_dict(), "resnet50.pth")
    source = deeplab(freeze_at=2)
    assert not warm_start(deeplab(freeze_at=2), source.backbone.state_dict(), "R-103.pkl").left_over
