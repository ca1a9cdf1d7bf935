"""A prediction knows no names and is scored against any of them."""

import numpy as np
import pytest
import torch

from pipeline.clip.view import RegionView
from pipeline.ovseg.predictor import Prediction, Predictor, TextStyle
from tests.ovseg.tiny import tiny_clip, tiny_segmenter

NAMES = ["cat", "dog", "grass"]
LOW, HIGH = RegionView(threshold=0.01), RegionView(threshold=0.999)
PICTURES = [
    np.random.default_rng(side).integers(0, 256, (side, 30, 3), dtype=np.uint8) for side in (20, 40)
]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """Two CLIPs and two thresholds, below and above all masks, which untrained are near 0.5."""
    clips = {"first": tiny_clip(0), "second": tiny_clip(1)}
    text = TextStyle(("a photo of a {}.",), ("{}",))
    return Predictor(tiny_segmenter(), clips, [LOW, HIGH], text)


@pytest.fixture(scope="module")
def predictions(predictor) -> list[Prediction]:
    return predictor.predict(PICTURES)


def test_every_clip_sees_the_regions_in_every_way(predictions):
    assert [each.masks.shape for each in predictions] == [(6, 20, 30), (6, 40, 30)]
    for each in predictions:
        assert list(each.regions) == [LOW, HIGH]
        assert list(each.regions[LOW]) == ["first", "second"]
        first, second = each.regions[LOW].values()
        assert not torch.allclose(first.features, second.features, atol=1e-3)


def test_scores_go_with_their_names_whatever_their_order(predictor, predictions):
    scores = predictor.score(predictions[0], predictor.vocabulary(NAMES))
    turned = predictor.score(predictions[0], predictor.vocabulary(NAMES[::-1]))
    torch.testing.assert_close(turned.segmenter.flip(-1), scores.segmenter)
    for name in ("first", "second"):
        assert scores.clips[name].shape == (6, 3)
        torch.testing.assert_close(scores.clips[name].sum(-1), torch.ones(6))
        torch.testing.assert_close(turned.clips[name].flip(-1), scores.clips[name])


def test_clip_has_no_opinion_of_masks_without_a_pixel(predictor, predictions):
    vocabulary = predictor.vocabulary(NAMES)
    assert predictor.score(predictions[1], vocabulary).valid.all()
    blind = predictor.score(predictions[1], vocabulary, HIGH)
    assert not blind.valid.any()
    assert all((table == 1).all() for table in blind.clips.values())


def test_clips_of_one_text_tower_have_the_same_names(predictor):
    vocabulary = predictor.vocabulary(NAMES)
    assert torch.equal(vocabulary.clips["first"], vocabulary.clips["second"])
    assert not torch.allclose(vocabulary.segmenter, vocabulary.clips["first"], atol=1e-3)
    assert vocabulary.names == tuple(NAMES)
