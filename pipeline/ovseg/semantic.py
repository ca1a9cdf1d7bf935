"""From mask probabilities and class probabilities to a semantic map (convention 7).

The score of class k at a pixel is the sum over queries of P(k | query) * P(pixel in query), and
scores are resized bilinearly to the size asked for. Resizing is linear, so the Q masks are
resized instead of the K score maps: K may be 847. Both are done in bands of rows, so memory
stays flat in the size of the picture and in the number of classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDING = 1e-3
"""Margin against rounding when classes are ruled out."""

BAND_BYTES = 16 * 2**20
"""Size of the class scores held at once; small enough to stay in a CPU's cache."""


def semantic_scores(
    class_probabilities: Tensor, masks: Tensor, output_hw: tuple[int, int]
) -> Tensor:
    """All class scores at once: `(Q, K)` and `(Q, h, w)` in 0..1 to float32 `(K, H, W)`."""
    height, _ = output_hw
    resized = resize_rows(masks, output_hw, 0, height)
    return torch.einsum("qk,qhw->khw", class_probabilities, resized)


def label_map(class_probabilities: Tensor, masks: Tensor, output_hw: tuple[int, int]) -> Tensor:
    """The best class of each pixel: int64 `(H, W)`, -1 where no class has a score above 0."""
    contest = Contest.between(class_probabilities)
    classes = class_probabilities.shape[1]
    bands = [contest.labels(band) for _, band in mask_bands(masks, output_hw, classes)]
    return torch.cat(bands)


def mask_bands(
    masks: Tensor, output_hw: tuple[int, int], classes: int
) -> Iterator[tuple[slice, Tensor]]:
    """The masks at the output size, a band of rows at a time: (rows, `(Q, rows, W)`)."""
    height, width = output_hw
    rows = max(1, BAND_BYTES // (4 * width * max(classes, masks.shape[0], 1)))
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        yield slice(start, stop), resize_rows(masks, output_hw, start, stop)


@dataclass(frozen=True)
class Contest:
    """The classes that can be best at any pixel at all: usually a few dozen of several hundred.

    Write P(q) for the best probability in row q. At any pixel the winner scores at least
    `max_q mask_q * P(q)`, and class k at most that times `sum_q p(q, k) / P(q)`. Where the sum is
    below 1, class k wins nowhere, and its scores need not be computed.
    """

    ids: Tensor
    """int64 `(M,)`, ascending."""
    probabilities: Tensor
    """float32 `(Q, M)`."""

    @classmethod
    def between(cls, class_probabilities: Tensor) -> "Contest":
        """The contest of `(Q, K)` class probabilities."""
        best = class_probabilities.amax(dim=1, keepdim=True)
        shares = (class_probabilities / best.clamp(min=torch.finfo(best.dtype).tiny)).sum(dim=0)
        ids = (shares > 1 - ROUNDING).nonzero()[:, 0]
        return cls(ids, class_probabilities[:, ids].contiguous())

    def labels(self, masks: Tensor) -> Tensor:
        """The best class of each pixel of `masks` (Q, h, w): int64 `(h, w)`, -1 where all is 0.

        A tie goes to the lower class id, so the result depends on no kernel.
        """
        if not len(self.ids):
            return self.ids.new_full(masks.shape[1:], -1)
        scores = masks.flatten(1).T @ self.probabilities  # (h*w, M)
        if scores.device.type == "cpu":  # numpy's arg-max is several times faster there
            winner = torch.from_numpy(scores.numpy().argmax(axis=1))
        else:
            winner = scores.argmax(dim=1)
        best = scores.gather(1, winner[:, None])[:, 0]
        return self.ids[winner].masked_fill(best <= 0, -1).reshape(masks.shape[1:])


def resize_rows(masks: Tensor, output_hw: tuple[int, int], start: int, stop: int) -> Tensor:
    """Rows `start..stop` of `masks` (Q, h, w) resized bilinearly (align_corners false) to
    `output_hw`: `(Q, stop - start, W)`. The same numbers as resizing the whole."""
    _, height, width = masks.shape
    if (height, width) == tuple(output_hw):
        return masks[:, start:stop]
    above, below, share = _neighbours(height, output_hw[0], masks.device)
    above, below, share = above[start:stop], below[start:stop], share[start:stop, None]
    band = masks[:, above] * (1 - share) + masks[:, below] * share
    left, right, share = _neighbours(width, output_hw[1], masks.device)
    return band[..., left] * (1 - share) + band[..., right] * share


def _neighbours(size: int, output: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each output index: the two input indices it lies between, and the share of the second."""
    at = (torch.arange(output, device=device, dtype=torch.float64) + 0.5) * (size / output) - 0.5
    at = at.clamp(min=0)
    first = at.floor().long().clamp(max=size - 1)
    second = (first + 1).clamp(max=size - 1)
    return first, second, (at - first).float()
