import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.finetune.validation import hold_out


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), st.floats(0, 1), st.integers(0, 40))
def test_no_picture_stands_on_both_sides(image_ids, share, most):
    image_ids = np.array(image_ids)
    train, held = hold_out(image_ids, share, most)
    assert not set(image_ids[train]) & set(image_ids[held])
    assert len(held) <= most and len(train) >= 1
    assert train.tolist() == sorted(train) and held.tolist() == sorted(held)


def test_about_the_share_is_held_out_and_more_pairs_change_nothing():
    train, held = hold_out(np.arange(10_000), 0.05, 10_000)
    assert len(train) + len(held) == 10_000 and 400 < len(held) < 600
    fewer, held_of_fewer = hold_out(np.arange(5_000), 0.05, 10_000)
    assert held_of_fewer.tolist() == [i for i in held if i < 5_000]
