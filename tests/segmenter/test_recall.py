"""Recall on answers worked by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.segmenter.recall import best_overlaps, recall


def boxes(*corners) -> np.ndarray:
    masks = np.zeros((len(corners), 10, 10), bool)
    for mask, (y1, x1, y2, x2) in zip(masks, corners, strict=True):
        mask[y1:y2, x1:x2] = True
    return masks


def test_best_overlap_of_each_true_mask():
    truth = boxes((0, 0, 4, 4), (6, 6, 10, 10))
    proposals = boxes((0, 0, 4, 8), (0, 0, 2, 4), (5, 5, 6, 6))
    assert best_overlaps(proposals, truth).tolist() == [0.5, 0.0]


def test_nothing_proposed_and_nothing_to_find():
    assert best_overlaps(boxes(), boxes((0, 0, 1, 1))).tolist() == [0]
    assert best_overlaps(boxes((0, 0, 1, 1)), boxes()).tolist() == []
    assert best_overlaps(boxes((0, 0, 0, 0)), boxes((0, 0, 0, 0))).tolist() == [0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_proposing_the_truth_finds_it_all(seed):
    truth = np.random.default_rng(seed).random((4, 6, 7)) > 0.4
    truth[:, 0, 0] = True
    overlaps = best_overlaps(truth[::-1], truth)
    assert overlaps.tolist() == [1.0] * 4


def test_recall_by_hand():
    result = recall([0.5, 0.49, 1.0, 0.0], [True, True, True, False], threshold=0.5)
    assert result["recall_closed"] == 2 / 3
    assert result["recall_never_labelled"] == 0
    assert result["recall_all"] == 0.5
    assert (result["objects_closed"], result["objects_never_labelled"]) == (3, 1)
    assert result["overlap_all"] == np.mean([0.5, 0.49, 1.0, 0.0])


def test_recall_of_nothing_is_none():
    result = recall([], [])
    assert result["recall_closed"] is result["recall_all"] is None
    assert result["objects_all"] == 0
