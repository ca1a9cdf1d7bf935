import numpy as np

from pipeline.pairs.truth import covers

KNOWN = {"dog": "closed", "cat": "closed", "owl": "never_labelled"}


def row(*pixels: int) -> np.ndarray:
    mask = np.zeros((1, 8), bool)
    mask[0, list(pixels)] = True
    return mask


def test_a_mask_covers_its_noun_from_an_overlap_of_one_half():
    true = {"dog": row(0, 1, 2, 3)}
    assert covers(row(0, 1), "dog", true, KNOWN) is True  # 2 of 4
    assert covers(row(0), "dog", true, KNOWN) is False  # 1 of 4
    assert covers(row(0, 1, 2, 3, 4, 5, 6, 7), "dog", true, KNOWN) is True  # 4 of 8
    assert covers(row(3, 4), "dog", true, KNOWN) is False  # 1 of 5


def test_a_noun_that_is_not_there_is_covered_by_nothing():
    assert covers(row(0), "cat", {"dog": row(0)}, KNOWN) is False


def test_what_nobody_labelled_cannot_be_judged():
    assert covers(row(0), "sky", {"dog": row(0)}, KNOWN) is None
    assert covers(row(0), "dog", None, KNOWN) is None
