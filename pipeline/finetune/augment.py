"""What fine-tuning shows of a pair: a random part of the crop, cut out as inference does it."""

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.clip.regions import Fill, region_of_crop
from pipeline.finetune.pair_set import Pair, PairSet


@dataclass(frozen=True)
class Batch:
    """images: (B, 3, S, S) float32 normalised; masks: (B, S, S) bool; noun_ids: (B,) int64."""

    images: Tensor
    masks: Tensor
    noun_ids: Tensor


class RegionSet(Dataset):
    """The pairs as regions. Asked for `(index, draw)`: the augmentation depends on the seed and
    the number of the draw alone, so a resumed or distributed run sees the same."""

    indices: np.ndarray | None = None

    def __init__(
        self,
        pairs: PairSet,
        size: int,
        mean: Tensor,
        std: Tensor,
        fill: Fill,
        min_crop: float,
        seed: int,
    ) -> None:
        """min_crop: least share of the crop's area to show, in (0, 1]; 1 shows all of it."""
        self.pairs, self.size, self.fill = pairs, size, fill
        self.mean, self.std = mean.cpu(), std.cpu()
        self.min_crop, self.seed = min_crop, seed

    def __getitem__(self, where: tuple[int, int]) -> tuple[Tensor, Tensor, int]:
        index, draw = where
        if self.indices is not None:
            index = int(self.indices[index])
        pair = self.pairs[index]
        rng = np.random.default_rng((self.seed, draw))
        part = random_part(pair, self.min_crop, rng)
        return *self.region(part), int(self.pairs.noun_ids[index])

    def only(self, indices: np.ndarray) -> "RegionSet":
        """Return the same set with only these pairs, in this order."""
        part = copy(self)
        part.indices = indices
        return part

    def region(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return a pair as it is: picture (3, S, S) float32, mask (S, S) bool."""
        crop = torch.from_numpy(np.ascontiguousarray(pair.crop)).permute(2, 0, 1)
        mask = torch.from_numpy(np.ascontiguousarray(pair.mask))
        return region_of_crop(crop, mask, self.size, self.mean, self.std, self.fill)


def random_part(pair: Pair, min_crop: float, rng: np.random.Generator) -> Pair:
    """Cut out a random box of the crop, of at least `min_crop` of its area, with a foreground
    pixel.

    The box's shape varies about the crop's own shape. (torchvision's RandomResizedCrop bounds
    the shape itself to 3:4 .. 4:3, which would cut a lamp post in half; regions are squashed to
    a square whatever their shape.)
    """
    height, width = pair.mask.shape
    share = rng.uniform(min_crop, 1.0)
    tall = share ** rng.uniform(0.0, 1.0)  # the sides' shares multiply to `share`
    rows, columns = max(1, round(height * tall)), max(1, round(width * share / tall))
    top = int(rng.integers(0, height - rows + 1))
    left = int(rng.integers(0, width - columns + 1))
    window = np.s_[top : top + rows, left : left + columns]
    if not pair.mask[window].any():
        return pair
    return Pair(pair.crop[window], pair.mask[window])


def stack(samples: list[tuple[Tensor, Tensor, int]]) -> Batch:
    """Stack samples of a RegionSet to one batch."""
    images, masks, noun_ids = zip(*samples, strict=True)
    return Batch(torch.stack(images), torch.stack(masks), torch.tensor(noun_ids))
