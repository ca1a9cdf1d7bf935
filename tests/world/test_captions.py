"""Captions name only what is there."""

import numpy as np

from pipeline.world.captions import write_caption
from pipeline.world.vocabulary import THINGS


def test_captions_name_only_what_is_there_and_vary():
    rng = np.random.default_rng(0)
    counts = {"dog": 2, "fire engine": 1, "scissors": 1}
    captions = [write_caption(counts, ["grass"], rng) for _ in range(60)]
    assert len(set(captions)) > 55
    text = " ".join(captions).lower()
    assert "dogs" in text and "fire engine" in text and "scissors" in text and "grass" in text
    others = set(THINGS) - set(counts)
    assert not any(f" {noun} " in text for noun in others)
    assert any("dog" not in c and "scissors" not in c for c in map(str.lower, captions))


def test_caption_of_a_scene_without_things_tells_the_stuff():
    assert "snow" in write_caption({}, ["snow"], np.random.default_rng(0))
