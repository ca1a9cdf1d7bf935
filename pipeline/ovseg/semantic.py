"""From mask probabilities and class probabilities to a semantic map (convention 7).

The score of class k at a pixel is the sum over queries of P(k | query) * P(pixel in query), and
scores are resized bilinearly to the size asked for. Resizing is linear, so the Q masks are
resized instead of the K score maps: K may be 847. Both are done part by part (bands of rows, or of
one row some columns), so memory stays flat in the size of the picture and in the number of classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDING = 1e-3
"""Margin against rounding when classes are ruled out."""

BAND_BYTES = 16 * 2**20
"""Size of the class scores held at once; small enough to stay in a CPU's cache."""

Part = tuple[slice, slice]
"""Rows and columns of a picture."""


def semantic_scores(
    class_probabilities: Tensor, masks: Tensor, output_hw: tuple[int, int]
) -> Tensor:
    """Compute all class scores at once: `(Q, K)` and `(Q, h, w)` in 0..1 to float32 `(K, H, W)`."""
    classes = class_probabilities.shape[1]
    scores = masks.new_empty((classes, *output_hw))
    for (rows, columns), resized in mask_parts(masks, output_hw, classes):
        found = torch.einsum("qk,qhw->khw", class_probabilities, resized)
        scores[:, rows, columns] = found
    return scores


def label_map(class_probabilities: Tensor, masks: Tensor, output_hw: tuple[int, int]) -> Tensor:
    """Find the best class of each pixel: int32 `(H, W)` on the CPU, -1 where no class has a score
    above 0."""
    counts = class_probabilities.amax(dim=1) > 0  # in mode free-text, few of the queries
    if not counts.all():
        class_probabilities, masks = class_probabilities[counts], masks[counts]
    contest = Contest.between(class_probabilities)
    labels = torch.empty(output_hw, dtype=torch.int32)
    for part, resized in mask_parts(masks, output_hw, class_probabilities.shape[1]):
        labels[part] = contest.labels(resized).int().cpu()
    return labels


def mask_parts(
    masks: Tensor, output_hw: tuple[int, int], classes: int
) -> Iterator[tuple[Part, Tensor]]:
    """Yield the masks at the output size, part by part: where it is, and its `(Q, rows,
    columns)`."""
    height, width = output_hw
    pixels = max(1, BAND_BYTES // (4 * max(classes, masks.shape[0], 1)))
    rows, columns = max(1, pixels // max(width, 1)), min(width, pixels)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            part = slice(top, min(top + rows, height)), slice(left, min(left + columns, width))
            yield part, resize_part(masks, output_hw, part)


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
        """Return the contest of `(Q, K)` class probabilities."""
        best = class_probabilities.amax(dim=1, keepdim=True)
        shares = (class_probabilities / best.clamp(min=torch.finfo(best.dtype).tiny)).sum(dim=0)
        ids = (shares > 1 - ROUNDING).nonzero()[:, 0]
        return cls(ids, class_probabilities[:, ids].contiguous())

    def labels(self, masks: Tensor) -> Tensor:
        """Find the best class of each pixel of `masks` (Q, h, w): int64 `(h, w)`, -1 where all is
        0.

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


def resize_part(masks: Tensor, output_hw: tuple[int, int], part: Part) -> Tensor:
    """Resize `masks` (Q, h, w) bilinearly (align_corners false) to `output_hw`, but only `part` of
    it: `(Q, rows, columns)`. The numbers are those of resizing the whole."""
    _, height, width = masks.shape
    rows, columns = part
    if (height, width) == tuple(output_hw):
        return masks[:, rows, columns]
    above, below, share = _neighbours(height, output_hw[0], rows, masks.device)
    share = share[:, None]
    band = masks[:, above] * (1 - share) + masks[:, below] * share
    left, right, share = _neighbours(width, output_hw[1], columns, masks.device)
    return band[..., left] * (1 - share) + band[..., right] * share


def _neighbours(
    size: int, output: int, part: slice, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each output index of `part` the two input indices it lies between, and the share
    of the second."""
    index = torch.arange(part.start, part.stop, device=device, dtype=torch.float64)
    at = (index + 0.5) * (size / output) - 0.5
    at = at.clamp(min=0)
    first = at.floor().long().clamp(max=size - 1)
    second = (first + 1).clamp(max=size - 1)
    return first, second, (at - first).float()
