"""A whole model small enough for tests: random weights, but every real part."""

from dataclasses import dataclass

import torch

from pipeline.clip.store import build_from_config
from pipeline.clip.tower import MaskClip
from pipeline.maskformer.config import ResNetConfig, SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.ovseg import OVSeg
from pipeline.ovseg.predictor import Prediction, Scores

CLIP_DIM = 16


def tiny_segmenter(seed: int = 0, queries: int = 6, clip_dim: int = CLIP_DIM) -> MaskFormer:
    torch.manual_seed(seed)
    config = SegmenterConfig(
        backbone=ResNetConfig(
            depth=18, stem="basic", stem_channels=8, res2_channels=8, res5_multi_grid=None
        ),
        clip_dim=clip_dim, conv_dim=64, mask_dim=16, hidden_dim=16, heads=2, feedforward=32,
        decoder_layers=1, dropout=0.0, queries=queries, class_hidden=16,
    )  # fmt: skip
    return MaskFormer(config).eval()


def tiny_clip(seed: int = 0, prompt_depth: int = 0) -> MaskClip:
    """Text towers are equal for all seeds, as they are where only the image tower is trained."""
    torch.manual_seed(1234)
    clip = build_from_config(
        {
            "embed_dim": CLIP_DIM,
            "quick_gelu": True,
            "vision_cfg": {
                "image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8
            },
            "text_cfg": {
                "context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1
            },
        }
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    for parameter in clip.clip.visual.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.add_(0.2 * noise)
    clip.deepen_prompts(prompt_depth, generator)
    return clip.eval()


@dataclass(frozen=True)
class Seen:
    """A prediction and its scores by some names, as one."""

    prediction: Prediction
    scores: Scores

    @property
    def masks(self) -> torch.Tensor:
        return self.prediction.masks

    @property
    def segmenter(self) -> torch.Tensor:
        return self.scores.segmenter

    @property
    def valid(self) -> torch.Tensor:
        return self.scores.valid

    @property
    def clip(self) -> torch.Tensor:
        return self.scores.clips["clip"]


def look(model: OVSeg, image, names) -> Seen:
    prediction = model.predict(image)
    return Seen(prediction, model.score(prediction, names))
