import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pipeline.finetune.losses import contrastive_loss, gather_batch


def unit(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, columns, generator=generator, dtype=torch.double), dim=1)


def test_plain_loss_by_hand():
    images, texts = torch.eye(2), torch.eye(2)
    assert contrastive_loss(images, texts, 1.0).item() == pytest.approx(math.log(1 + 1 / math.e))
    assert contrastive_loss(images, texts.flip(0), 1.0).item() == pytest.approx(
        math.log(1 + math.e)
    )


def test_equal_nouns_by_hand():
    """Two crops of noun 7, one of noun 3; cosines 1 to the own noun, 0 to the other."""
    images = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ids = torch.tensor([7, 7, 3])
    to_noun = math.log(1 + 1 / math.e)  # each crop: own against one other noun
    seven = math.log(1 + 1 / math.e)  # each of its crops against the one crop of noun 3
    three = math.log(1 + 2 / math.e)  # its crop against two of noun 7
    expected = (to_noun + (seven + three) / 2) / 2
    assert contrastive_loss(images, texts, 1.0, ids).item() == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10_000), st.sampled_from([1.0, 10.0, 100.0]))
def test_both_agree_where_all_nouns_differ(pairs, seed, scale):
    images, texts = unit(pairs, 5, seed), unit(pairs, 5, seed + 1)
    ids = torch.randperm(pairs, generator=torch.Generator().manual_seed(seed)) * 3
    plain = contrastive_loss(images, texts, scale)
    assert torch.allclose(plain, contrastive_loss(images, texts, scale, ids), atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(0, 10_000))
def test_order_does_not_matter_and_nothing_is_negative(nouns, seed):
    ids = torch.tensor(nouns)
    images, texts = unit(len(ids), 5, seed), unit(4, 5, seed + 1)[ids]
    loss = contrastive_loss(images, texts, 100.0, ids)
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(
        loss, contrastive_loss(images[order], texts[order], 100.0, ids[order]), atol=1e-9
    )
    assert loss >= 0
    if len(set(nouns)) == 1:
        assert loss == 0


def test_a_batch_of_one_noun_teaches_nothing_and_breaks_nothing():
    images = unit(4, 5, 0).requires_grad_()
    loss = contrastive_loss(images, unit(1, 5, 1).expand(4, 5), 100.0, torch.zeros(4).long())
    loss.backward()
    assert loss == 0 and torch.equal(images.grad, torch.zeros_like(images))


def test_equal_crops_of_one_noun_are_right_only_without_false_negatives():
    """Perfect features: the loss vanishes, while the plain one keeps the entropy of the copies."""
    ids = torch.tensor([0, 0, 0, 1])
    features = torch.eye(2)[ids]
    assert contrastive_loss(features, features, 100.0, ids).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(features, features, 100.0).item() > 0.5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(0, 1000))
def test_gradients(nouns, seed):
    ids = torch.tensor(nouns)
    texts = unit(4, 5, seed + 1)[ids]
    images = unit(len(ids), 5, seed).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: contrastive_loss(x, texts, 3.0, ids), images)
    assert torch.autograd.gradcheck(lambda x: contrastive_loss(x, texts, 3.0), images)


def test_alone_there_is_nothing_to_gather():
    images, ids = unit(3, 2, 0), torch.arange(3)
    assert gather_batch(images, ids) == (images, ids)
