"""CLIP's towers with mask prompts, and class features (paper, sections 3.1 and 3.3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tests.reference.layers import (
    State,
    convolution,
    layer_norm,
    linear,
    multihead,
    quick_gelu,
    unit,
)

Activation = Callable[[Tensor], Tensor]
TEMPLATES = [
    "a photo of a {}.", "This is a photo of a {}", "There is a {} in the scene",
    "There is the {} in the scene", "a photo of a {} in the scene", "a photo of a small {}.",
    "a photo of a medium {}.", "a photo of a large {}.", "This is a photo of a small {}.",
    "This is a photo of a medium {}.", "This is a photo of a large {}.",
    "There is a small {} in the scene.", "There is a medium {} in the scene.",
    "There is a large {} in the scene.",
]  # fmt: skip


def image_feature(
    picture: Tensor,
    mask: Tensor | None,
    w: State,
    heads: int,
    depth: int,
    activation: Activation = quick_gelu,
) -> Tensor:
    """(D,) of a normalised picture (3, S, S), not of unit norm.

    mask: (S, S) in 0..1; None is CLIP's own tower. depth: how many blocks take prompts. heads is
    part of the configuration (convention 5).
    """
    side = w["visual.conv1.weight"].shape[-1]
    grid = convolution(picture[None], w, "visual.conv1", stride=side)[0]  # (C, h, w)
    tokens = torch.stack(
        [grid[:, y, x] for y in range(grid.shape[1]) for x in range(grid.shape[2])]
    )
    prompts = w["visual.mask_embedding"]
    if mask is not None:
        keep = shown_patches(mask, side)
        tokens = prompted(tokens, keep, prompts[0])
    x = torch.cat([w["visual.class_embedding"][None], tokens]) + w["visual.positional_embedding"]
    x = layer_norm(x, w, "visual.ln_pre")
    for block in range(count(w, "visual.transformer.resblocks.")):
        if mask is not None and 0 < block < depth:
            x = torch.cat([x[:1], prompted(x[1:], keep, prompts[block])])
        x = residual_block(x, w, f"visual.transformer.resblocks.{block}", heads, activation)
    return layer_norm(x[0], w, "visual.ln_post") @ w["visual.proj"]


def shown_patches(mask: Tensor, side: int) -> list[bool]:
    """Row by row, whether a patch shows anything of the object: ceil of its mean."""
    size = mask.shape[-1]
    corners = [(y, x) for y in range(0, size, side) for x in range(0, size, side)]
    return [math.ceil(mask[y : y + side, x : x + side].double().mean()) == 1 for y, x in corners]


def prompted(tokens: Tensor, keep: list[bool], prompts: Tensor) -> Tensor:
    """x*m + P*(1-m), token by token."""
    return torch.stack([tokens[i] if shown else prompts[i] for i, shown in enumerate(keep)])


def residual_block(
    x: Tensor,
    w: State,
    name: str,
    heads: int,
    activation: Activation,
    added: Tensor | None = None,
) -> Tensor:
    y = layer_norm(x, w, f"{name}.ln_1")
    x = x + multihead(y, y, y, w, f"{name}.attn", heads, added)
    y = activation(linear(layer_norm(x, w, f"{name}.ln_2"), w, f"{name}.mlp.c_fc"))
    return x + linear(y, w, f"{name}.mlp.c_proj")


def count(w: State, prefix: str) -> int:
    """How many numbered parts stand under `prefix`."""
    return len({key.removeprefix(prefix).split(".")[0] for key in w if key.startswith(prefix)})


def text_feature(tokens: Tensor, w: State, heads: int) -> Tensor:
    """(D,) of tokens (context,), not of unit norm: read at the end-of-text token, the one with the
    highest id; a token sees none behind it."""
    x = w["token_embedding.weight"][tokens.long()] + w["positional_embedding"]
    future = torch.full((heads, len(x), len(x)), -math.inf, dtype=torch.float64).triu(1)
    for block in range(count(w, "transformer.resblocks.")):
        x = residual_block(x, w, f"transformer.resblocks.{block}", heads, quick_gelu, future)
    return layer_norm(x, w, "ln_final")[tokens.argmax()] @ w["text_projection"]


def class_features(names: list[str], w: State, heads: int, tokenize: Callable) -> Tensor:
    """(K, D): each name in the 14 sentences, normalised, averaged, normalised again."""
    rows = []
    for name in names:
        sentences = tokenize([template.format(name) for template in TEMPLATES])
        features = torch.stack([unit(text_feature(tokens, w, heads)) for tokens in sentences])
        rows.append(unit(features.mean(0)))
    return torch.stack(rows)
