"""The recipe of the miniature CLIP: its pictures, crops and batches. The training itself takes a
quarter of an hour and is not run here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from pipeline.core.errors import UserError
from pipeline.core.processes import runtime
from pipeline.world.pretrain_clip import PICTURE_PX, augment, batches, draw_pictures
from pipeline.world.vocabulary import NOUNS


def test_pictures_take_the_nouns_in_turn(monkeypatch):
    monkeypatch.setattr(runtime, "process_pool", ThreadPoolExecutor)  # no process for 3 pictures
    pictures = draw_pictures(3, seed=1)
    assert [picture.noun for picture in pictures] == list(NOUNS[:3])
    assert all(picture.image.shape == (PICTURE_PX, PICTURE_PX, 3) for picture in pictures)


def test_crops_have_the_towers_size_and_the_colours_of_their_picture():
    flat = torch.tensor([0, 102, 255], dtype=torch.uint8)[None, :, None, None]
    pictures = flat.expand(4, 3, PICTURE_PX, PICTURE_PX)
    cropped = augment(pictures, 48, np.random.default_rng(0))
    assert cropped.shape == (4, 3, 48, 48)
    for channel, value in enumerate((0.0, 0.4, 1.0)):
        assert (cropped[:, channel] - value).abs().max() < 1e-5


def test_a_batch_has_no_noun_twice():
    nouns = np.array(["a", "b", "a", "c", "a"])
    chooser = batches(nouns, 2, np.random.default_rng(0))
    drawn = [next(chooser) for _ in range(30)]
    assert all(len(set(nouns[batch])) == 2 for batch in drawn)
    assert set(np.concatenate(drawn)) == set(range(5))


def test_a_batch_larger_than_the_nouns_is_refused():
    with pytest.raises(UserError, match="a batch of 3 .* there are 2: lower the batch size"):
        next(batches(np.array(["a", "b", "a"]), 3, np.random.default_rng(0)))
