"""Translate the weight names of ImageNet backbones from other libraries.

torchvision and timm distribute the same ResNets and Swin transformers as detectron2 under other
names; the original Swin files already have detectron2's. Only names change, no numbers:

    ResNet  torchvision, timm   conv1, bn1, layer1.0.bn1, layer1.0.downsample.0, fc
            timm, deep stem     conv1.0, conv1.1, conv1.3, conv1.4, conv1.6, bn1 (resnet101s ...)
            here                stem.conv1, stem.conv1.norm, res2.0.conv1.norm, res2.0.shortcut
    Swin    torchvision         features.1.0.mlp.0, features.2.reduction
            timm since 0.9      layers.1.downsample stands before its stage
            here, original      layers.0.blocks.0.mlp.fc1, layers.0.downsample stands after it
"""

import re

from torch import Tensor

from pipeline.core.errors import UserError

Weights = dict[str, Tensor]
DEEP_STEM = {"0": "conv1", "1": "conv1.norm", "3": "conv2", "4": "conv2.norm", "6": "conv3"}
"""Indices in timm's stem of three 3x3 convolutions; its last norm is `bn1`."""
SWIN_MLP = {"0": "fc1", "3": "fc2"}
SWIN_STEM = {"0": "patch_embed.proj", "2": "patch_embed.norm"}


def to_detectron2(weights: Weights, source: str) -> tuple[Weights, str]:
    """Rename tensors to detectron2's names; also return a phrase saying whose names they had.

    Weights in an unknown layout are returned unchanged. UserError for another architecture with
    familiar names (ResNet-D) and for Caffe2's ResNets, whose pictures are normalised otherwise.
    """
    if "res2_0_branch2a_w" in weights:
        raise UserError(
            f"{source}: a Caffe2 ResNet (detectron2's MSRA weights), which reads BGR pictures that "
            "are not scaled. Expected one for RGB: detectron2's torchvision/R-50.pkl or R-103.pkl, "
            "or torchvision's or timm's file"
        )
    if "layer1.0.conv1.weight" in weights:
        _refuse_resnet_d(weights, source)
        deep = "conv1.0.weight" in weights
        kind = "timm's ResNet with deep stem" if deep else "torchvision's or timm's ResNet"
        return {_resnet_name(key, deep): value for key, value in weights.items()}, kind
    if "features.1.0.attn.qkv.weight" in weights:
        named = {_torchvision_swin_name(key): value for key, value in weights.items()}
        return named, "torchvision's Swin"
    if "layers.3.downsample.reduction.weight" in weights:
        return {_timm_swin_name(key): value for key, value in weights.items()}, "timm's Swin"
    return weights, "names as here"


def _refuse_resnet_d(weights: Weights, source: str) -> None:
    shortcut = weights.get("layer2.0.downsample.1.weight")
    if shortcut is not None and shortcut.ndim == 4:
        raise UserError(
            f"{source}: a ResNet-D, whose shortcuts pool before they convolve; no backbone here "
            "does. Expected a plain ResNet, or one with a deep stem only (timm's resnet101s)"
        )


def _resnet_name(key: str, deep: bool) -> str:
    first, _, rest = key.partition(".")
    if first == "conv1":
        place, _, leaf = rest.partition(".")
        return f"stem.{DEEP_STEM.get(place, place)}.{leaf}" if deep else f"stem.conv1.{rest}"
    if first == "bn1":
        return f"stem.conv{3 if deep else 1}.norm.{rest}"
    stage = re.fullmatch(r"layer([1-4])", first)
    if stage is None:
        return key
    rest = re.sub(r"\bdownsample\.0\b", "shortcut", rest)
    rest = re.sub(r"\bdownsample\.1\b", "shortcut.norm", rest)
    return f"res{int(stage[1]) + 1}." + re.sub(r"\bbn([1-3])\b", r"conv\1.norm", rest)


def _torchvision_swin_name(key: str) -> str:
    """Even numbers below `features` are patch merging, odd ones are blocks."""
    found = re.fullmatch(r"features\.(\d+)\.(\w+)\.?(.*)", key)
    if found is None:
        return key
    number, second, rest = int(found[1]), found[2], found[3]
    if number == 0:
        return f"{SWIN_STEM.get(second, second)}.{rest}"
    if number % 2 == 0:
        return f"layers.{number // 2 - 1}.downsample.{second}.{rest}"
    rest = re.sub(r"^mlp\.([03])\b", lambda place: f"mlp.{SWIN_MLP[place[1]]}", rest)
    return f"layers.{number // 2}.blocks.{second}.{rest}"


def _timm_swin_name(key: str) -> str:
    return re.sub(
        r"^layers\.(\d+)\.downsample\.",
        lambda stage: f"layers.{int(stage[1]) - 1}.downsample.",
        key,
    )
