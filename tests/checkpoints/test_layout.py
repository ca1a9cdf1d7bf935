"""Colours of a released checkpoint are of pixels in 0..255, ours of pixels in 0..1."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checkpoints.layout import pixel_colour, unit_colour
from pipeline.clip.store import MEAN, STD

COLOUR = st.lists(st.floats(0.125, 0.875, width=32), min_size=3, max_size=3)


def test_the_published_colours():
    stored = torch.tensor([122.7709383, 116.7460125, 104.09373615]).view(1, 3, 1, 1)
    assert torch.allclose(torch.tensor(unit_colour(stored, None)), torch.tensor(MEAN), atol=1e-7)
    assert torch.allclose(pixel_colour(torch.tensor(MEAN)), stored, atol=1e-4)


@given(COLOUR)
def test_what_was_exported_comes_back(colour):
    stored = pixel_colour(torch.tensor(colour))
    assert torch.equal(pixel_colour(torch.tensor(unit_colour(stored, None))), stored)
    assert unit_colour(stored, colour) == tuple(colour)
    assert unit_colour(stored, STD) != tuple(STD) or torch.equal(
        stored, pixel_colour(torch.tensor(STD))
    )
