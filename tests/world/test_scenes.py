"""Scenes are exact, disjoint and functions of their seed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.world.scenes import draw_scene, outline_mask

SIDE = 96


def scene(seed: int):
    return draw_scene(np.random.default_rng(seed), SIDE, 3, 6, 0.6)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_masks_divide_the_picture(seed):
    drawn = scene(seed)
    masks = [part.mask for part in (*drawn.things, *drawn.stuff)]
    assert (np.sum(masks, axis=0) == 1).all()  # every pixel belongs to exactly one part
    assert all(thing.mask.sum() >= 24 for thing in drawn.things)


def test_a_scene_is_a_function_of_its_seed():
    first, again, other = scene(3), scene(3), scene(4)
    assert np.array_equal(first.image, again.image)
    assert [t.noun for t in first.things] == [t.noun for t in again.things]
    assert not np.array_equal(first.image, other.image)


def test_outline_closes_gaps_but_keeps_the_outside():
    ring = np.zeros((40, 40), np.float32)
    ring[10:30, 10:30] = 1
    ring[19:21, 10:30] = 0  # a slit of two pixels
    closed = outline_mask(ring, length=40)
    assert closed[10:30, 10:30].all()
    assert closed.sum() == 400
