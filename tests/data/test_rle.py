import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.data.rle import areas, decode_masks, encode_masks, overlaps

MASKS = hnp.arrays(bool, st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_masks_come_back_with_their_areas(masks):
    rles = encode_masks(masks)
    assert np.array_equal(decode_masks(rles, *masks.shape[1:]), masks)
    assert areas(rles).tolist() == masks.sum((1, 2)).tolist()


@given(MASKS, st.integers(0, 2**31))
def test_overlaps_are_those_of_the_pixels(masks, seed):
    others = np.random.default_rng(seed).random((3, *masks.shape[1:])) < 0.5
    got = overlaps(encode_masks(masks), encode_masks(others))
    assert got.shape == (len(masks), 3)
    common = (masks[:, None] & others[None]).sum((2, 3))
    union = (masks[:, None] | others[None]).sum((2, 3))
    assert np.array_equal(got, common / np.maximum(union, 1))


def test_hand_worked_overlap():
    a = np.zeros((1, 2, 4), bool)
    b = a.copy()
    a[0, 0, :3] = True
    b[0, 0, 1:] = True
    assert overlaps(encode_masks(a), encode_masks(b)).tolist() == [[0.5]]
    assert overlaps([], encode_masks(b)).shape == (0, 1)
