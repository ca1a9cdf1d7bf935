"""The recall of true masks, measured on every picture that can be read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from pipeline.data.instances import TrueMasks, instances_file
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.segmenter.measure import measure_recall
from tests.segmenter.tiny import config, world
from tests.shipped import section


def write_instances(path: Path) -> None:
    """Two zebras and a crowd of them, and something red, in picture 0; nothing in picture 1."""

    def entry(number: int, category: int, box: tuple[int, int, int, int], crowd: int = 0) -> dict:
        mask = np.zeros((70, 90), np.uint8)
        y1, x1, y2, x2 = box
        mask[y1:y2, x1:x2] = 1
        rle = coco_mask.encode(np.asfortranarray(mask))
        return {
            "id": number, "image_id": 0, "category_id": category, "iscrowd": crowd,
            "area": int(mask.sum()), "bbox": [x1, y1, x2 - x1, y2 - y1],
            "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
        }  # fmt: skip

    path.parent.mkdir(parents=True)
    content = {
        "images": [{"id": i, "height": 70, "width": 90} for i in range(5)],
        "categories": [{"id": 3, "name": "zebra"}, {"id": 5, "name": "red"}],
        "annotations": [
            entry(1, 3, (0, 0, 10, 10)),
            entry(2, 3, (20, 0, 30, 10)),
            entry(3, 3, (60, 0, 70, 90), crowd=1),
            entry(4, 5, (0, 50, 35, 90)),
            entry(5, 5, (0, 50, 35, 90)) | {"image_id": 4},
            entry(6, 5, (0, 0, 70, 90)) | {"segmentation": [[5, 5, 5, 9]]},
        ],
    }
    path.write_text(json.dumps(content))


def test_true_masks_are_one_per_category(tmp_path):
    assert instances_file(tmp_path) is None
    write_instances(tmp_path / "annotations/instances_all_val2017.json")
    truth = TrueMasks(instances_file(tmp_path))
    masks = truth.of(0, (70, 90))
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"red": 1400, "zebra": 200}
    assert truth.of(1, (70, 90)) == {}


@pytest.mark.parametrize("short_side", (None, 35))
def test_recall_is_measured_on_every_readable_picture(tmp_path, short_side):
    """Left out: an object of two points, a broken file, one that was resized after indexing, one
    whose objects are of another size."""
    dataset, records = world(tmp_path, 5)
    write_instances(tmp_path / "annotations/instances_all_val2017.json")
    (tmp_path / "2.png").write_bytes(b"broken")
    for number in (3, 4):
        with Image.open(tmp_path / f"{number}.png") as picture:
            picture.resize((45, 35)).save(tmp_path / f"{number}.png")
    records[4] = replace(records[4], width=45, height=35)
    truth = TrueMasks(instances_file(tmp_path))
    torch.manual_seed(0)
    model = MaskFormer(config()).eval()
    how = section(
        "segmenter.measure", mask_layers="last", max_masks=100, short_side=short_side,
        mask_threshold=1e-9, iou_threshold=1 / 9,
    )  # fmt: skip
    rejects = []
    result = measure_recall(model, dataset.root, records, truth, dataset.classes, how, rejects)
    assert (result["objects_closed"], result["objects_never_labelled"]) == (1, 1)
    assert result["recall_closed"] == 1  # 1400 of 6300 pixels, 2/9
    assert result["recall_never_labelled"] == 0  # 200 of 6300
    assert result["overlap_closed"] == pytest.approx(2 / 9, rel=0.1)
    assert [(reject.item, reject.reason) for reject in rejects] == [
        ('instances_all_val2017.json "annotations"[5]', "unusable segmentation"),
        ("2.png", "unreadable picture"),
        ("3.png", "size changed since indexing"),
        ("4.png", "unusable instances"),
    ]
