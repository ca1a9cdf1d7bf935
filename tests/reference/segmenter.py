"""MaskFormer over a Swin transformer, on a padded batch (paper, section 3.1)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.reference.clip import count
from tests.reference.layers import (
    State,
    attend,
    convolution,
    gelu,
    group_norm,
    layer_norm,
    linear,
    multihead,
    resize,
    unit,
)

FEATURES = ("res2", "res3", "res4", "res5")


@dataclass
class Layer:
    """What one decoder layer says of a batch: class_embed (B, Q, D), logits (B, Q, K + 1), last
    column no object, masks (B, Q, h, w) logits at a quarter of the padded size."""

    class_embed: Tensor
    logits: Tensor
    masks: Tensor


@dataclass
class Seen:
    """layers: first decoder layer first; features: of the backbone; pixels: (B, E, h, w)."""

    padded_hw: tuple[int, int]
    features: dict[str, Tensor]
    pixels: Tensor
    layers: list[Layer]


def look(images: list[Tensor], text: Tensor, w: State, model: dict) -> Seen:
    """The whole segmenter. images: (3, H, W) in 0..255; text: (K, D); model: the section MODEL of
    the original's configuration."""
    batch = prepared(images, model["PIXEL_MEAN"], model["PIXEL_STD"], 32)
    features = swin(batch, w, model["SWIN"])
    pixels = pixel_decoder(features, w)
    memory = features[model["MASK_FORMER"]["TRANSFORMER_IN_FEATURE"]]
    predictor = "sem_seg_head.predictor"
    if f"{predictor}.input_proj.weight" in w:
        memory = convolution(memory, w, f"{predictor}.input_proj")
    decoded = [decoder(one, w, model["MASK_FORMER"]["NHEADS"]) for one in memory]
    layers = []
    for outputs in zip(*decoded, strict=True):  # of one layer, for every picture
        embed = torch.stack([perceptron(x, w, f"{predictor}.class_embed") for x in outputs])
        masks = [
            torch.einsum("qc,chw->qhw", perceptron(x, w, f"{predictor}.mask_embed"), plane)
            for x, plane in zip(outputs, pixels, strict=True)
        ]
        layers.append(Layer(embed, class_logits(embed, text, w), torch.stack(masks)))
    return Seen(tuple(batch.shape[-2:]), features, pixels, layers)


def prepared(images: list[Tensor], mean: list, std: list, multiple: int) -> Tensor:
    """Convention 1: normalise, then zeros at the bottom and right up to a multiple."""
    height, width = (
        math.ceil(max(image.shape[axis] for image in images) / multiple) * multiple
        for axis in (1, 2)
    )
    batch = torch.zeros(len(images), 3, height, width, dtype=torch.float64)
    for i, image in enumerate(images):
        for channel in range(3):
            plane = (image[channel].double() - mean[channel]) / std[channel]
            batch[i, channel, : image.shape[1], : image.shape[2]] = plane
    return batch


def class_logits(embed: Tensor, text: Tensor, w: State) -> Tensor:
    """100 times the cosine with the class features and with "no object" (convention 5)."""
    nothing = unit(w["clip_adapter.non_object_embedding"])
    return 100 * unit(embed) @ torch.cat([text, nothing]).T


def perceptron(x: Tensor, w: State, name: str) -> Tensor:
    layers = count(w, f"{name}.layers.")
    for i in range(layers):
        x = linear(x, w, f"{name}.layers.{i}")
        if i < layers - 1:
            x = x.clamp(min=0)
    return x


def swin(batch: Tensor, w: State, config: dict) -> dict[str, Tensor]:
    """(B, 3, H, W) -> res2 .. res5, (B, C, H / 4, W / 4) .. (B, 8 C, H / 32, W / 32)."""
    x = convolution(batch, w, "backbone.patch_embed.proj", stride=config["PATCH_SIZE"])
    x = layer_norm(x.permute(0, 2, 3, 1), w, "backbone.patch_embed.norm")  # (B, h, w, C)
    features = {}
    for stage, name in enumerate(FEATURES):
        for block in range(config["DEPTHS"][stage]):
            window = config["WINDOW_SIZE"]
            x = swin_block(
                x, w, f"backbone.layers.{stage}.blocks.{block}", config["NUM_HEADS"][stage],
                window, shift=window // 2 if block % 2 else 0,
            )  # fmt: skip
        features[name] = layer_norm(x, w, f"backbone.norm{stage}").permute(0, 3, 1, 2)
        if stage < len(FEATURES) - 1:
            x = merged(x, w, f"backbone.layers.{stage}.downsample")
    return features


