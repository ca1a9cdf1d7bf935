"""The world's folder is COCO's layout, the same for any number of processes."""

import json
from collections import Counter

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from pipeline.world.build import IGNORE, build_world, label_map
from pipeline.world.scenes import draw_scene
from pipeline.world.vocabulary import CLOSED
from tests.shipped import section

SIDE = 96


def scene(seed: int):
    return draw_scene(np.random.default_rng(seed), SIDE, 3, 6, 0.6)


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
