"""Hand-made miniature data folders, and where the real samples are."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.shipped import section

REPOSITORY = Path(__file__).resolve().parents[2]
WORLD = section(
    "dataset", train_scenes=6, val_scenes=4, side=64, min_objects=2, max_objects=3,
    closed_share=0.5, seed=3,
)  # fmt: skip


def samples() -> Path:
    """The folder of real samples (OVSEG_SAMPLES, default ../shared/data); skips without it."""
    folder = Path(os.environ.get("OVSEG_SAMPLES", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real samples in {folder} (set OVSEG_SAMPLES)")
    return folder


def save_picture(path: Path, height: int = 6, width: int = 8, **options) -> np.ndarray:
    """A picture with a different colour in each quarter; returns its pixels."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 200)
    pixels[height // 2 :, width // 2 :] = (200, 200, 30)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def save_label(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def write_json(path: Path, document) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def make_coco(root: Path, split: str = "val2017") -> Path:
    """Three pictures of 6 x 8; 1 and 2 captioned, 1 and 3 labelled (bicycle 1, wood 181)."""
    for image_id in (1, 2, 3):
        save_picture(root / split / f"{image_id:012d}.jpg")
    label = np.full((6, 8), 255, np.uint8)
    label[:3], label[3:, :4] = 1, 181
    for image_id in (1, 3):
        save_label(root / "stuffthingmaps" / split / f"{image_id:012d}.png", label)
    captions = [(11, 1, "A bike."), (12, 1, " A bicycle on wood.\n"), (21, 2, "Nothing")]
    write_json(
        root / "annotations" / f"captions_{split}.json",
        {
            "images": [{"id": i, "height": 6, "width": 8} for i in (2, 1)],
            "annotations": [{"id": c, "image_id": i, "caption": t} for c, i, t in captions],
        },
    )
    return root


def make_own(root):
    """Three pictures: a.jpg with two captions, sub/b.png with one and a mask, c.jpg held out."""
    for name in ("a.jpg", "sub/b.png", "c.jpg"):
        save_picture(root / "images" / name)
    lines = [("a.jpg", "A dog."), ("sub/b.png", "A cat on a sofa."), ("a.jpg", "It sleeps.")]
    lines.append(("c.jpg", "A sofa."))
    text = "\n".join(json.dumps({"image": i, "caption": c}) for i, c in lines)
    (root / "captions.jsonl").write_text(text + "\n")
    (root / "classes.txt").write_text("cat\nsofa\n")
    mask = np.full((6, 8), 255, np.uint8)
    mask[:3], mask[3:, :4] = 0, 1
    for name in ("sub/b.png", "c.png"):
        save_label(root / "masks" / name, mask)
    (root / "val.txt").write_text("c.jpg\n")
    return root


def faults(data):
    return {reject.item: f"{reject.reason}; {reject.detail}" for reject in data.rejects}
