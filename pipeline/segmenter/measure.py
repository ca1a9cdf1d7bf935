"""Mask recall of a segmenter on held-out pictures with instance ground truth.

One ground-truth mask is everything of one category in a picture, since the segmenter learns one
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
from pipeline.maskformer.predict import at_test_size, propose
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
    how: SegmenterMeasure,
    rejects: list[Reject],
) -> dict[str, float | int | None]:
    """Recall of everything in `truth` by the proposed masks, see `recall`.

    Compared at the size the segmenter sees. closed: names of the trained classes. Pictures that
    cannot be read, or that their truth does not fit, and entries that are no truth are appended to
    `rejects` and left out.
    """
    rejects += truth.rejects
    overlaps: list[float] = []
    inside: list[bool] = []
    choice = MaskChoice(how.masks_of, how.most_masks)
    for start in track(range(0, len(records), BATCH), -(-len(records) // BATCH), "mask recall"):
        images, wanted = [], []
        for record, image in read_pictures(root, records[start : start + BATCH], STAGE, rejects):
            try:
                masks = truth.of(record.image_id, image.shape[:2])
            except UserError as error:
                rejects.append(Reject(STAGE, record.path, "unusable instances", str(error)))
                continue
            images.append(at_test_size(image, how.short_side, how.long_side))
            wanted.append(masks)
        proposed = propose(segmenter, images, choice=choice)
        for found, masks in zip(proposed, wanted, strict=True):
            proposals = (found.masks > how.mask_threshold).cpu().numpy()
            truths = _resized(list(masks.values()), proposals.shape[1:])
            overlaps += best_overlaps(proposals, truths).tolist()
            inside += [name in closed for name in masks]
    return recall(overlaps, inside, how.overlap)


def _resized(masks: list[np.ndarray], hw: tuple[int, int]) -> np.ndarray:
    """Masks of one size -> (N,*hw) bool by nearest neighbours; N may be 0."""
    if not masks:
        return np.zeros((0, *hw), bool)
    stack = torch.from_numpy(np.stack(masks))[:, None].float()
    return torch.nn.functional.interpolate(stack, hw, mode="nearest")[:, 0].numpy() > 0.5
