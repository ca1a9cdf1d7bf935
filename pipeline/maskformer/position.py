"""Sine position embedding of a feature map, as in DETR (normalised to 0 .. 2 pi)."""

import math

import torch
from torch import Tensor

TEMPERATURE = 10_000


def sine_position(height: int, width: int, dim: int, device: torch.device) -> Tensor:
    """Compute (dim,height,width) float32: the first half of the channels encodes y, the second x.

    Cell i of n has the phase 2 pi (i+1) / n; channels alternate sine and cosine at wavelengths
    that grow geometrically to `TEMPERATURE`. dim must be even, each half may be odd.
    """
    half = dim // 2
    exponent = 2 * (torch.arange(half, device=device) // 2) / half
    wavelength = TEMPERATURE**exponent

    def axis(length: int) -> Tensor:  # (length, half)
        steps = torch.arange(1, length + 1, device=device, dtype=torch.float32)
        phase = steps / (length + 1e-6) * (2 * math.pi)
        angle = phase[:, None] / wavelength
        even = torch.arange(half, device=device) % 2 == 0
        return torch.where(even, angle.sin(), angle.cos())

    y = axis(height)[:, None, :].expand(height, width, half)
    x = axis(width)[None, :, :].expand(height, width, half)
    return torch.cat([y, x], dim=2).permute(2, 0, 1)
