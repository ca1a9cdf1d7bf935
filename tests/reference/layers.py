"""Layers and resizing. Shapes are (..., channels) for tokens, (B, C, H, W) for maps."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

State = dict[str, Tensor]


def linear(x: Tensor, w: State, name: str) -> Tensor:
    y = x @ w[f"{name}.weight"].T
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def layer_norm(x: Tensor, w: State, name: str) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def group_norm(x: Tensor, w: State, name: str, groups: int = 32) -> Tensor:
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, groups, -1)
    centred = parts - parts.mean(-1, keepdim=True)
    unit = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    scale, shift = (w[f"{name}.{key}"].view(-1, 1, 1) for key in ("weight", "bias"))
    return unit.reshape(batch, channels, height, width) * scale + shift


def convolution(x: Tensor, w: State, name: str, stride: int = 1, padding: int = 0) -> Tensor:
    return conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), stride, padding)


def softmax(x: Tensor) -> Tensor:
    powers = (x - x.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


def unit(x: Tensor) -> Tensor:
    return x / x.square().sum(-1, keepdim=True).sqrt()


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def gelu(x: Tensor) -> Tensor:
    return x * (1 + (x / math.sqrt(2)).erf()) / 2


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's activation (convention 5)."""
    return x * sigmoid(1.702 * x)


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, added: Tensor | None = None) -> Tensor:
    """q (N, C), k and v (M, C) -> (N, C), head by head. added: (heads, N, M), onto the scores."""
    width, answers = q.shape[-1] // heads, []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = q[:, part] @ k[:, part].T / math.sqrt(width)
        if added is not None:
            scores = scores + added[head]
        answers.append(softmax(scores) @ v[:, part])
    return torch.cat(answers, dim=-1)


def multihead(
    q: Tensor, k: Tensor, v: Tensor, w: State, name: str, heads: int, added: Tensor | None = None
) -> Tensor:
    """Attention with its projections: the three of the input lie in one matrix."""
    matrices = w[f"{name}.in_proj_weight"].chunk(3)
    shifts = w[f"{name}.in_proj_bias"].chunk(3)
    q, k, v = (x @ m.T + b for x, m, b in zip((q, k, v), matrices, shifts, strict=True))
    return linear(attend(q, k, v, heads, added), w, f"{name}.out_proj")


def resize(x: Tensor, size_hw: tuple[int, int], how: str) -> Tensor:
    """(..., H, W) to (..., *size_hw): "nearest", "bilinear" or "bicubic", corners not aligned and
    never antialiased (conventions 2, 4 and 7)."""
    rows, columns = (
        resizing(old, new, how) for old, new in zip(x.shape[-2:], size_hw, strict=True)
    )
    return rows @ x @ columns.T


def resizing(old: int, new: int, how: str) -> Tensor:
    """(new, old): the share of every old cell in every new one."""
    share = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        if how == "nearest":  # torch multiplies in float32, which decides ties
            at = int(np.float32(i) * (np.float32(old) / np.float32(new)))
            share[i, min(at, old - 1)] = 1
            continue
        at = (i + 0.5) * old / new - 0.5
        if how == "bilinear":
            at = max(at, 0.0)
        first = math.floor(at)
        for cell in range(first - 1, first + 3):
            part = cubic(at - cell) if how == "bicubic" else max(0.0, 1 - abs(at - cell))
            share[i, min(max(cell, 0), old - 1)] += part
    return share


def cubic(distance: float, a: float = -0.75) -> float:
    """Keys' kernel with the constant that torch takes."""
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0