def swin_block(x: Tensor, w: State, name: str, heads: int, window: int, shift: int) -> Tensor:
    """Attention inside windows of the map, moved by `shift`; cells that only moving has brought
    side by side do not see each other. The map is padded with zeros to whole windows first."""
    batch, height, width, channels = x.shape
    high, wide = (math.ceil(side / window) * window for side in (height, width))
    y = torch.zeros(batch, high, wide, channels, dtype=torch.float64)
    y[:, :height, :width] = layer_norm(x, w, f"{name}.norm1")
    rows = [(i + shift) % high for i in range(high)]
    columns = [(i + shift) % wide for i in range(wide)]
    bias = w[f"{name}.attn.relative_position_bias_table"][places(window)].permute(2, 0, 1)
    out = torch.zeros_like(y)
    for one in range(batch):
        for top in range(0, high, window):
            for left in range(0, wide, window):
                cells = [
                    (rows[i], columns[j])
                    for i in range(top, top + window)
                    for j in range(left, left + window)
                ]
                at = ([r for r, _ in cells], [c for _, c in cells])
                added = bias
                if shift:
                    added = bias + strangers(cells, top, left, high, wide, window, shift)
                qkv = linear(y[one][at], w, f"{name}.attn.qkv")
                answer = linear(attend(*qkv.chunk(3, -1), heads, added), w, f"{name}.attn.proj")
                out[one, at[0], at[1]] = answer
    x = x + out[:, :height, :width]
    hidden = gelu(linear(layer_norm(x, w, f"{name}.norm2"), w, f"{name}.mlp.fc1"))
    return x + linear(hidden, w, f"{name}.mlp.fc2")


def places(window: int) -> Tensor:
    """(N, N) rows of the position table: one for every difference of two cells of a window."""
    cells = [(y, x) for y in range(window) for x in range(window)]
    return torch.tensor(
        [
            [(a - c + window - 1) * (2 * window - 1) + b - d + window - 1 for c, d in cells]
            for a, b in cells
        ]
    )


def strangers(
    cells: list, top: int, left: int, high: int, wide: int, window: int, shift: int
) -> Tensor:
    """(N, N): -100 between cells of one window that are no neighbours in the map, else 0. Only
    windows at the end of the moved map hold some: those cells that came from its beginning."""
    wraps_y, wraps_x = top + window == high, left + window == wide
    kind = [(wraps_y and y < shift, wraps_x and x < shift) for y, x in cells]
    return torch.tensor([[0.0 if a == b else -100.0 for b in kind] for a in kind]).double()


def merged(x: Tensor, w: State, name: str) -> Tensor:
    """Four cells of 2 x 2 become one: column by column, then normed and halved in width."""
    x = torch.nn.functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    corners = [x[:, dy::2, dx::2] for dx in (0, 1) for dy in (0, 1)]
    return linear(layer_norm(torch.cat(corners, -1), w, f"{name}.norm"), w, f"{name}.reduction")


def pixel_decoder(features: dict[str, Tensor], w: State) -> Tensor:
    """A feature pyramid, coarse to fine, enlarged by nearest neighbours; (B, E, H / 4, W / 4)."""
    head, y = "sem_seg_head.pixel_decoder", None
    for level in (4, 3, 2, 1):
        x = features[FEATURES[level - 1]]
        if y is not None:
            side = f"{head}.adapter_{level}"
            x = group_norm(convolution(x, w, side), w, f"{side}.norm")
            x = x + resize(y, tuple(x.shape[-2:]), "nearest")
        layer = f"{head}.layer_{level}"
        y = group_norm(convolution(x, w, layer, padding=1), w, f"{layer}.norm").clamp(min=0)
    return convolution(y, w, f"{head}.mask_features", padding=1)


def decoder(memory: Tensor, w: State, heads: int) -> list[Tensor]:
    """(C, h, w) of one picture -> (Q, C) of every layer. Normed after each step; no padding mask
    (convention 1)."""
    name = "sem_seg_head.predictor.transformer.decoder"
    channels, height, width = memory.shape
    place = torch.stack(
        [position(y, x, height, width, channels) for y in range(height) for x in range(width)]
    )
    memory = torch.stack([memory[:, y, x] for y in range(height) for x in range(width)])
    query = w["sem_seg_head.predictor.query_embed.weight"]
    x, outputs = torch.zeros_like(query), []
    for i in range(count(w, f"{name}.layers.")):
        layer = f"{name}.layers.{i}"
        self_key = x + query
        found = multihead(self_key, self_key, x, w, f"{layer}.self_attn", heads)
        x = layer_norm(x + found, w, f"{layer}.norm1")
        found = multihead(x + query, memory + place, memory, w, f"{layer}.multihead_attn", heads)
        x = layer_norm(x + found, w, f"{layer}.norm2")
        hidden = linear(x, w, f"{layer}.linear1").clamp(min=0)
        x = layer_norm(x + linear(hidden, w, f"{layer}.linear2"), w, f"{layer}.norm3")
        outputs.append(layer_norm(x, w, f"{name}.norm"))
    return outputs


def position(y: int, x: int, height: int, width: int, channels: int) -> Tensor:
    """(C,) of a cell: sines and cosines in turn, the first half of y, the second of x."""
    values, half = [], channels // 2
    for index, length in ((y, height), (x, width)):
        phase = (index + 1) / (length + 1e-6) * 2 * math.pi
        for i in range(half):
            angle = phase / 10_000 ** (2 * (i // 2) / half)
            values.append(math.cos(angle) if i % 2 else math.sin(angle))
    return torch.tensor(values, dtype=torch.float64)
