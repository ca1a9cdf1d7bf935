"""Scenes are exact, disjoint, deterministic and captioned with what they show."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from pipeline.world.build import IGNORE, build_world, label_map
from pipeline.world.captions import write_caption
from pipeline.world.natural import draw_natural
from pipeline.world.probe import crop_probe, natural_probe
from pipeline.world.scenes import draw_scene, outline_mask
from pipeline.world.sprites import SPRITE_PX, sprite
from pipeline.world.textures import PAINTERS, paint
from pipeline.world.vocabulary import CLOSED, NOUNS, STUFF, THINGS, UNSEEN
from tests.shipped import section

SIDE = 96


def scene(seed: int):
    return draw_scene(np.random.default_rng(seed), SIDE, 3, 6, 0.6)


def test_vocabulary_is_large_enough_and_consistent():
    assert len(set(NOUNS)) == len(NOUNS)
    assert len(THINGS) >= 150 and len(STUFF) >= 10
    assert len(CLOSED) == 60 and NOUNS[: len(CLOSED)] == CLOSED
    assert set(UNSEEN) < set(CLOSED)
    assert set(PAINTERS) == set(STUFF)


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


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_masks_divide_the_picture(seed):
    drawn = scene(seed)
    masks = [part.mask for part in (*drawn.things, *drawn.stuff)]
    assert (np.sum(masks, axis=0) == 1).all()  # every pixel belongs to exactly one part
    assert all(thing.mask.sum() >= 24 for thing in drawn.things)


def test_a_scene_is_a_function_of_its_seed():
    first, again, other = scene(3), scene(3), scene(4)
    assert np.array_equal(first.image, again.image)
    assert [t.noun for t in first.things] == [t.noun for t in again.things]
    assert not np.array_equal(first.image, other.image)


def test_outline_closes_gaps_but_keeps_the_outside():
    ring = np.zeros((40, 40), np.float32)
    ring[10:30, 10:30] = 1
    ring[19:21, 10:30] = 0  # a slit of two pixels
    closed = outline_mask(ring, length=40)
    assert closed[10:30, 10:30].all()
    assert closed.sum() == 400


@pytest.mark.parametrize("stuff", STUFF)
def test_textures_fill_any_side(stuff):
    for side in (7, 64, 131):
        canvas = paint(stuff, np.random.default_rng(0), side)
        assert canvas.shape == (side, side, 3) and canvas.dtype == np.uint8
    assert canvas.std() > 3


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


def test_natural_pictures_and_probes():
    picture = draw_natural(np.random.default_rng(1), 64, "dog")
    assert picture.image.shape == (64, 64, 3) and "dog" in picture.caption
    probe = natural_probe(len(NOUNS), 64, seed=5)
    assert probe.nouns == list(NOUNS)
    crops = crop_probe(9, SIDE, seed=5)
    assert len(crops.images) == len(crops.masks) == len(crops.nouns) >= 9
    for image, mask in zip(crops.images, crops.masks, strict=True):
        assert image.shape[:2] == mask.shape
        assert mask.any(0).all() or mask.any(0)[[0, -1]].all()  # the box is tight


def test_world_folder_is_coco_and_does_not_depend_on_workers(tmp_path, monkeypatch):
    size = section(
        "dataset", train_scenes=6, val_scenes=3, side=SIDE, min_objects=3, max_objects=5, seed=11
    )
    for workers in (1, 2):
        monkeypatch.setenv("OVSEG_WORKERS", str(workers))
        build_world(size, tmp_path / str(workers))
    files = [
        {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        for root in (tmp_path / "1", tmp_path / "2")
    ]
    assert files[0] == files[1]
    root = tmp_path / "1"
    captions = json.loads((root / "annotations/captions_train2017.json").read_text())
    assert len(captions["images"]) == 6 and len(captions["annotations"]) == 30
    assert len({c["id"] for c in captions["annotations"]}) == 30
    everything = json.loads((root / "annotations/instances_all_val2017.json").read_text())
    closed = json.loads((root / "annotations/instances_val2017.json").read_text())
    assert [c["name"] for c in closed["categories"]] == list(CLOSED)
    assert len(closed["annotations"]) <= len(everything["annotations"])
    image = everything["images"][0]
    labels = np.asarray(Image.open(root / f"allmaps/val2017/{image['id']:012d}.png"))
    narrow = np.asarray(Image.open(root / f"stuffthingmaps/val2017/{image['id']:012d}.png"))
    assert (labels != IGNORE).all()  # the open set leaves nothing out
    assert ((narrow == labels) | (narrow == IGNORE)).all()
    assert (narrow[labels >= len(CLOSED)] == IGNORE).all()
    areas = Counter()
    for entry in everything["annotations"]:
        if entry["image_id"] == image["id"]:
            areas[entry["category_id"] - 1] += coco_mask.decode(entry["segmentation"]).sum()
    for label, area in areas.items():
        assert (labels == label).sum() == area


def test_label_map_ignores_what_is_not_asked_for():
    drawn = scene(2)
    labels = label_map(drawn, ("dog",))
    assert set(np.unique(labels)) <= {0, IGNORE}
