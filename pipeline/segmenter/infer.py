"""The architecture of a released checkpoint, read off its weights.

A released file holds weights only; its configuration is a yaml file elsewhere. Shapes decide
nearly everything. What no shape tells is taken from the published models: 8 heads, dropout 0.1,
post-norm, res5 multi-grid 1, 2, 4 behind a DeepLab stem, stride in the 3x3 convolutions.

A part is there when any of its keys is, and blocks are counted by the highest number: one weight
that a damaged file lacks is then missed by name, and never makes another architecture.
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
    predictor = f"{HEAD}predictor."
    decoder, mlp = f"{predictor}transformer.decoder.layers.", f"{predictor}class_embed.layers."
    projected, classes = _has(state, f"{predictor}input_proj."), _count(state, mlp)
    features, embedding, linear, projection, *ends = _get(
        state,
        f"{HEAD}pixel_decoder.mask_features.weight",
        f"{predictor}query_embed.weight",
        f"{decoder}0.linear1.weight",
        *([f"{predictor}input_proj.weight"] if projected else [f"{predictor}query_embed.weight"]),
        *([f"{mlp}0.weight", f"{mlp}{classes - 1}.weight"] if classes else []),
    )
    mask_dim, conv_dim = features.shape[:2]
    queries, hidden = embedding.shape
    backbone = _swin(state) if _has(state, "backbone.patch_embed.") else _resnet(state)
    channels = dict(zip(FEATURES, _channels(backbone), strict=True))
    memory = projection.shape[1]
    at = [name for name in FEATURES if channels[name] == memory]
    if not at:
        raise ValueError(f"the transformer reads {memory} channels, no feature of {channels} does")
    head = {}
    if classes:
        first, last = ends
        head = {"class_layers": classes, "class_hidden": first.shape[0]}
        clip_dim = last.shape[0]
    elif clip_dim is None:
        raise ValueError(
            f"{mlp}* is missing: a MaskFormer with a fixed class layer, "
            "name the width of the CLIP it shall go with"
        )
    return SegmenterConfig(
        backbone=backbone,
        clip_dim=clip_dim,
        conv_dim=conv_dim,
        mask_dim=mask_dim,
        hidden_dim=hidden,
        heads=heads,
        feedforward=linear.shape[0],
        decoder_layers=_count(state, decoder),
        queries=queries,
        enforce_input_proj=projected and memory == hidden,
        memory_feature=at[-1],
        **head,
    )


def _swin(state: State) -> SwinConfig:
    first = "backbone.layers.0.blocks.0."
    table = "attn.relative_position_bias_table"
    patches, hidden, *tables = _get(
        state,
        "backbone.patch_embed.proj.weight",
        f"{first}mlp.fc1.weight",
        *(f"backbone.layers.{i}.blocks.0.{table}" for i in range(len(FEATURES))),
    )
    return SwinConfig(
        embed_dim=patches.shape[0],
        patch_size=patches.shape[2],
        depths=tuple(_count(state, f"backbone.layers.{i}.blocks.") for i in range(len(FEATURES))),
        heads=tuple(table.shape[1] for table in tables),
        window=(isqrt(tables[0].shape[0]) + 1) // 2,
        mlp_ratio=hidden.shape[0] / patches.shape[0],
        qkv_bias=any(key.endswith(".attn.qkv.bias") for key in state),
        absolute_position="backbone.absolute_pos_embed" in state,
        patch_norm=_has(state, "backbone.patch_embed.norm."),
    )


def _resnet(state: State) -> ResNetConfig:
    counts = tuple(_count(state, f"backbone.{feature}.") for feature in FEATURES)
    bottleneck = any(re.match(r"backbone\.res\d\.\d+\.conv3\.", key) for key in state)
    depths = [d for d, blocks in BLOCKS.items() if blocks == counts and (d >= 50) == bottleneck]
    if not depths:
        raise ValueError(
            f"no ResNet or Swin here has {counts} blocks in backbone.res2 .. res5 (and nothing of "
            "a Swin, backbone.patch_embed.*, is there)"
        )
    deeplab = _has(state, "backbone.stem.conv3.")
    stem, inner, outer = _get(
        state,
        f"backbone.stem.{'conv3' if deeplab else 'conv1'}.weight",
        "backbone.res2.0.conv2.weight",
        f"backbone.res2.0.{'conv3' if bottleneck else 'conv2'}.weight",
    )
    groups = inner.shape[0] // inner.shape[1]
    ends = {key.rpartition(".")[2] for key in state if key.startswith("backbone.")}
    kind = "BN" if "num_batches_tracked" in ends else "FrozenBN"
    return ResNetConfig(
        depth=depths[0],
        stem="deeplab" if deeplab else "basic",
        stem_channels=stem.shape[0],
        res2_channels=outer.shape[0],
        bottleneck_channels=inner.shape[0] // groups if bottleneck else 64,
        groups=groups if bottleneck else 1,
        norm=kind if "running_mean" in ends else "GN",
        res5_multi_grid=(1, 2, 4) if deeplab else None,
    )


def _channels(backbone: ResNetConfig | SwinConfig) -> list[int]:
    width = backbone.embed_dim if isinstance(backbone, SwinConfig) else backbone.res2_channels
    return [width * 2**level for level in range(len(FEATURES))]


def _has(state: State, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in state)


def _count(state: State, prefix: str) -> int:
    """One more than the highest number that follows `prefix`, 0 when none does."""
    start = len(prefix)
    numbers = [key[start:].partition(".")[0] for key in state if key.startswith(prefix)]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)


def _get(state: State, *keys: str) -> list[Tensor]:
    missing = list(dict.fromkeys(key for key in keys if key not in state))
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise ValueError(f"{', '.join(missing)} {are} missing: not the weights of a MaskFormer")
    return [state[key] for key in keys]
