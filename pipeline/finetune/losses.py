"""The contrastive loss of fine-tuning (paper, section 3.3), with or without its false negatives.

A batch holds B pairs of a masked crop and a noun; the text tower is locked. Common nouns stand in
a batch many times. The plain loss of CLIP then asks a crop of a dog to be unlike the text "dog" of
every other dog pair.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(
    image_features: Tensor, text_features: Tensor, scale: float, noun_ids: Tensor | None = None
) -> Tensor:
    """Compute the symmetric contrastive loss, a scalar.

    image_features, text_features: (B, D) of unit norm, row i of both is pair i. scale: of the
    cosines, 100 in the paper. noun_ids: (B,) int, equal where the noun is equal.

    Without noun_ids, the plain loss: cross entropy of each crop over the B texts and of each text
    over the B crops, with pair i the only right answer. With noun_ids, pairs of one noun are not
    each other's negatives:

    - crop to noun: cross entropy over the U different nouns of the batch, mean over the crops;
    - noun to crop: each crop of the noun against the crops of other nouns only, mean over the
      noun's crops, then over the nouns.

    Where all nouns differ both are the same number.
    """
    if noun_ids is None:
        logits = scale * image_features @ text_features.T
        target = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    nouns, row = torch.unique(noun_ids, return_inverse=True)
    first = torch.full_like(nouns, len(row)).scatter_reduce(
        0, row, torch.arange(len(row), device=row.device), "amin"
    )
    logits = scale * image_features @ text_features[first].T  # (B, U)
    to_noun = F.cross_entropy(logits, row)

    own = F.one_hot(row, len(nouns)).bool()  # (B, U): crop shows noun
    negatives = logits.masked_fill(own, -torch.inf).logsumexp(dim=0)  # (U,), -inf without any
    right = logits.gather(1, row[:, None])[:, 0]
    per_crop = torch.logaddexp(right, negatives[row]) - right
    crops = own.sum(dim=0)
    to_crop = (per_crop / crops[row]).sum() / len(nouns)
    return (to_noun + to_crop) / 2


def gather_batch(image_features: Tensor, noun_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Gather the features and noun ids of all processes, in order of rank; its own where it is
    alone.

    Gradients flow into a process's own features only. Every process holds the loss of the whole
    batch, so the sum of their gradients is that of a single process.
    """
    if processes() == 1:
        return image_features, noun_ids
    features = [torch.empty_like(image_features) for _ in range(processes())]
    ids = [torch.empty_like(noun_ids) for _ in range(processes())]
    dist.all_gather(features, image_features.detach().contiguous())
    dist.all_gather(ids, noun_ids)
    features[dist.get_rank()] = image_features
    return torch.cat(features), torch.cat(ids)


def processes() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1
