"""Write the OpenMoji world as a COCO 2017 folder.

    root/train2017/000000000001.jpg ...            pictures
    root/annotations/captions_train2017.json       five captions a picture, COCO captions format
    root/annotations/instances_train2017.json      objects of the closed set, RLE masks
    root/annotations/instances_all_train2017.json  every object: for analysis, no stage trains on it
    root/stuffthingmaps/train2017/*.png            label maps of the closed set, 255 = anything else
    root/allmaps/val2017/*.png                     label maps over all nouns (set `world-open`)

The same for `val2017`. A scene depends only on the seed, its split and its number, so the bytes are
the same for any number of processes.
"""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from pipeline.core.processes import runtime
from pipeline.core.progress import track
from pipeline.world.captions import write_caption
from pipeline.world.params import WorldParams
from pipeline.world.scenes import Scene, draw_scene
from pipeline.world.vocabulary import CLOSED, NOUNS

IGNORE = 255
SPLITS = ("train", "val")
CAPTIONS_PER_IMAGE = 5
_CHUNK = 50


def build_world(size: WorldParams, root: Path) -> None:
    """Draw all scenes and write them under `root`, which must not hold a world already."""
    jobs = {split: _jobs(size, root, number) for number, split in enumerate(SPLITS)}
    with runtime.process_pool(sum(map(len, jobs.values()))) as pool:
        for split, work in jobs.items():
            for folder in (f"{split}2017", f"stuffthingmaps/{split}2017", f"allmaps/{split}2017"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            chunks = track(pool.map(_write_chunk, work), len(work), f"drawing {split} scenes")
            records = [record for chunk in chunks for record in chunk]
            _write_annotations(root / "annotations", split, records)


def _jobs(
    size: WorldParams, root: Path, number: int
) -> list[tuple[WorldParams, Path, int, int, int]]:
    """Return the scenes of split `number` in chunks, as `_write_chunk` takes them."""
    count = size.train_scenes if SPLITS[number] == "train" else size.val_scenes
    return [
        (size, root, number, first, min(first + _CHUNK, count + 1))
        for first in range(1, count + 1, _CHUNK)
    ]


def label_map(scene: Scene, names: tuple[str, ...]) -> np.ndarray:
    """Return the index in `names` of what each pixel shows, else `IGNORE`: uint8 (side, side)."""
    labels = np.full(scene.image.shape[:2], IGNORE, np.uint8)
    for part in (*scene.stuff, *scene.things):
        labels[part.mask] = names.index(part.noun) if part.noun in names else IGNORE
    return labels


def _write_chunk(job: tuple[WorldParams, Path, int, int, int]) -> list[dict]:
    """Draw scenes first..stop-1 of one split; writes pictures and maps, returns annotations."""
    size, root, number, first, stop = job
    cv2.setNumThreads(1)
    split = SPLITS[number]
    share = size.closed_share if split == "train" else 0.5
    records = []
    for index in range(first, stop):
        rng = np.random.default_rng([size.seed, number, index])
        scene = draw_scene(rng, size.side, size.min_objects, size.max_objects, share)
        image_id = number * 1_000_000 + index
        name = f"{image_id:012d}"
        Image.fromarray(scene.image).save(root / f"{split}2017/{name}.jpg", quality=92)
        closed, everything = label_map(scene, CLOSED), label_map(scene, NOUNS)
        Image.fromarray(closed).save(root / f"stuffthingmaps/{split}2017/{name}.png")
        Image.fromarray(everything).save(root / f"allmaps/{split}2017/{name}.png")
        counts = dict(Counter(thing.noun for thing in scene.things))
        visible = [s.noun for s in scene.stuff if s.mask.mean() > 0.02]
        records.append(
            {
                "image": {
                    "id": image_id,
                    "file_name": f"{name}.jpg",
                    "width": size.side,
                    "height": size.side,
                },
                "captions": [
                    write_caption(counts, visible, rng) for _ in range(CAPTIONS_PER_IMAGE)
                ],
                "objects": [(thing.noun, _encode(thing.mask)) for thing in scene.things],
            }
        )
    return records


def _encode(mask: np.ndarray) -> dict:
    """Encode bool (H, W) as COCO annotation fields: RLE, box XYWH in px, area in px."""
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "segmentation": {"size": rle["size"], "counts": rle["counts"].decode("ascii")},
        "bbox": [float(v) for v in coco_mask.toBbox(rle)],
        "area": int(coco_mask.area(rle)),
        "iscrowd": 0,
    }


def _write_annotations(folder: Path, split: str, records: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images = [record["image"] for record in records]
    captions = [
        {"id": record["image"]["id"] * 10 + number, "image_id": record["image"]["id"], "caption": t}
        for record in records
        for number, t in enumerate(record["captions"])
    ]
    _write_json(folder / f"captions_{split}2017.json", {"images": images, "annotations": captions})
    for name, nouns in (("instances", CLOSED), ("instances_all", NOUNS)):
        objects = [
            {"image_id": record["image"]["id"], "category_id": nouns.index(noun) + 1, **fields}
            for record in records
            for noun, fields in record["objects"]
            if noun in nouns
        ]
        content = {
            "images": images,
            "categories": [{"id": i + 1, "name": noun} for i, noun in enumerate(nouns)],
            "annotations": [{"id": i + 1, **fields} for i, fields in enumerate(objects)],
        }
        _write_json(folder / f"{name}_{split}2017.json", content)


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
