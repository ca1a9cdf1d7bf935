"""Which noun gets which mask, from their similarities alone (paper section 3.2, step 3)."""

import numpy as np

from pipeline.pairs.params import Direction

DECIMALS = 6
"""Similarities are compared and stored with so many: what differs less is a tie."""


def best_matches(
    similarity: np.ndarray, direction: Direction, top_k: int, min_similarity: float
) -> list[tuple[int, int]]:
    """Match nouns and masks of one picture: pairs (noun, mask).

    similarity: (N, M) cosines, -1..1. "noun_to_mask": every noun takes its `top_k` most similar
    masks (the paper: 1), a mask may be taken by several nouns. "mask_to_noun": every mask takes
    its `top_k` nouns. Pairs below `min_similarity` are left out. Of equally similar ones the
    lower index wins. Sorted by noun, then by falling similarity. N and M may be 0.
    """
    assert similarity.ndim == 2 and top_k >= 1, (similarity.shape, top_k)
    if not similarity.size:
        return []
    rows = similarity if direction == "noun_to_mask" else similarity.T
    order = np.argsort(-rows, axis=1, kind="stable")[:, :top_k]
    chosen = [(taker, int(taken)) for taker, best in enumerate(order) for taken in best]
    pairs = chosen if direction == "noun_to_mask" else [(noun, mask) for mask, noun in chosen]
    kept = [pair for pair in pairs if similarity[pair] >= min_similarity]
    return sorted(kept, key=lambda pair: (pair[0], -similarity[pair], pair[1]))


def cosines(nouns: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Compare features of unit norm (N, D) and (M, D) -> similarities, float32 (N, M), rounded."""
    product = nouns.astype(np.float64) @ regions.astype(np.float64).T
    return np.round(product, DECIMALS).astype(np.float32)
