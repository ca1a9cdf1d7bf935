"""A captioned and labelled data set of a few pictures, for the tests of stages that read one."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.records import Caption, ImageRecord
from pipeline.data.dataset import Dataset, write_dataset
from pipeline.data.rle import encode_masks

SIDE = 48
CLASSES = ["red square", "grass"]
COLOURS = {"red square": (250, 20, 20), "disc": (20, 20, 250), "grass": (20, 160, 20)}


def shapes(number: int) -> dict[str, np.ndarray]:
    """True masks of picture `number`: a square of the closed set, a disc that is never labelled
    for the segmenter, and grass below."""
    y, x = np.mgrid[:SIDE, :SIDE]
    shift = number % 5
    square = (abs(x - 10 - shift) < 7) & (abs(y - 12) < 7)
    disc = (x - 34 + shift) ** 2 + (y - 14) ** 2 < 64
    return {"red square": square, "grass": (y >= 30) & ~square & ~disc, "disc": disc & ~square}


def make_toy(folder: Path, pictures: int = 5) -> Dataset:
    """Write the data-set folder; every picture has two captions. The last picture's file is
    broken."""
    root = folder / "coco"
    (root / "annotations").mkdir(parents=True)
    records, annotations = [], []
    for number in range(1, pictures + 1):
        image = np.full((SIDE, SIDE, 3), 200, np.uint8)
        label = np.full((SIDE, SIDE), 255, np.uint8)
        for name, mask in shapes(number).items():
            image[mask] = COLOURS[name]
            if name in CLASSES:
                label[mask] = CLASSES.index(name)
            if name != "grass":
                rle = encode_masks(mask[None])[0]
                segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
                annotations.append(
                    {
                        "id": len(annotations) + 1, "image_id": number, "iscrowd": 0,
                        "category_id": 1 if name == "disc" else 2, "segmentation": segmentation,
                    }
                )  # fmt: skip
        Image.fromarray(image).save(root / f"{number}.png")
        Image.fromarray(label).save(root / f"{number}_label.png")
        captions = [Caption(10 * number + i, f"a disc beside a square, {i}") for i in range(2)]
        records.append(
            ImageRecord(number, f"{number}.png", SIDE, SIDE, captions, f"{number}_label.png")
        )
    (root / f"{pictures}.png").write_bytes(b"cut short")
    categories = [{"id": 1, "name": "disc"}, {"id": 2, "name": "red square"}]
    images = [{"id": r.image_id, "height": SIDE, "width": SIDE} for r in records]
    content = {"images": images, "categories": categories, "annotations": annotations}
    (root / "annotations" / "instances_all_train2017.json").write_text(json.dumps(content))
    dataset = Dataset("toy", root, CLASSES, [True, True])
    write_dataset(folder, dataset, records, [], root="coco")
    return dataset
