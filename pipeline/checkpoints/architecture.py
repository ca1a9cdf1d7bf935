"""The architectures of the published segmenters (paper, section 4.1), by name and by their weights.

A released file holds weights only; its configuration is a yaml file elsewhere. A file whose weights
all fit a published architecture has that one. What shapes do not show (attention heads, dropout,
dilation) is then as published. The architecture of any other file must be given.
"""

import warnings
from collections.abc import Mapping
from functools import cache

import torch
from torch import Size, Tensor

from pipeline.checkpoints.layout import CLASS_MLP, NO_OBJECT
from pipeline.core.errors import UserError
from pipeline.maskformer.config import ResNetConfig, SegmenterConfig, SwinConfig
from pipeline.maskformer.maskformer import MaskFormer

PUBLISHED = {
    "R101c": SegmenterConfig(backbone=ResNetConfig(norm="FrozenBN"), clip_dim=512),
    "Swin-B": SegmenterConfig(
        backbone=SwinConfig(embed_dim=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), window=12),
        clip_dim=768,
    ),
}
CHOICES = f"{', '.join(PUBLISHED)}, the original's config.yaml or a segmenter.json"
"""What `--config` may name."""


def recognise(
    state: Mapping[str, Tensor], otherwise: SegmenterConfig | None = None
) -> SegmenterConfig:
    """Return the published architecture that has all its weights in a MaskFormer's state dict.

    The class head does not count: its width is the CLIP's, and a plain MaskFormer has none.
    otherwise: returned if there is none; without it, UserError says how many weights fit each.
    """
    fits = []
    for name, config in PUBLISHED.items():
        own = _shapes(name)
        count = sum(key in state and state[key].shape == shape for key, shape in own.items())
        if count == len(own):
            return config
        fits.append(f"{name}: {count} of {len(own)} weights fit")
    if otherwise is not None:
        return otherwise
    raise UserError(
        f"a segmenter of no published architecture ({', '.join(fits)}); name it with --config: "
        f"{CHOICES}"
    )


@cache
def _shapes(name: str) -> dict[str, Size]:
    """Build the network once, in some seconds and without a trace in the random state, to read the
    shapes of its weights, those of the class head left out."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is only built, not used
        own = MaskFormer(PUBLISHED[name]).state_dict()
    return {
        key: value.shape
        for key, value in own.items()
        if key != NO_OBJECT and not key.startswith(CLASS_MLP)
    }
