"""Infer the architecture of a released checkpoint from its weights.

A released file holds weights only; its configuration is a yaml file elsewhere. Shapes decide
nearly everything. What shapes do not show is taken from the published models: 8 heads, dropout 0.1,
post-norm, res5 multi-grid 1, 2, 4 behind a DeepLab stem, stride in the 3x3 convolutions.

A part exists if any of its keys does, and blocks are counted by the highest number. So a weight
that a damaged file lacks is reported as missing and never changes the architecture.
"""

import re
from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any, Literal

from torch import Tensor

from pipeline.core.errors import UserError
from pipeline.maskformer.backbones import BLOCKS
from pipeline.maskformer.config import FEATURES, ResNetConfig, SegmenterConfig, SwinConfig
from pipeline.maskformer.maskformer import MaskFormer

State = Mapping[str, Tensor]
HEAD = "sem_seg_head."
PUBLISHED_HEADS = 8
NO_OBJECT = "clip_adapter.non_object_embedding"
USUAL = {
    name: field.default
    for name, field in SegmenterConfig.model_fields.items()
    if isinstance(field.default, int)
}


class _Shapes:
    """Shapes of a state dict's weights; for a missing one a usual shape, and its name is noted."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.missing: list[str] = []

    def of(self, key: str, *usual: int) -> tuple[int, ...]:
        if key in self.state:
            shape = tuple(self.state[key].shape)
            if len(shape) < len(usual) or 0 in shape:
                raise UserError(f"{key} is {shape}: not the weights of a MaskFormer")
            return shape
        if key not in self.missing:
            self.missing.append(key)
        return usual


def infer_config(state: State, clip_dim: int | None = None) -> SegmenterConfig:
    """Infer the `SegmenterConfig` of a state dict with the keys of a MaskFormer (`backbone.*`,
    `sem_seg_head.*`).

    clip_dim: needed only where the file has a fixed class layer in place of the embedding MLP.
    UserError lists every missing weight.
    """
    shapes = _Shapes(state)
    try:
        config = _config(shapes, clip_dim)
    except ValueError as error:
        if not shapes.missing:
            raise
        raise UserError(_are_missing(shapes.missing)) from error
    if shapes.missing:
        whole = MaskFormer(config).state_dict()
        raise UserError(_are_missing([key for key in whole if key not in state]))
    return config


def _config(shapes: _Shapes, clip_dim: int | None) -> SegmenterConfig:
    state, predictor = shapes.state, f"{HEAD}predictor."
    decoder, mlp = f"{predictor}transformer.decoder.layers.", f"{predictor}class_embed.layers."
    projected, classes = _has(state, f"{predictor}input_proj."), _count(state, mlp)
    mask_dim, conv_dim, *_ = shapes.of(
        f"{HEAD}pixel_decoder.mask_features.weight", USUAL["mask_dim"], USUAL["conv_dim"]
    )
    queries, hidden = shapes.of(
        f"{predictor}query_embed.weight", USUAL["queries"], USUAL["hidden_dim"]
    )
    feedforward, _ = shapes.of(f"{decoder}0.linear1.weight", USUAL["feedforward"], hidden)
    backbone = _swin(shapes) if _has(state, "backbone.patch_embed.") else _resnet(shapes)
    channels = dict(zip(FEATURES, _channels(backbone), strict=True))
    memory = hidden
    if projected:
        _, memory, *_ = shapes.of(f"{predictor}input_proj.weight", hidden, channels[FEATURES[-1]])
    at = [name for name in FEATURES if channels[name] == memory]
    if not at:
        raise UserError(f"the transformer reads {memory} channels, no feature of {channels} does")
    head: dict[str, Any] = {}
    if classes:
        width = _width(state, USUAL["clip_dim"], NO_OBJECT)
        class_hidden, _ = shapes.of(f"{mlp}0.weight", USUAL["class_hidden"], hidden)
        clip_dim, _ = shapes.of(f"{mlp}{classes - 1}.weight", width, class_hidden)
        head = {"class_layers": classes, "class_hidden": class_hidden}
    elif clip_dim is None:
        raise UserError(
            f"{mlp}* is missing: a MaskFormer with a fixed class layer, "
            "name the width of the CLIP it shall go with"
        )
    return SegmenterConfig(
        backbone=backbone,
        clip_dim=clip_dim,
        conv_dim=conv_dim,
        mask_dim=mask_dim,
        hidden_dim=hidden,
        heads=PUBLISHED_HEADS,
        feedforward=feedforward,
        decoder_layers=_count(state, decoder) or USUAL["decoder_layers"],
        queries=queries,
        enforce_input_proj=projected and memory == hidden,
        memory_feature=at[-1],
        **head,
    )


def _swin(shapes: _Shapes) -> SwinConfig:
    state, usual = shapes.state, SwinConfig()
    block, size = "backbone.layers.{}.blocks.0.", usual.patch_size
    width, _, patch, _ = shapes.of(
        "backbone.patch_embed.proj.weight",
        _width(
            state, usual.embed_dim, "backbone.patch_embed.proj.bias", f"{block.format(0)}norm1.bias"
        ),
        3,
        size,
        size,
    )
    hidden, _ = shapes.of(f"{block.format(0)}mlp.fc1.weight", round(usual.mlp_ratio * width), width)
    tables = [
        shapes.of(
            f"{block.format(i)}attn.relative_position_bias_table",
            (2 * usual.window - 1) ** 2,
            usual.heads[i],
        )
        for i in range(len(FEATURES))
    ]
    return SwinConfig(
        embed_dim=width,
        patch_size=patch,
        depths=_four([_count(state, f"backbone.layers.{i}.blocks.") for i in range(len(FEATURES))]),
        heads=_four([heads for _, heads in tables]),
        window=(isqrt(tables[0][0]) + 1) // 2,
        mlp_ratio=hidden / width,
        qkv_bias=any(key.endswith(".attn.qkv.bias") for key in state),
        absolute_position="backbone.absolute_pos_embed" in state,
        patch_norm=_has(state, "backbone.patch_embed.norm."),
    )


def _four(of_stages: Sequence[int]) -> tuple[int, int, int, int]:
    first, second, third, fourth = of_stages
    return first, second, third, fourth


def _resnet(shapes: _Shapes) -> ResNetConfig:
    state, usual = shapes.state, ResNetConfig()
    counts = tuple(_count(state, f"backbone.{feature}.") for feature in FEATURES)
    bottleneck = any(re.match(r"backbone\.res\d\.\d+\.conv3\.", key) for key in state)
    depths = [d for d, blocks in BLOCKS.items() if blocks == counts and (d >= 50) == bottleneck]
    if not depths:
        raise UserError(
            f"no ResNet or Swin here has {counts} blocks in backbone.res2 .. res5 (and nothing of "
            "a Swin, backbone.patch_embed.*, is there)"
        )
    deeplab = _has(state, "backbone.stem.conv3.")
    stem, *_ = shapes.of(
        f"backbone.stem.{'conv3' if deeplab else 'conv1'}.weight",
        _reads(state, "backbone.res2.0.conv1.weight", usual.stem_channels),
    )
    narrow = usual.bottleneck_channels if bottleneck else usual.res2_channels
    inner, per_group, *_ = shapes.of("backbone.res2.0.conv2.weight", narrow, narrow)
    outer, *_ = shapes.of(
        f"backbone.res2.0.{'conv3' if bottleneck else 'conv2'}.weight",
        _reads(state, "backbone.res3.0.conv1.weight", usual.res2_channels),
    )
    groups = inner // per_group
    ends = {key.rpartition(".")[2] for key in state if key.startswith("backbone.")}
    kind: Literal["BN", "FrozenBN"] = "BN" if "num_batches_tracked" in ends else "FrozenBN"
    return ResNetConfig(
        depth=depths[0],
        stem="deeplab" if deeplab else "basic",
        stem_channels=stem,
        res2_channels=outer,
        bottleneck_channels=inner // groups if bottleneck else 64,
        groups=groups if bottleneck else 1,
        norm=kind if "running_mean" in ends else "GN",
        res5_multi_grid=(1, 2, 4) if deeplab else None,
    )


def _channels(backbone: ResNetConfig | SwinConfig) -> list[int]:
    width = backbone.embed_dim if isinstance(backbone, SwinConfig) else backbone.res2_channels
    return [width * 2**level for level in range(len(FEATURES))]


def _reads(state: State, convolution: str, usual: int) -> int:
    """Return the input channels of a convolution: the output channels of the one before it."""
    return state[convolution].shape[1] if convolution in state else usual


def _width(state: State, usual: int, *keys: str) -> int:
    """Return the last dimension of the first of these weights that exists."""
    there = [state[key].shape[-1] for key in keys if key in state and state[key].ndim]
    return there[0] if there else usual


def _has(state: State, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in state)


def _count(state: State, prefix: str) -> int:
    """Return one more than the highest number that follows `prefix`, 0 if none does."""
    start = len(prefix)
    numbers = [key[start:].partition(".")[0] for key in state if key.startswith(prefix)]
    return 1 + max((int(n) for n in numbers if re.fullmatch("[0-9]{1,9}", n)), default=-1)


def _are_missing(keys: list[str]) -> str:
    are = "is" if len(keys) == 1 else "are"
    return f"{', '.join(keys)} {are} missing: not the weights of a MaskFormer"
