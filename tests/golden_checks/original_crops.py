"""Mask-category pairs as the original's tools store them: crops whose background is painted over,
with no mask beside.

The original recovers the mask from the paint, and does so after resizing: pixels that resizing
has mixed with the paint then count as foreground. Our own pairs carry their masks.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

FILL_RGB = (124, 116, 103)


def recovered_mask(crop: np.ndarray, fill_rgb: tuple[int, int, int] = FILL_RGB) -> np.ndarray:
    """Foreground of a painted crop: uint8 `(h, w, 3)` RGB to bool `(h, w)`, false where all three
    channels have the paint's colour."""
    return (crop != np.array(fill_rgb, np.uint8)).any(axis=2)


def original_view(
    crop: np.ndarray,
    size: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    fill_rgb: tuple[int, int, int] = FILL_RGB,
) -> tuple[Tensor, Tensor]:
    """A painted crop as the original validates on it: shorter side resized to `size` (bicubic
    with antialiasing), centre cut out, mask recovered, normalised.

    crop: uint8 `(h, w, 3)`. Returns the picture `(3, size, size)` float32 and the mask
    `(size, size)` bool.
    """
    bicubic = transforms.InterpolationMode.BICUBIC
    resized = transforms.resize(Image.fromarray(crop), [size], interpolation=bicubic)
    pixels = np.array(transforms.center_crop(resized, [size, size]))
    mask = torch.from_numpy(recovered_mask(pixels, fill_rgb))
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    return (image - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1), mask
