"""Training samples: one mask per class present in a picture (MaskFormer on semantic labels).

Pictures are scaled, cropped, flipped and recoloured with detectron2's augmentations, as in the
original. The random numbers of a draw depend only on the seed and its position in the run, so that
a resumed run sees what an uninterrupted one would have seen.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.data import transforms as T
from detectron2.projects.point_rend.color_augmentation import ColorAugSSDTransform
from torch import Tensor

from pipeline.core.errors import UserError
from pipeline.core.records import ImageRecord, Reject
from pipeline.data.dataset import Dataset
from pipeline.data.images import read_image
from pipeline.segmenter.matcher import Target
from pipeline.segmenter.params import Augmentation

STAGE = "segmenter"


@dataclass(frozen=True)
class TrainingSample:
    """image: (3,H,W) uint8 RGB; target: its masks; rejects: pictures skipped before it."""

    image: Tensor
    target: Target
    rejects: tuple[Reject, ...] = ()


class TrainingSet(torch.utils.data.Dataset):
    """Indexed by `(index, draw)`: which picture, and which draw of the whole run it is."""

    def __init__(
        self,
        dataset: Dataset,
        records: Sequence[ImageRecord],
        class_ids: Sequence[int],
        augmentation: Augmentation,
        seed: int,
        ignored_as_background: bool,
    ) -> None:
        """
        class_ids: the trained classes; their order is that of the text features. All other label
            values are ignored pixels.
        ignored_as_background: ignored pixels are background to every mask, as in the original;
            otherwise the mask losses leave them out.
        """
        self.dataset = dataset
        self.records = [record for record in records if record.label_path is not None]
        if not self.records:
            raise UserError(
                f"{dataset.root}: none of {len(records)} training pictures has a label map, and "
                "the segmenter learns from them. COCO's belong in stuffthingmaps/train2017 (see "
                "`ovseg check` for the source), those of your own folder in masks/. The stages "
                "nouns and base_clip run without; with segmenter.source: checkpoint all do"
            )
        self.class_ids = class_ids
        self.augmentation = augmentation
        self.seed = seed
        self.ignored_as_background = ignored_as_background

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: tuple[int, int]) -> TrainingSample:
        """Return the augmented picture; an unreadable one is replaced by the next readable one."""
        index, draw = place
        rejects = []
        for step in range(len(self.records)):
            record = self.records[(index + step) % len(self.records)]
            try:
                image = read_image(self.dataset.root / record.path)
                label = self.dataset.read_label(record)
                assert label is not None, "records without a label map are no training pictures"
                if label.shape != image.shape[:2]:
                    raise UserError(f"label map {label.shape}, picture {image.shape[:2]}")
            except UserError as error:
                rejects.append(Reject(STAGE, record.path, "unreadable", str(error)))
                continue
            with seeded(self.seed, draw):
                image, label = augment(image, label, self.augmentation, self.dataset.ignore_label)
            return TrainingSample(
                torch.from_numpy(image.transpose(2, 0, 1).copy()),
                to_target(torch.from_numpy(label), self.class_ids, self.ignored_as_background),
                tuple(rejects),
            )
        raise UserError(
            f"{self.dataset.root}: none of {len(self.records)} training pictures can be read, "
            f"the last because {rejects[-1].detail}"
        )


def augment(
    image: np.ndarray, label: np.ndarray, augmentation: Augmentation, ignore_label: int
) -> tuple[np.ndarray, np.ndarray]:
    """Augment (H,W,3) uint8 and (H,W) int labels -> a crop of both, at most (crop, crop).

    Draws from NumPy's and Python's global generators, as detectron2's augmentations do.
    """
    steps: list = [
        T.ResizeShortestEdge(
            (augmentation.min_short_side, augmentation.max_short_side),
            augmentation.long_side,
            "range",
        ),
        T.RandomCrop_CategoryAreaConstraint(
            "absolute",
            (augmentation.crop, augmentation.crop),
            augmentation.single_category_max_area,
            ignore_label,
        ),
    ]
    if augmentation.colour:
        steps.append(ColorAugSSDTransform(img_format="RGB"))
    if augmentation.flip:
        steps.append(T.RandomFlip())
    drawn = T.AugInput(image, sem_seg=label.astype(np.float32))  # detectron2 cannot resize int
    T.AugmentationList(steps)(drawn)
    return drawn.image, drawn.sem_seg.astype(np.int64)


def to_target(label: Tensor, class_ids: Sequence[int], ignored_as_background: bool) -> Target:
    """Turn a label map (H,W) int64 into one mask per trained class that is present, in class
    order."""
    present = set(label.unique().tolist())
    found = [(place, value) for place, value in enumerate(class_ids) if value in present]
    values = torch.tensor([value for _, value in found], dtype=label.dtype)
    masks = label[None] == values[:, None, None]
    return Target(
        labels=torch.tensor([place for place, _ in found], dtype=torch.int64),
        masks=masks,
        counted=None if ignored_as_background else masks.any(0),
    )


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed NumPy's and Python's global generators by `numbers` inside; restore them afterwards."""
    state = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    numpy_before, python_before = np.random.get_state(), random.getstate()
    np.random.seed(state)
    random.seed(state)
    try:
        yield
    finally:
        np.random.set_state(numpy_before)
        random.setstate(python_before)
