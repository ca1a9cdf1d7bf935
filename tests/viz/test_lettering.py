"""Text stays inside the picture and can be read on any ground."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.viz.lettering import font, text_size, write


def white_and_black(at: tuple[int, int], ground: int = 128) -> tuple[int, int]:
    """How many pixels of each there are after "dog" was written on a page of 120 x 40."""
    page = Image.new("RGB", (120, 40), (ground,) * 3)
    write(ImageDraw.Draw(page), at, "dog", font(14))
    pixels = np.asarray(page)
    return int((pixels == 255).all(-1).sum()), int((pixels == 0).all(-1).sum())


@pytest.mark.parametrize("at", [(-50, -50), (500, 500), (-50, 500), (500, -50)])
def test_the_whole_text_is_kept_inside(at):
    middle, _ = white_and_black((40, 10))
    assert white_and_black(at)[0] == middle > 20


def test_text_has_a_black_rim_on_white_and_is_white_on_black():
    assert white_and_black((40, 10), ground=255)[1] > 20
    assert white_and_black((40, 10), ground=0)[0] > 20


def test_centred_text_has_its_middle_where_asked():
    page = Image.new("RGB", (200, 60))
    write(ImageDraw.Draw(page), (100, 30), "owl", font(14), centred=True)
    columns = np.flatnonzero(np.asarray(page).any((0, 2)))
    assert abs((columns[0] + columns[-1]) / 2 - 100) <= 3


def test_longer_text_is_wider():
    assert text_size("a dog", font(14))[0] > text_size("dog", font(14))[0]
