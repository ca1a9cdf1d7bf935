"""Candidate masks of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    """Return the proposals of one picture, in query order."""
    masks = decode_masks([to_rle(proposal) for proposal in proposals], height, width)
    return Candidates(masks, [proposal.query for proposal in proposals])


def candidates_from_truth(regions: dict[str, np.ndarray], height: int, width: int) -> Candidates:
    """Return the class regions of a label map: name to mask."""
    masks = np.stack(list(regions.values())) if regions else np.zeros((0, height, width), bool)
    return Candidates(masks, [NO_QUERY] * len(regions))
