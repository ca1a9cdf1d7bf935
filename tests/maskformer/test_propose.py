"""The size at which a picture is looked at, and masks of pictures of several sizes."""

import numpy as np
import pytest
import torch

from pipeline.clip.view import MAX_INPUT_PIXELS
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.propose import input_size, propose, resize_input
from tests.segmenter.tiny import config


def test_the_test_size_is_detectron2s():
    image = np.zeros((100, 301, 3), dtype=np.uint8)
    assert resize_input(image, None).shape == (3, 100, 301)
    assert resize_input(image, 50).shape == (3, 50, 151)  # 150.5 rounds up
    assert resize_input(image, 50, 100).shape == (3, 33, 100)  # the long side decides
    assert resize_input(image[:1], 1, 10).shape == (3, 1, 10)


def test_stages_look_at_no_more_than_segment_does():
    image = np.zeros((1600, 2000, 3), dtype=np.uint8)
    for sides in ((None, None), (1500, None), (1600, 2000)):
        _, height, width = resize_input(image, *sides).shape
        assert 0.9 * MAX_INPUT_PIXELS < height * width <= MAX_INPUT_PIXELS


@pytest.mark.parametrize("hw", [(3000, 4000), (9000, 9000), (1, 3_000_000), (2_000_000, 5)])
@pytest.mark.parametrize("sides", [(None, None), (5000, None), (640, 2560)])
def test_a_look_has_no_more_pixels_than_the_limit(hw, sides):
    """Counted as padded for the segmenter, which makes 32 rows of one."""
    height, width = input_size(*hw, *sides, 2**20)
    assert -(-height // 32) * -(-width // 32) * 32**2 <= 2**20
    unlimited = input_size(*hw, *sides, None)
    assert height <= unlimited[0] and width <= unlimited[1]
    if min(hw) > 100 and sides != (640, 2560):
        assert height * width > 0.9 * 2**20 and height / width == pytest.approx(hw[0] / hw[1], 0.01)


def test_what_is_within_the_limit_keeps_its_size():
    assert input_size(1440, 1440, None) == (1440, 1440)
    assert input_size(640, 2560, 640, 2560) == (640, 2560)
    assert input_size(9000, 9000, None, max_pixels=None) == (9000, 9000)


def test_pictures_of_several_sizes_come_back_in_their_order():
    segmenter = MaskFormer(config()).eval()
    images = [torch.full((3, *hw), 7, dtype=torch.uint8) for hw in ((9, 5), (9, 5), (4, 40))]
    found = propose(segmenter, images)
    assert [proposals.masks.shape for proposals in found] == [(6, 9, 5), (6, 9, 5), (6, 4, 40)]
    assert torch.equal(found[2].masks, propose(segmenter, images[2:])[0].masks)
    [doubled] = propose(segmenter, images[:1], out_hw=(18, 10))
    assert doubled.masks.shape == (6, 18, 10)
    assert propose(segmenter, []) == []
