"""Second branch: CLIP looks at each mask, cut out on a flat background, and names it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.clip.regions import Regions, prepare_regions
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import ClipView, Fill
from pipeline.core.errors import UserError
from pipeline.core.modes import Precision
from pipeline.core.precision import in_precision
from pipeline.ovseg.ensemble import cosine_logits

_PAPER = ClipView()
WHOLE_PICTURE = 1e6
"""A box expanded by this factor and clamped is the picture."""


@dataclass(frozen=True)
class RegionStyle:
    """How a mask becomes a picture for CLIP."""

    threshold: float = _PAPER.threshold
    """A pixel belongs to the mask where its probability is above this, 0..1."""
    fill: Fill = _PAPER.fill
    """Background: "mean" (CLIP's mean colour), "zero" (black) or "preserve" (as it is)."""
    expand: float = _PAPER.expand
    """Factor on the sides of the tight box."""
    matting: bool = False
    """Blend by the mask's probability instead of cutting at the threshold."""


def region_style(region: str, fill: Fill, expand: float, threshold: float) -> RegionStyle:
    """The three regions that table "region" compares (ZegFormer's ablation).

    region: "crop" (the box with its background), "mask" (the whole picture, background filled) or
    "crop_and_mask" (the box, background filled). `expand` acts on the box, `fill` on the filled.
    Raises UserError for another region.
    """
    if region == "crop":
        return RegionStyle(threshold, "preserve", expand)
    if region == "mask":
        return RegionStyle(threshold, fill, WHOLE_PICTURE)
    if region == "crop_and_mask":
        return RegionStyle(threshold, fill, expand)
    raise UserError(f"region is {region!r}; expected crop, mask or crop_and_mask")


def cut_regions(clip: MaskClip, image: Tensor, masks: Tensor, style: RegionStyle) -> Regions:
    """Cut `masks` (Q, h, w), 0..1 or bool, out of a picture `(3, h, w)`, RGB 0..255, at `clip`'s
    size."""
    return prepare_regions(
        image.to(masks.device),
        masks,
        style.threshold,
        clip.image_size,
        clip.mean,
        clip.std,
        fill=style.fill,
        expand=style.expand,
        matting=style.matting,
    )


def cuts_alike(a: MaskClip, b: MaskClip) -> bool:
    """True where both CLIPs want regions of the same size and normalisation."""
    return (
        a.image_size == b.image_size and torch.equal(a.mean, b.mean) and torch.equal(a.std, b.std)
    )


@torch.inference_mode()
def region_logits(
    clip: MaskClip,
    regions: list[Regions],
    text_features: Tensor,
    batch: int = 32,
    prompts: bool = True,
    precision: Precision = "float32",
) -> list[Tensor]:
    """CLIP's opinion of every valid region of several pictures: for each, `(V, K)` logits.

    The regions of all pictures go through the tower together, `batch` at a time. The tower's
    mask prompts are used where it has some, unless `prompts` is False. `precision` is the
    tower's. A picture without a valid region gets `(0, K)`.
    """
    images = torch.cat([region.images for region in regions])
    masks = torch.cat([region.masks for region in regions])
    with_prompts = prompts and clip.prompts is not None
    features = []
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        with in_precision(images.device, precision):
            features.append(clip.encode_image(images[part], masks[part] if with_prompts else None))
    if not features:
        return [text_features.new_zeros((0, len(text_features))) for _ in regions]
    logits = cosine_logits(torch.cat(features), text_features)
    return list(logits.split([len(region.images) for region in regions]))
