"""A folder of goldens in the making, and the tiny models of the second one."""

import json
from pathlib import Path

import numpy as np
import torch

from pipeline.clip.store import build_from_config
from pipeline.clip.tower import MaskClip
from tests.golden_checks.original import open_clip_config
from tests.goldens import Golden, index

SIDE = 48
CLIP = {
    "embed_dim": 40, "image_resolution": SIDE, "vision_layers": 3, "vision_width": 48,
    "vision_patch_size": 12, "mask_prompt_depth": 2, "context_length": 40, "vocab_size": 49408,
    "transformer_width": 24, "transformer_heads": 3, "transformer_layers": 1, "vision_heads": 3,
}  # fmt: skip
TOWER = {"image_resolution": SIDE, "patch": 8, "width": 32, "layers": 2, "heads": 4,
         "embed_dim": 24, "mask_prompt_depth": 1}  # fmt: skip
MODEL = {
    "PIXEL_MEAN": [100.0, 110.0, 120.0], "PIXEL_STD": [50.0, 60.0, 70.0],
    "BACKBONE": {"NAME": "D2SwinTransformer", "FREEZE_AT": 0},
    "SEM_SEG_HEAD": {
        "IN_FEATURES": ["res2", "res3", "res4", "res5"], "CONVS_DIM": 64, "NORM": "GN",
        "MASK_DIM": 24, "TRANSFORMER_ENC_LAYERS": 0, "PIXEL_DECODER_NAME": "BasePixelDecoder",
        "EMBEDDING_DIM": 40, "EMBED_HIDDEN_DIM": 20, "EMBED_LAYERS": 3,
    },
    "MASK_FORMER": {
        "NHEADS": 4, "DROPOUT": 0.0, "DIM_FEEDFORWARD": 40, "ENC_LAYERS": 0, "DEC_LAYERS": 2,
        "PRE_NORM": True, "HIDDEN_DIM": 32, "NUM_OBJECT_QUERIES": 7, "SIZE_DIVISIBILITY": 32,
        "TRANSFORMER_IN_FEATURE": "res4", "ENFORCE_INPUT_PROJ": True,
    },
    "SWIN": {
        "PRETRAIN_IMG_SIZE": 64, "PATCH_SIZE": 4, "EMBED_DIM": 12, "DEPTHS": [1, 1, 1, 1],
        "NUM_HEADS": [1, 2, 3, 4], "WINDOW_SIZE": 4, "MLP_RATIO": 2.0, "QKV_BIAS": True,
        "QK_SCALE": None, "DROP_RATE": 0.0, "ATTN_DROP_RATE": 0.0, "DROP_PATH_RATE": 0.0,
        "APE": False, "PATCH_NORM": True,
    },
}  # fmt: skip
NAMES = ["fox", "saturn V", "sand", "lamp post"]


class Writer:
    """Collects one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.described = folder, {}
        self.random = np.random.default_rng(7)
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, about: dict, arrays: dict) -> Golden:
        """Write one file, so that what needs it can read it."""
        plain = {k: v.detach().numpy() if torch.is_tensor(v) else v for k, v in arrays.items()}
        np.savez(self.folder / f"{name}.npz", **plain)
        self.described[name] = about
        (self.folder / "goldens.json").write_text(json.dumps(self.described))
        index.cache_clear()
        return Golden(name, self.folder)

    def pixels(self, *shape: int) -> np.ndarray:
        return self.random.integers(0, 256, shape, dtype=np.uint8)


def random_clip(described: dict, quick_gelu: bool = True) -> MaskClip:
    """A CLIP with features that differ from picture to picture."""
    torch.manual_seed(5)
    clip = build_from_config(open_clip_config(described, quick_gelu)).eval()
    for parameter in clip.clip.visual.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    clip.set_prompts(torch.randn(described["mask_prompt_depth"], *clip.prompt_shape))
    return clip
