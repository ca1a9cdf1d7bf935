"""Random weights of tiny models under the keys of released checkpoints.

They are multiples of 1/128, so that float32 holds them exactly and files of them stay small.
"""

import math

import numpy as np
import torch

from tests.reference.layers import State

SIDE = 48
CLIP = {
    "embed_dim": 24, "image_resolution": SIDE, "vision_layers": 3, "vision_width": 32,
    "vision_patch_size": 12, "mask_prompt_depth": 2, "context_length": 32, "vocab_size": 49408,
    "transformer_width": 16, "transformer_heads": 2, "transformer_layers": 1, "vision_heads": 4,
}  # fmt: skip
TOWER = {"image_resolution": SIDE, "patch": 8, "width": 24, "layers": 2, "heads": 3,
         "embed_dim": 20, "mask_prompt_depth": 1}  # fmt: skip
MODEL = {
    "PIXEL_MEAN": [100.0, 110.0, 120.0], "PIXEL_STD": [50.0, 60.0, 70.0],
    "BACKBONE": {"NAME": "D2SwinTransformer", "FREEZE_AT": 0},
    "SEM_SEG_HEAD": {
        "IN_FEATURES": ["res2", "res3", "res4", "res5"], "CONVS_DIM": 32, "NORM": "GN",
        "MASK_DIM": 16, "TRANSFORMER_ENC_LAYERS": 0, "PIXEL_DECODER_NAME": "BasePixelDecoder",
        "EMBEDDING_DIM": 24, "EMBED_HIDDEN_DIM": 20, "EMBED_LAYERS": 3,
    },
    "MASK_FORMER": {
        "NHEADS": 4, "DROPOUT": 0.0, "DIM_FEEDFORWARD": 40, "ENC_LAYERS": 0, "DEC_LAYERS": 2,
        "PRE_NORM": False, "HIDDEN_DIM": 24, "NUM_OBJECT_QUERIES": 7, "SIZE_DIVISIBILITY": 32,
        "TRANSFORMER_IN_FEATURE": "res4", "ENFORCE_INPUT_PROJ": True,
    },
    "SWIN": {
        "PRETRAIN_IMG_SIZE": 64, "PATCH_SIZE": 4, "EMBED_DIM": 8, "DEPTHS": [2, 1, 1, 1],
        "NUM_HEADS": [1, 2, 2, 4], "WINDOW_SIZE": 4, "MLP_RATIO": 2.0, "QKV_BIAS": True,
        "QK_SCALE": None, "DROP_RATE": 0.0, "ATTN_DROP_RATE": 0.0, "DROP_PATH_RATE": 0.0,
        "APE": False, "PATCH_NORM": True,
    },
}  # fmt: skip
GAINS = {"query_embed.weight": 4.0, "mask_features.weight": 0.25}
"""So that queries differ, and some masks stay empty."""
Shapes = dict[str, tuple[int, ...]]


def drawn(shapes: Shapes, random: np.random.RandomState) -> State:
    """Matrices that keep the size of what goes through them, norms around 1, small shifts."""
    w = {}
    for key, shape in shapes.items():
        values = random.standard_normal(shape)
        if len(shape) > 1:
            inputs = math.prod(shape[1:])
            embedding = "embed" in key and not key.endswith("layers.0.weight") and len(shape) < 4
            values = values * (0.7 if embedding else 1.3 / math.sqrt(inputs))
        elif key.endswith("weight"):
            values = 1 + 0.2 * values
        else:
            values = 0.2 * values
        values = values * GAINS.get(".".join(key.split(".")[-2:]), 1.0)
        w[key] = torch.tensor(np.round(values * 128) / 128)
    return w


