import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.pairs.match import best_matches, cosines

SIMILARITY = np.array(
    [[0.1, 0.3, 0.2],
     [0.4, 0.4, 0.0]]
)  # fmt: skip


@pytest.mark.parametrize(
    "direction, top_k, least, pairs",
    [
        ("noun_to_mask", 1, -1, [(0, 1), (1, 0)]),  # of equal masks the first
        ("noun_to_mask", 2, -1, [(0, 1), (0, 2), (1, 0), (1, 1)]),
        ("noun_to_mask", 9, -1, [(0, 1), (0, 2), (0, 0), (1, 0), (1, 1), (1, 2)]),
        ("noun_to_mask", 1, 0.35, [(1, 0)]),
        ("noun_to_mask", 1, 0.4, [(1, 0), ]),  # at the threshold is kept
        ("noun_to_mask", 2, 0.25, [(0, 1), (1, 0), (1, 1)]),
        ("noun_to_mask", 1, 1.0, []),
        ("mask_to_noun", 1, -1, [(0, 2), (1, 0), (1, 1)]),
        ("mask_to_noun", 2, 0.15, [(0, 1), (0, 2), (1, 0), (1, 1)]),
    ],
)  # fmt: skip
def test_hand_worked(direction, top_k, least, pairs):
    assert best_matches(SIMILARITY, direction, top_k, least) == pairs


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
@pytest.mark.parametrize("direction", ["noun_to_mask", "mask_to_noun"])
def test_no_nouns_or_no_masks(shape, direction):
    assert best_matches(np.zeros(shape), direction, 1, -1) == []


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 5)),
               elements=st.sampled_from([0.0, 0.25, 0.5, 0.75])),
    st.integers(1, 3),
)  # fmt: skip
def test_both_directions_mirror_each_other_and_every_taker_gets_its_best(similarity, top_k):
    forward = best_matches(similarity, "noun_to_mask", top_k, -1)
    backward = best_matches(similarity.T, "mask_to_noun", top_k, -1)
    assert sorted(forward) == sorted((noun, mask) for mask, noun in backward)
    for noun, row in enumerate(similarity):
        taken = [mask for n, mask in forward if n == noun]
        assert len(taken) == min(top_k, len(row))
        assert row[taken].tolist() == sorted(row, reverse=True)[: len(taken)]


def test_cosines_are_rounded_so_that_noise_makes_no_winner():
    nouns = np.array([[1.0, 0.0]], np.float32)
    regions = np.array([[0.6, 0.8], [0.6 + 1e-8, 0.8]], np.float32)
    similarity = cosines(nouns, regions)
    assert similarity.dtype == np.float32
    assert similarity[0, 0] == similarity[0, 1] == np.float32(0.6)
    assert cosines(np.zeros((0, 2)), regions).shape == (0, 2)
