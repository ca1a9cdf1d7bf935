"""Candidate masks of a picture, and CLIP's features of their regions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.clip.regions import Fill, prepare_regions
from pipeline.clip.tower import MaskClip
from pipeline.core.precision import autocast, math_attention
from pipeline.core.records import ProposalRecord
from pipeline.data.rle import decode_masks, to_rle

NO_QUERY = -1


@dataclass(frozen=True)
class Candidates:
    """masks: bool (M, H, W), each with a pixel; queries: of the proposals, -1 for ground truth."""

    masks: np.ndarray
    queries: list[int]


def candidates_from_proposals(
    proposals: Sequence[ProposalRecord], height: int, width: int
) -> Candidates:
    """The proposals of one picture, in query order."""
    masks = decode_masks([to_rle(proposal) for proposal in proposals], height, width)
    return Candidates(masks, [proposal.query for proposal in proposals])


def candidates_from_truth(regions: dict[str, np.ndarray], height: int, width: int) -> Candidates:
    """The class regions of a label map: name to mask."""
    masks = np.stack(list(regions.values())) if regions else np.zeros((0, height, width), bool)
    return Candidates(masks, [NO_QUERY] * len(regions))


@dataclass(frozen=True)
class RegionStyle:
    """How a mask becomes a picture for CLIP, see `prepare_regions`."""

    fill: Fill
    expand: float


@dataclass(frozen=True)
class Seen:
    """features: (M, D) float32 numpy, unit norm; boxes_xyxy: (M, 4) int, the crops in pixels."""

    features: np.ndarray
    boxes_xyxy: np.ndarray


@torch.inference_mode()
def see_regions(
    clip: MaskClip,
    pictures: Iterable[tuple[np.ndarray, Candidates]],
    style: RegionStyle,
    batch: int,
    bfloat16: bool,
) -> Iterator[Seen]:
    """What CLIP sees in every region of every picture, picture by picture.

    pictures: uint8 (H, W, 3) with their masks; they are read on until their regions fill a batch,
    and the regions of all of them go through the tower together. The same pictures in the same
    order make the same batches.
    """
    waiting: list[tuple[Tensor, np.ndarray]] = []
    for image, candidates in pictures:
        waiting.append(_cut(clip, image, candidates.masks, style))
        if sum(len(images) for images, _ in waiting) >= batch:
            yield from _see(clip, waiting, batch, bfloat16)
            waiting = []
    yield from _see(clip, waiting, batch, bfloat16)


def _cut(
    clip: MaskClip, image: np.ndarray, masks: np.ndarray, style: RegionStyle
) -> tuple[Tensor, np.ndarray]:
    device = clip.mean.device
    pixels = torch.from_numpy(image).to(device).permute(2, 0, 1)
    regions = prepare_regions(
        pixels, torch.from_numpy(masks).to(device), 0.5, clip.image_size, clip.mean, clip.std,
        fill=style.fill, expand=style.expand,
    )  # fmt: skip
    assert bool(regions.valid.all()), "a candidate mask without a pixel"
    return regions.images, regions.boxes_xyxy.cpu().numpy()


def _see(
    clip: MaskClip, waiting: list[tuple[Tensor, np.ndarray]], batch: int, bfloat16: bool
) -> Iterator[Seen]:
    if not waiting:
        return
    images = torch.cat([images for images, _ in waiting])
    parts = images.tensor_split(max(1, -(-len(images) // batch)))  # of equal size, not one rest
    with autocast(images.device, bfloat16), math_attention():
        features = torch.cat([clip.encode_image(part).float() for part in parts])
    normed = F.normalize(features, dim=-1).cpu().numpy()
    ends = np.cumsum([len(images) for images, _ in waiting])[:-1]
    for part, (_, boxes) in zip(np.split(normed, ends), waiting, strict=True):
        yield Seen(part, boxes)
