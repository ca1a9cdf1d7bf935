"""From logits to class probabilities per mask, and the two branches together (paper section 3.2).

Shapes: Q masks, of which V are valid (not empty at the threshold), K classes. Temperature 100 is
part of the logits. The branches treat the learned "no object" column differently (convention 6):
the segmenter keeps it in the softmax (`pipeline.maskformer.masks`), CLIP never sees it.
"""

import torch
from torch import Tensor

from pipeline.clip.view import TEMPERATURE
from pipeline.core.errors import UserError


def cosine_logits(embeddings: Tensor, text_features: Tensor) -> Tensor:
    """Compare `(N, D)` embeddings of any norm with `(K, D)` unit text features: `(N, K)` logits."""
    unit = torch.nn.functional.normalize(embeddings.float(), dim=-1)
    return TEMPERATURE * unit @ text_features.T


def clip_probabilities(logits: Tensor, valid: Tensor) -> Tensor:
    """Spread CLIP's class probabilities over all queries.

    logits: `(V, K)` of the valid masks, in query order. valid: `(Q,)` bool with V True.
    Returns `(Q, K)`: softmax rows where valid, 1 everywhere else (an invalid mask leaves the
    segmenter's opinion as it is).
    """
    assert logits.shape[0] == int(valid.sum()), (logits.shape, int(valid.sum()))
    spread = logits.new_ones((len(valid), logits.shape[1]))
    spread[valid] = logits.softmax(dim=-1)
    return spread


def clip_alone(probabilities: Tensor, valid: Tensor) -> Tensor:
    """Compute the CLIP-only branch: `(Q, K)` probabilities with 0 for the invalid masks, which this
    branch leaves out. (The original spells this branch "ensemble weight 0".)"""
    return probabilities * valid[:, None]


def ensemble(segmenter: Tensor, clip: Tensor, weight: float) -> Tensor:
    """Combine the branches: `segmenter^(1 - weight) * clip^weight`, both `(Q, K)` in 0..1, not
    renormalised.

    weight 0 is the segmenter alone; weight 1 is CLIP alone with invalid masks counted as 1.
    """
    if not 0.0 <= weight <= 1.0:
        raise UserError(f"ensemble weight is {weight}; expected 0 (segmenter) to 1 (CLIP)")
    return segmenter ** (1.0 - weight) * clip**weight
