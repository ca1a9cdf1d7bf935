"""The architecture of a released checkpoint, read off its weights.

A released file holds weights only; its configuration is a yaml file elsewhere. Shapes decide
nearly everything. What no shape tells is taken from the published models: 8 heads, dropout 0.1,
post-norm, res5 multi-grid 1, 2, 4 behind a DeepLab stem, stride in the 3x3 convolutions.
"""

import re
from collections.abc import Mapping
from math import isqrt

from torch import Tensor

from pipeline.segmenter.backbones import BLOCKS
from pipeline.segmenter.config import FEATURES, ResNetConfig, SegmenterConfig, SwinConfig

State = Mapping[str, Tensor]
HEAD = "sem_seg_head."
PUBLISHED_HEADS = 8


def infer_config(
    state: State, heads: int = PUBLISHED_HEADS, clip_dim: int | None = None
) -> SegmenterConfig:
    """`SegmenterConfig` of a state dict with the keys of a MaskFormer (`backbone.*`,
    `sem_seg_head.*`).

    heads: attention heads of the transformer decoder. clip_dim: needed only where the file has a
    fixed class layer in place of the embedding MLP. ValueError names what is missing.
    """
    mask_dim, conv_dim = _get(state, f"{HEAD}pixel_decoder.mask_features.weight").shape[:2]
    predictor = f"{HEAD}predictor."
    queries, hidden = _get(state, f"{predictor}query_embed.weight").shape
    decoder = f"{predictor}transformer.decoder.layers"
    backbone = _swin(state) if "backbone.patch_embed.proj.weight" in state else _resnet(state)
    channels = dict(zip(FEATURES, _channels(backbone), strict=True))
    projection = state.get(f"{predictor}input_proj.weight")
    memory = hidden if projection is None else projection.shape[1]
    at = [name for name in FEATURES if channels[name] == memory]
    if not at:
        raise ValueError(f"the transformer reads {memory} channels, no feature of {channels} does")
    classes = _count(state, rf"{re.escape(predictor)}class_embed\.layers\.(\d+)\.weight")
    head = {}
    if classes:
        first = state[f"{predictor}class_embed.layers.0.weight"]
        last = state[f"{predictor}class_embed.layers.{classes - 1}.weight"]
        head = {"class_layers": classes, "class_hidden": first.shape[0]}
        clip_dim = last.shape[0]
    elif clip_dim is None:
        raise ValueError(
            f"{predictor}class_embed.layers is missing: a MaskFormer with a fixed class layer, "
            "name the width of the CLIP it shall go with"
        )
    return SegmenterConfig(
        backbone=backbone,
        clip_dim=clip_dim,
        conv_dim=conv_dim,
        mask_dim=mask_dim,
        hidden_dim=hidden,
        heads=heads,
        feedforward=_get(state, f"{decoder}.0.linear1.weight").shape[0],
        decoder_layers=_count(state, rf"{re.escape(decoder)}\.(\d+)\.norm1\.weight"),
        queries=queries,
        enforce_input_proj=projection is not None and memory == hidden,
        memory_feature=at[-1],
        **head,
    )


def _swin(state: State) -> SwinConfig:
    patches = state["backbone.patch_embed.proj.weight"]
    tables = [
        _get(state, f"backbone.layers.{i}.blocks.0.attn.relative_position_bias_table")
        for i in range(len(FEATURES))
    ]
    first = "backbone.layers.0.blocks.0."
    return SwinConfig(
        embed_dim=patches.shape[0],
        patch_size=patches.shape[2],
        depths=tuple(
            _count(state, rf"backbone\.layers\.{i}\.blocks\.(\d+)\.norm1\.weight")
            for i in range(len(FEATURES))
        ),
        heads=tuple(table.shape[1] for table in tables),
        window=(isqrt(tables[0].shape[0]) + 1) // 2,
        mlp_ratio=_get(state, f"{first}mlp.fc1.weight").shape[0] / patches.shape[0],
        qkv_bias=f"{first}attn.qkv.bias" in state,
        absolute_position="backbone.absolute_pos_embed" in state,
        patch_norm="backbone.patch_embed.norm.weight" in state,
    )


def _resnet(state: State) -> ResNetConfig:
    counts = tuple(_count(state, rf"backbone\.{s}\.(\d+)\.conv1\.weight") for s in FEATURES)
    bottleneck = "backbone.res2.0.conv3.weight" in state
    depths = [d for d, blocks in BLOCKS.items() if blocks == counts and (d >= 50) == bottleneck]
    if not depths:
        raise ValueError(f"no ResNet or Swin here has {counts} blocks in backbone.res2 .. res5")
    deeplab = "backbone.stem.conv3.weight" in state
    stem = _get(state, f"backbone.stem.{'conv3' if deeplab else 'conv1'}.weight")
    inner = _get(state, "backbone.res2.0.conv2.weight")
    outer = inner if not bottleneck else state["backbone.res2.0.conv3.weight"]
    groups = inner.shape[0] // inner.shape[1]
    frozen = "backbone.stem.conv1.norm.num_batches_tracked" not in state
    counted = "backbone.stem.conv1.norm.running_mean" in state
    return ResNetConfig(
        depth=depths[0],
        stem="deeplab" if deeplab else "basic",
        stem_channels=stem.shape[0],
        res2_channels=outer.shape[0],
        bottleneck_channels=inner.shape[0] // groups if bottleneck else 64,
        groups=groups if bottleneck else 1,
        norm=("FrozenBN" if frozen else "BN") if counted else "GN",
        res5_multi_grid=(1, 2, 4) if deeplab else None,
    )


def _channels(backbone: ResNetConfig | SwinConfig) -> list[int]:
    width = backbone.embed_dim if isinstance(backbone, SwinConfig) else backbone.res2_channels
    return [width * 2**level for level in range(len(FEATURES))]


def _count(state: State, pattern: str) -> int:
    """How many different numbers the first group of `pattern` takes over all keys."""
    return len({found[1] for key in state if (found := re.fullmatch(pattern, key))})


def _get(state: State, key: str) -> Tensor:
    if key not in state:
        raise ValueError(f"{key} is missing: not the weights of a MaskFormer")
    return state[key]
