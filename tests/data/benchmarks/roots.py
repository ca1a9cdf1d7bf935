"""Miniature data roots in the official layouts, two pictures of 6 x 8 a set."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.data.folders import save_label, save_picture, write_json

CHECKER = np.indices((6, 8)).sum(0) % 2


def make_ade150(root: Path) -> None:
    folder = root / "ADEChallengeData2016"
    for number, values in ((1, (1, 150)), (2, (0, 15))):
        save_picture(folder / f"images/validation/ADE_val_{number:08d}.jpg")
        label = np.array(values, np.uint8)[CHECKER]
        save_label(folder / f"annotations/validation/ADE_val_{number:08d}.png", label)


def seg_png(index: np.ndarray) -> np.ndarray:
    """The official colours of an index: R = index // 256 * 10, G = index % 256, B = instance."""
    return np.stack([index // 256 * 10, index % 256, np.full_like(index, 7)], -1).astype(np.uint8)


def make_ade_full(root: Path, height: int = 6, width: int = 8) -> None:
    """Picture 1: wall (2978) and an index outside the 847 classes; picture 2: unlabelled, sky."""
    folder = root / "ADE20K_2021_17_01/images/ADE/validation"
    checker = np.indices((height, width)).sum(0) % 2
    for number, scene, values in ((1, "urban/street", (2978, 1)), (2, "bedroom", (0, 2420))):
        name = f"ADE_val_{number:08d}"
        save_picture(folder / scene / f"{name}.jpg", height, width)
        save_label(folder / scene / f"{name}_seg.png", seg_png(np.array(values)[checker]))
        save_label(folder / scene / name / "instance_000_x.png", np.zeros((2, 2), np.uint8))


def make_voc(root: Path) -> None:
    folder = root / "VOCdevkit/VOC2012"
    for name in ("2007_000032", "2007_000033", "2007_000039"):
        save_picture(folder / f"JPEGImages/{name}.jpg")
        label = np.array((0, 20), np.uint8)[CHECKER]
        label[0] = 255
        save_label(folder / f"SegmentationClass/{name}.png", label)
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2007_000032\n2007_000033\n")


def make_context(root: Path) -> None:
    """Picture 1: table (397) and accordion (1); picture 2: unlabelled and wood (458)."""
    folder = root / "VOCdevkit/VOC2010"
    for name, values in (("2008_000002", (397, 1)), ("2008_000003", (0, 458))):
        save_picture(folder / f"JPEGImages/{name}.jpg")
        (folder / "trainval").mkdir(exist_ok=True)
        label = np.array(values, np.uint16)[CHECKER]
        savemat(folder / f"trainval/{name}.mat", {"LabelMap": label})
    save_picture(folder / "JPEGImages/2008_000001.jpg")  # not in the validation list


def make_panoptic(root: Path) -> None:
    """One picture: a person (1), a crowd of persons, wall (199), the rest unlabelled."""
    save_picture(root / "coco/val2017/000000000001.jpg")
    ids = np.zeros((6, 8), np.int64)
    ids[:2], ids[2:4], ids[4:, :4] = 70_000, 300, 5
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    save_label(root / "coco/annotations/panoptic_val2017/000000000001.png", colours)
    segments = [(70_000, 1, 0), (300, 1, 1), (5, 199, 0)]
    write_json(
        root / "coco/annotations/panoptic_val2017.json",
        {
            "annotations": [
                {
                    "file_name": "000000000001.png",
                    "segments_info": [
                        {"id": i, "category_id": c, "iscrowd": crowd} for i, c, crowd in segments
                    ],
                }
            ]
        },
    )
