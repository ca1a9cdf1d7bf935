"""Segmenting by a few names typed by a person, as the paper's demo does.

A person names what they want to find, not everything in the picture. So each name takes one
query only, the valid one that CLIP scores highest for it; masks are cut at the threshold; and
what no chosen mask covers stays unnamed. CLIP alone decides: the segmenter's class scores need a
full vocabulary to be compared with.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.core.errors import UserError

OTHERS = ("others", "other things")
"""The class that a single name is compared with, and the one for the single name "others"; it
takes no query of its own."""


def checked_names(names: Sequence[str]) -> list[str]:
    """Return the names to score: stripped; behind a single one stands "others", to compare it with.

    Raises UserError for no name, an empty name, or a name given twice.
    """
    clean = [name.strip() for name in names]
    if not clean or not all(clean):
        raise UserError(f"class names are {names}; expected at least one, none of them empty")
    if len(clean) == 1:
        clean.append(OTHERS[1] if clean[0] == OTHERS[0] else OTHERS[0])
    twice = sorted({name for name in clean if clean.count(name) > 1})
    if twice:
        raise UserError(f"class names given twice: {', '.join(twice)}; name each class once")
    return clean


def chosen_queries(clip: Tensor, valid: Tensor, named: int) -> Tensor:
    """Return the queries that the first `named` classes take: `(Q,)` bool.

    clip: `(Q, K)` CLIP probabilities, valid: `(Q,)` bool. A query may win several classes; with
    no valid query nothing is chosen.
    """
    chosen = torch.zeros_like(valid)
    if valid.any():
        scores = clip[:, :named].masked_fill(~valid[:, None], -1)
        chosen[scores.argmax(dim=0)] = True
    return chosen


def free_text_scores(
    clip: Tensor, valid: Tensor, masks: Tensor, threshold: float, named: int
) -> tuple[Tensor, Tensor]:
    """Return class probabilities `(Q, K)` and masks `(Q, h, w)` for the semantic map: probabilities
    are 0 for queries not chosen (a chosen one keeps those of all classes), masks are 0 or 1."""
    chosen = chosen_queries(clip, valid, named)
    return clip * chosen[:, None], (masks > threshold).float()
