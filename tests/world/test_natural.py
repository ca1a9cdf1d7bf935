"""Object-centred pictures show and name their noun."""

import numpy as np
import pytest

from pipeline.world.natural import draw_natural


@pytest.mark.parametrize("noun", ["dog", "sand"])  # a thing, and stuff alone
def test_a_picture_shows_its_noun_and_its_caption_says_so(noun):
    for seed in range(8):
        picture = draw_natural(np.random.default_rng(seed), 64, noun)
        assert picture.image.shape == (64, 64, 3) and picture.image.dtype == np.uint8
        assert picture.noun == noun and noun in picture.caption
        again = draw_natural(np.random.default_rng(seed), 64, noun)
        assert (picture.image == again.image).all() and picture.caption == again.caption