def image_tower(width: int, patch: int, layers: int, depth: int, embed_dim: int) -> Shapes:
    patches = (SIDE // patch) ** 2
    return {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (patches + 1, width),
        "visual.proj": (width, embed_dim),
        "visual.mask_embedding": (depth, patches, width),
        "visual.conv1.weight": (width, 3, patch, patch),
        **norm("visual.ln_pre", width),
        **norm("visual.ln_post", width),
        **blocks("visual.transformer.resblocks", layers, width),
    }


def text_tower(config: dict) -> Shapes:
    """Without the token embedding, of which few rows are read."""
    width = config["transformer_width"]
    return {
        "positional_embedding": (config["context_length"], width),
        "text_projection": (width, config["embed_dim"]),
        "logit_scale": (),
        **norm("ln_final", width),
        **blocks("transformer.resblocks", config["transformer_layers"], width),
    }


def blocks(name: str, layers: int, width: int) -> Shapes:
    shapes = {}
    for i in range(layers):
        block = f"{name}.{i}"
        shapes |= norm(f"{block}.ln_1", width) | norm(f"{block}.ln_2", width)
        shapes |= attention(f"{block}.attn", width)
        shapes |= dense(f"{block}.mlp.c_fc", width, 4 * width)
        shapes |= dense(f"{block}.mlp.c_proj", 4 * width, width)
    return shapes


def segmenter(model: dict) -> Shapes:
    swin, head, former = model["SWIN"], model["SEM_SEG_HEAD"], model["MASK_FORMER"]
    first, patch, window = swin["EMBED_DIM"], swin["PATCH_SIZE"], swin["WINDOW_SIZE"]
    shapes = {
        "backbone.patch_embed.proj.weight": (first, 3, patch, patch),
        "backbone.patch_embed.proj.bias": (first,),
        **norm("backbone.patch_embed.norm", first),
    }
    widths = [first * 2**stage for stage in range(4)]
    for stage, width in enumerate(widths):
        hidden = int(width * swin["MLP_RATIO"])
        for i in range(swin["DEPTHS"][stage]):
            block = f"backbone.layers.{stage}.blocks.{i}"
            heads = swin["NUM_HEADS"][stage]
            shapes |= norm(f"{block}.norm1", width) | norm(f"{block}.norm2", width)
            shapes[f"{block}.attn.relative_position_bias_table"] = ((2 * window - 1) ** 2, heads)
            shapes |= dense(f"{block}.attn.qkv", width, 3 * width)
            shapes |= dense(f"{block}.attn.proj", width, width)
            shapes |= dense(f"{block}.mlp.fc1", width, hidden)
            shapes |= dense(f"{block}.mlp.fc2", hidden, width)
        if stage < 3:
            merge = f"backbone.layers.{stage}.downsample"
            shapes[f"{merge}.reduction.weight"] = (2 * width, 4 * width)
            shapes |= norm(f"{merge}.norm", 4 * width)
        shapes |= norm(f"backbone.norm{stage}", width)

    name, channels = "sem_seg_head.pixel_decoder", head["CONVS_DIM"]
    for level, width in enumerate(widths, start=1):
        if level < 4:
            shapes[f"{name}.adapter_{level}.weight"] = (channels, width, 1, 1)
            shapes |= norm(f"{name}.adapter_{level}.norm", channels)
            width = channels
        shapes[f"{name}.layer_{level}.weight"] = (channels, width, 3, 3)
        shapes |= norm(f"{name}.layer_{level}.norm", channels)
    shapes[f"{name}.mask_features.weight"] = (head["MASK_DIM"], channels, 3, 3)
    shapes[f"{name}.mask_features.bias"] = (head["MASK_DIM"],)

    name, width = "sem_seg_head.predictor", former["HIDDEN_DIM"]
    for i in range(former["DEC_LAYERS"]):
        layer = f"{name}.transformer.decoder.layers.{i}"
        shapes |= attention(f"{layer}.self_attn", width)
        shapes |= attention(f"{layer}.multihead_attn", width)
        shapes |= dense(f"{layer}.linear1", width, former["DIM_FEEDFORWARD"])
        shapes |= dense(f"{layer}.linear2", former["DIM_FEEDFORWARD"], width)
        for step in (1, 2, 3):
            shapes |= norm(f"{layer}.norm{step}", width)
    shapes |= norm(f"{name}.transformer.decoder.norm", width)
    shapes[f"{name}.query_embed.weight"] = (former["NUM_OBJECT_QUERIES"], width)
    memory = widths[int(former["TRANSFORMER_IN_FEATURE"][-1]) - 2]
    shapes[f"{name}.input_proj.weight"] = (width, memory, 1, 1)
    shapes[f"{name}.input_proj.bias"] = (width,)
    shapes |= perceptron(f"{name}.mask_embed", [width, width, width, head["MASK_DIM"]])
    inner = [head["EMBED_HIDDEN_DIM"]] * (head["EMBED_LAYERS"] - 1)
    shapes |= perceptron(f"{name}.class_embed", [width, *inner, head["EMBEDDING_DIM"]])
    return shapes | {"clip_adapter.non_object_embedding": (1, head["EMBEDDING_DIM"])}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def dense(name: str, width: int, out: int) -> Shapes:
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}


def attention(name: str, width: int) -> Shapes:
    return {
        f"{name}.in_proj_weight": (3 * width, width),
        f"{name}.in_proj_bias": (3 * width,),
        **dense(f"{name}.out_proj", width, width),
    }


def perceptron(name: str, widths: list[int]) -> Shapes:
    shapes = {}
    for i, (width, out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        shapes |= dense(f"{name}.layers.{i}", width, out)
    return shapes
