"""The nouns of the world, and its closed set."""

from pipeline.world.textures import PAINTERS
from pipeline.world.vocabulary import CLOSED, NOUNS, STUFF, THINGS, UNSEEN


def test_vocabulary_is_large_enough_and_consistent():
    assert len(set(NOUNS)) == len(NOUNS)
    assert len(THINGS) >= 150 and len(STUFF) >= 10
    assert len(CLOSED) == 60 and NOUNS[: len(CLOSED)] == CLOSED
    assert set(UNSEEN) < set(CLOSED)
    assert set(PAINTERS) == set(STUFF)
