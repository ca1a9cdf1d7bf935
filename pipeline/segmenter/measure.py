"""Mask recall of a segmenter on held-out pictures with instance ground truth.

A ground-truth mask joins all objects of a category in a picture, since the segmenter learns one
mask per class (paper section 3.1).
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.instances import TrueMasks
from pipeline.data.pictures import read_pictures
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.masks import MaskChoice
from pipeline.maskformer.propose import propose, resize_input
from pipeline.segmenter.data import STAGE
from pipeline.segmenter.params import SegmenterMeasure
from pipeline.segmenter.recall import best_overlaps, recall

BATCH = 8


@torch.inference_mode()
def measure_recall(
    segmenter: MaskFormer,
    root: Path,
    records: Sequence[ImageRecord],
    truth: TrueMasks,
    closed: Collection[str],
    settings: SegmenterMeasure,
    rejects: list[Reject],
) -> dict[str, float | int | None]:
    """Measure the recall of all masks in `truth` by the proposed masks, see `recall`.

    Masks are compared at the size that the segmenter sees. closed: names of the trained classes.
    Unreadable pictures, pictures whose ground truth has another size, and invalid entries of the
    ground truth are left out and appended to `rejects`.
    """
    rejects += truth.rejects
    overlaps: list[float] = []
    inside: list[bool] = []
    choice = MaskChoice(settings.mask_layers, settings.max_masks)
    for start in track(range(0, len(records), BATCH), -(-len(records) // BATCH), "mask recall"):
        images, expected = [], []
        for record, image in read_pictures(root, records[start : start + BATCH], STAGE, rejects):
            try:
                masks = truth.of(record.image_id, image.shape[:2])
            except UserError as error:
                rejects.append(Reject(STAGE, record.path, "unusable instances", str(error)))
                continue
            images.append(resize_input(image, settings.short_side, settings.long_side))
            expected.append(masks)
        proposed = propose(segmenter, images, choice=choice)
        for found, masks in zip(proposed, expected, strict=True):
            proposals = (found.masks > settings.mask_threshold).cpu().numpy()
            truths = _resized(list(masks.values()), proposals.shape[1:])
            overlaps += best_overlaps(proposals, truths).tolist()
            inside += [name in closed for name in masks]
    return recall(overlaps, inside, settings.iou_threshold)


def _resized(masks: list[np.ndarray], hw: tuple[int, int]) -> np.ndarray:
    """Resize masks of one size to (N,*hw) bool by nearest neighbours; N may be 0."""
    if not masks:
        return np.zeros((0, *hw), bool)
    stack = torch.from_numpy(np.stack(masks))[:, None].float()
    return torch.nn.functional.interpolate(stack, hw, mode="nearest")[:, 0].numpy() > 0.5
