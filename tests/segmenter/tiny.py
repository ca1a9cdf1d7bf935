"""Segmenters, pictures and a data set small enough for tests."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import normalize

from pipeline.core.records import ImageRecord
from pipeline.data.dataset import Dataset
from pipeline.maskformer.config import ResNetConfig, SegmenterConfig, SwinConfig
from pipeline.segmenter.params import LossWeights, SegmenterTraining
from tests.shipped import section

CLIP_DIM = 16
COLOURS = ((250, 20, 20), (20, 20, 250))
WEIGHTS = LossWeights(class_weight=1.0, mask_weight=20.0, dice_weight=1.0, no_object_weight=0.1)
"""The paper's."""


def training(**changes) -> SegmenterTraining:
    """Two steps of two pictures."""
    short = {
        "steps": 2, "batch_size": 2, "learning_rate": 1e-3, "backbone_multiplier": 1.0,
        "weight_decay": 1e-4, "warmup_steps": 1, "max_grad_norm": 1.0, "seed": 0,
        "bfloat16": False, "ignored_as_background": True, "crop": 64, "min_short_side": 64,
        "max_short_side": 64, "long_side": 200, "flip": True, "colour": False,
        "single_category_max_area": 1.0, **dict(WEIGHTS),
    }  # fmt: skip
    return section("segmenter.training", **(short | changes))


def resnet(**changes) -> ResNetConfig:
    small = {"depth": 18, "stem": "basic", "stem_channels": 16, "res2_channels": 16,
             "bottleneck_channels": 8, "res5_multi_grid": None}  # fmt: skip
    return ResNetConfig(**(small | changes))


def swin(**changes) -> SwinConfig:
    small = {"embed_dim": 16, "depths": (1, 1, 2, 1), "heads": (1, 2, 4, 8), "window": 4}
    return SwinConfig(**(small | changes))


def config(**changes) -> SegmenterConfig:
    small = {
        "backbone": resnet(), "clip_dim": CLIP_DIM, "conv_dim": 32, "mask_dim": 24,
        "hidden_dim": 32, "heads": 4, "feedforward": 48, "decoder_layers": 2, "queries": 6,
        "class_hidden": 20,
    }  # fmt: skip
    return SegmenterConfig(**(small | changes))


def text(classes: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return normalize(torch.randn(classes, CLIP_DIM, generator=generator), dim=-1)


def world(root: Path, pictures: int = 8) -> tuple[Dataset, list[ImageRecord]]:
    """Squares of two colours over a green ground (class 2) and unlabelled sky, 70x90."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    records = []
    for i in range(pictures):
        image = rng.integers(0, 60, (70, 90, 3)).astype(np.uint8)
        label = np.full((70, 90), 255, np.uint8)
        image[35:] += np.array([0, 150, 0], np.uint8)
        label[35:] = 2
        y, x = rng.integers(0, 40, 2)
        image[y : y + 28, x : x + 28] = COLOURS[i % 2]
        label[y : y + 28, x : x + 28] = i % 2
        Image.fromarray(image).save(root / f"{i}.png")
        Image.fromarray(label).save(root / f"{i}_label.png")
        records.append(ImageRecord(i, f"{i}.png", 90, 70, [], f"{i}_label.png"))
    return Dataset("toy", root, ["red", "blue", "grass"], [True, False, True]), records
