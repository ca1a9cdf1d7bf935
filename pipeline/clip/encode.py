"""From masks to CLIP features: the one path for pairs, training, evaluation and `OVSeg`.

Encoding regions has three steps; another way of encoding changes the step that differs:

1. `cut_regions` (pipeline/clip/regions.py): picture and masks to the tower's input. What it shows
   is set by a `RegionView`; a new option is a field there, read here.
2. `encode_cut`: the tower, with the mask prompts where the view uses them, in the view's precision.
   Training calls it with gradients, on regions that its loader has cut.
3. `encode_regions`: batches over the regions of many pictures. Neither the size of a batch nor what
   shares it changes a feature by more than rounding.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.clip.regions import Regions, cut_regions
from pipeline.clip.tower import MaskClip
from pipeline.clip.view import RegionView
from pipeline.core.precision import in_precision

Masked = tuple[Tensor, Tensor]
"""A picture, RGB 0..255 `(3, H, W)`, uint8 or float, with its masks `(Q, H, W)`, bool or 0..1."""


@dataclass(frozen=True)
class RegionFeatures:
    """CLIP's features of the Q masks of one picture, of which V have a foreground pixel."""

    valid: Tensor
    """bool `(Q,)`: masks with a pixel above the view's threshold."""
    boxes_xyxy: Tensor
    """int64 `(V, 4)`: the crops in pixels, x2 and y2 exclusive."""
    features: Tensor
    """float32 `(V, D)`, unit norm."""


def encode_cut(clip: nn.Module, images: Tensor, masks: Tensor, view: RegionView) -> Tensor:
    """Encode `(B, D)` float32 features, unit norm, of regions that are cut out already.

    clip: a `MaskClip`, or one that is spread over processes. images: `(B, 3, S, S)` normalised;
    masks: `(B, S, S)` bool. Gradients flow.
    """
    with in_precision(images.device, view.precision):
        features = clip(images, masks if view.prompts else None)
    return F.normalize(features.float(), dim=-1)


@torch.inference_mode()
def encode_regions(
    clip: MaskClip, pictures: Iterable[Masked], view: RegionView, batch: int = 32
) -> Iterator[RegionFeatures]:
    """Encode every mask of every picture, picture by picture, as `view` sets it.

    pictures: read on until their regions fill a batch; the regions of all of them go through the
    tower together, at most `batch` at a time. UserError where a mask is not of its picture's size.
    """
    for found in encode_regions_by({"": clip}, pictures, view, batch):
        yield found[""]


@torch.inference_mode()
def encode_regions_by(
    clips: Mapping[str, MaskClip], pictures: Iterable[Masked], view: RegionView, batch: int = 32
) -> Iterator[dict[str, RegionFeatures]]:
    """Like `encode_regions` for several CLIPs, by name. Those whose regions have the same size
    and normalisation share the cutting."""
    alike = _alike(clips)
    waiting: list[dict[str, Regions]] = []
    count = 0
    for picture, masks in pictures:
        cut = {}
        for group in alike:
            clip = clips[group[0]]
            cut[group[0]] = cut_regions(
                picture.to(clip.mean.device), masks.to(clip.mean.device), view,
                clip.image_size, clip.mean, clip.std,
            )  # fmt: skip
        waiting.append(cut)
        count += len(next(iter(cut.values())).images)
        if count >= batch:
            yield from _encode(clips, alike, waiting, view, batch)
            waiting, count = [], 0
    yield from _encode(clips, alike, waiting, view, batch)


def _encode(
    clips: Mapping[str, MaskClip],
    alike: list[list[str]],
    waiting: list[dict[str, Regions]],
    view: RegionView,
    batch: int,
) -> Iterator[dict[str, RegionFeatures]]:
    """Yield the features of all regions that wait, in parts of equal size: no small rest."""
    if not waiting:
        return
    found: list[dict[str, RegionFeatures]] = [{} for _ in waiting]
    for group in alike:
        regions = [cut[group[0]] for cut in waiting]
        images = torch.cat([region.images for region in regions])
        masks = torch.cat([region.masks for region in regions])
        parts = max(1, -(-len(images) // batch))
        counts = [len(region.images) for region in regions]
        for name in group:
            encoded = [
                encode_cut(clips[name], *part, view)
                for part in zip(images.tensor_split(parts), masks.tensor_split(parts), strict=True)
            ]
            for place, region, features in zip(
                found, regions, torch.cat(encoded).split(counts), strict=True
            ):
                place[name] = RegionFeatures(region.valid, region.boxes_xyxy, features)
    yield from found


def _alike(clips: Mapping[str, MaskClip]) -> list[list[str]]:
    """Group the names of CLIPs whose regions are cut alike, so that each region is cut once."""
    groups: list[list[str]] = []
    for name, clip in clips.items():
        for group in groups:
            if _cuts_alike(clips[group[0]], clip):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups


def _cuts_alike(a: MaskClip, b: MaskClip) -> bool:
    return (
        a.image_size == b.image_size and torch.equal(a.mean, b.mean) and torch.equal(a.std, b.std)
    )
