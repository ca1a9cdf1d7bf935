"""Stuff fills a picture of any side."""

import numpy as np
import pytest

from pipeline.world.textures import paint
from pipeline.world.vocabulary import STUFF


@pytest.mark.parametrize("stuff", STUFF)
def test_textures_fill_any_side(stuff):
    for side in (7, 64, 131):
        canvas = paint(stuff, np.random.default_rng(0), side)
        assert canvas.shape == (side, side, 3) and canvas.dtype == np.uint8
    assert canvas.std() > 3
