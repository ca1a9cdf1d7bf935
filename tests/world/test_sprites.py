"""Every thing has a pictogram of its own."""

import numpy as np
import pytest

from pipeline.world.sprites import SPRITE_PX, sprite
from pipeline.world.vocabulary import THINGS


def test_every_thing_has_a_pictogram_of_its_own():
    pixels = {noun: sprite(noun) for noun in THINGS}
    for noun, art in pixels.items():
        assert art.dtype == np.uint8 and art.shape[2] == 4, noun
        assert max(art.shape[:2]) <= SPRITE_PX, noun
        assert (art[..., 3] > 127).mean() > 0.05, noun
    assert len({art.tobytes() for art in pixels.values()}) == len(THINGS)


def test_a_noun_without_a_pictogram_is_named():
    with pytest.raises(ValueError, match="'justice'"):
        sprite("justice")
