"""Probes show known nouns, whole or cut out by tight boxes."""

from pipeline.world.probe import crop_probe, natural_probe
from pipeline.world.vocabulary import NOUNS


def test_natural_pictures_take_the_nouns_in_turn():
    probe = natural_probe(len(NOUNS), 64, seed=5)
    assert probe.nouns == list(NOUNS)
    assert all(mask.all() for mask in probe.masks)


def test_crops_are_tight_boxes_around_their_masks():
    crops = crop_probe(9, 96, seed=5)
    assert len(crops.images) == len(crops.masks) == len(crops.nouns) >= 9
    for image, mask in zip(crops.images, crops.masks, strict=True):
        assert image.shape[:2] == mask.shape
        assert all(mask.any(axis)[[0, -1]].all() for axis in (0, 1))
