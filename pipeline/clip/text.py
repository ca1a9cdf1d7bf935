"""Encode class names as text features: the classifier of both branches (paper, section 3.1)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.clip.templates import VILD_TEMPLATES
from pipeline.clip.tower import MaskClip
from pipeline.core.errors import UserError

BARE = ("{}",)
"""The name alone, which fine-tuning uses."""
SENTENCES_A_PASS = 256

__all__ = ["BARE", "VILD_TEMPLATES", "class_features"]


@torch.no_grad()
def class_features(
    clip: MaskClip, names: Sequence[str], templates: Sequence[str] = VILD_TEMPLATES
) -> Tensor:
    """Encode names as `(K, D)` float32 of unit norm, one row per name.

    Every name goes through every template, each sentence's feature is normalised, the mean over
    the templates is normalised again. Duplicate names are encoded once; a sentence
    longer than CLIP's context is cut, keeping the end-of-text token. At most 256 sentences go
    through the tower at once. No names give `(0, D)`. UserError on a template without {}.
    """
    for template in templates:
        if "{}" not in template:
            raise UserError(f"template {template!r} has no {{}} for the class name")
    if not templates:
        raise UserError("no templates: expected at least one, such as '{}'")
    if not names:
        return torch.zeros((0, clip.clip.visual.output_dim), device=clip.mean.device)
    unique = list(dict.fromkeys(names))
    chunk = max(1, SENTENCES_A_PASS // len(templates))
    features = torch.cat(
        [
            _features_of(clip, unique[start : start + chunk], templates)
            for start in range(0, len(unique), chunk)
        ]
    )
    row = {name: i for i, name in enumerate(unique)}
    return features[[row[name] for name in names]]


def _features_of(clip: MaskClip, names: list[str], templates: Sequence[str]) -> Tensor:
    sentences = [template.replace("{}", name) for name in names for template in templates]
    encoded = clip.encode_text(clip.tokenize(sentences).to(clip.mean.device)).float()
    per_template = F.normalize(encoded, dim=-1).view(len(names), len(templates), -1)
    return F.normalize(per_template.mean(dim=1), dim=-1)
