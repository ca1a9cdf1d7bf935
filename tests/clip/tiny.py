"""Small CLIPs and small folders of pairs that the tests make for themselves."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pipeline.clip.store import build_from_config
from pipeline.clip.tower import MaskClip
from pipeline.core.shards import run_shards

CONFIG = {
    "embed_dim": 16,
    "quick_gelu": False,
    "vision_cfg": {
        "image_size": 24, "patch_size": 8, "width": 32, "head_width": 16, "layers": 3,
    },
    "text_cfg": {
        "context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2,
    },
}  # fmt: skip


def tiny_clip(seed: int = 0, depth: int = 0) -> MaskClip:
    """A random CLIP: 24 px in 3 x 3 patches, 3 blocks, features of 16; `depth` mask prompts."""
    torch.manual_seed(seed)
    clip = build_from_config(CONFIG).eval()
    clip.deepen_prompts(depth, torch.Generator().manual_seed(seed))
    return clip


COLOURS = {"cherry": (220, 30, 40), "leaf": (40, 190, 60), "sea": (30, 60, 210)}


def write_pairs(folder: Path, count: int, per_shard: int = 100, seed: int = 0) -> Path:
    """Shards as the stage `pairs` writes them: wedges, whose colour is told by their noun,
    on noise. Image ids are 0, 0, 1, 1, 2 ...: two pairs a picture."""
    rng = np.random.default_rng(seed)

    def make(numbers: list[int], folder: Path) -> dict:
        with tarfile.open(folder / "pairs.tar", "w") as tar:
            for i in numbers:
                noun = list(COLOURS)[rng.integers(len(COLOURS))]
                crop, mask = wedge(COLOURS[noun], rng)
                _add(tar, f"{i:06d}.png", _png(crop))
                _add(tar, f"{i:06d}.mask.png", _png(mask.astype(np.uint8) * 255))
                _add(tar, f"{i:06d}.txt", noun.encode())
                _add(tar, f"{i:06d}.json", json.dumps({"image_id": i // 2}).encode())
        return {}

    run_shards(folder, range(count), per_shard, make, {"seed": seed}, "pairs", names=["pairs.tar"])
    return folder


def wedge(colour: tuple[int, int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """crop (h, w, 3) uint8 and mask (h, w) bool of the lower left half on noise, sides 8 to 30 px:
    of 3 x 3 patches, one is all background."""
    height, width = (int(side) for side in rng.integers(8, 31, size=2))
    y, x = np.mgrid[:height, :width]
    mask = y * width >= x * height
    crop = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    shade = np.clip(np.array(colour) + rng.normal(0, 12, (height, width, 3)), 0, 255)
    crop[mask] = shade[mask].astype(np.uint8)
    return crop, mask


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
