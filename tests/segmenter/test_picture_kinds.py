"""Stage `segmenter` on pictures and label maps of odd kinds: the same as on plain 8-bit PNGs.

COCO finds pictures by their names and reads them by their content, so each `.jpg` here is a file of
another kind. Every picture has a square of 26 x 26 = 676 pixels.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import load_file

from pipeline.clip.store import save_clip
from pipeline.data.dataset import read_split
from pipeline.data.instances import TrueMasks, instances_file
from pipeline.data.prepare import prepare
from stages.segmenter import main
from tests.data.folders import WORLD, write_json
from tests.data.test_labels import gray_png
from tests.ovseg.tiny import tiny_clip
from tests.shipped import PARAMS

SQUARE = [4, 4, 30, 4, 30, 30, 4, 30]
BICYCLE, CAR = 1, 2  # as COCO-Stuff stores them


def shapes(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A gray picture, uint8 (64, 64) with a pixel of 255, and its label map."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 90, (64, 64)).astype(np.uint8)
    pixels[4:30, 4:30] += 120
    pixels[63, 63] = 255
    label = np.full((64, 64), CAR, np.uint8)
    label[4:30, 4:30] = BICYCLE
    return pixels, label


def plain(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path, "PNG")


def turned_tiff(path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save(path, "TIFF", exif=exif)


def float_tiff(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray((pixels / 255).astype(np.float32)).save(path, "TIFF")


def twelve_bit_tiff(path: Path, pixels: np.ndarray) -> None:
    deep = np.rint(pixels / 255 * 4095).astype(np.uint16)
    path.write_bytes(cv2.imencode(".tif", np.stack([deep] * 3, -1))[1].tobytes())


def sixteen_bit_png(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.astype(np.uint16) * 257).save(path, "PNG")


KINDS = [turned_tiff, float_tiff, twelve_bit_tiff, sixteen_bit_png]


def make_root(root: Path, is_odd: bool) -> Path:
    """COCO of a picture of each kind and split; odd label maps are gray of 2 and 4 bits."""
    for split in ("train2017", "val2017"):
        pictures, maps = root / "coco" / split, root / "coco/stuffthingmaps" / split
        pictures.mkdir(parents=True)
        maps.mkdir(parents=True)
        for number, write in enumerate(KINDS, start=1):
            pixels, label = shapes(number)
            (write if is_odd else plain)(pictures / f"{number:012d}.jpg", pixels)
            gray_png(maps / f"{number:012d}.png", label, (2 + 2 * (number % 2)) if is_odd else 8)
        ids = range(1, len(KINDS) + 1)
        images = [{"id": i, "height": 64, "width": 64} for i in ids]
        captions = [{"id": i, "image_id": i, "caption": "A bicycle."} for i in ids]
        objects = [
            {"id": i, "image_id": i, "category_id": 2, "segmentation": [SQUARE]} for i in ids
        ]
        folder = root / "coco/annotations"
        write_json(folder / f"captions_{split}.json", {"images": images, "annotations": captions})
        categories = [{"id": 2, "name": "bicycle"}]
        content = {"images": images, "annotations": objects, "categories": categories}
        write_json(folder / f"instances_{split}.json", content)
    return root


def run(folder: Path, is_odd: bool) -> tuple[dict, dict]:
    """Weights and metrics of a segmenter of two steps on one of the roots."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(PARAMS.read_text())
    params["segmenter"]["warm_start"] = None
    params["segmenter"]["architecture"] |= {
        "clip_dim": 16, "conv_dim": 32, "mask_dim": 24, "hidden_dim": 32, "feedforward": 48,
        "decoder_layers": 2, "queries": 4, "class_hidden": 20,
    }  # fmt: skip
    params["segmenter"]["training"] |= {
        "steps": 2, "batch_size": 2, "crop": 64, "min_short_side": 64, "max_short_side": 64,
    }  # fmt: skip
    folder.mkdir()
    with open(folder / "params.yaml", "w") as file:
        yaml.dump(params, file)
    root = make_root(folder / "root", is_odd)
    counts = prepare("coco", str(root), [], WORLD, folder / "dataset")
    assert counts["train"] == {"pictures": 4, "captions": 4, "label_maps": 4}
    assert counts["rejects"] == {}
    save_clip(folder / "clip", tiny_clip(), "tiny")
    main(
        dataset=folder / "dataset",
        clip=folder / "clip",
        out=folder / "out",
        metrics=folder / "metrics.json",
        params=folder / "params.yaml",
        checkpoints=folder / "checkpoints",
    )
    truth = TrueMasks(instances_file(root / "coco"))
    areas = [truth.of(r.image_id, (64, 64)) for r in read_split(folder / "dataset", "val")]
    assert [{name: int(mask.sum()) for name, mask in area.items()} for area in areas] == [
        {"bicycle": 676}
    ] * 4
    metrics = json.loads((folder / "metrics.json").read_text())
    return load_file(folder / "out/segmenter.safetensors"), metrics


def test_what_is_learned_does_not_depend_on_how_pictures_and_maps_are_stored(tmp_path):
    weights, metrics = run(tmp_path / "plain", False)
    odd_weights, odd_metrics = run(tmp_path / "odd", True)
    assert metrics["rejected"] == 0 and odd_metrics == metrics
    assert all(weights[key].equal(odd_weights[key]) for key in weights)
