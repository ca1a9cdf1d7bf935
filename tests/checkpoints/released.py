"""Checkpoints as others write them: random weights under the released files' keys."""

from pathlib import Path

import torch
from torch import Tensor

from pipeline.checkpoints.layout import CLASS_MLP, CLIP, COLOURS, FIXED_CLASSES, NO_OBJECT
from tests.goldens import FOLDER

KEY_LISTS = sorted(FOLDER.glob("keys_*.tsv"))
POOL = 1 << 22


def random_state(key_list: Path, seed: int = 0) -> dict[str, Tensor]:
    """Every key of a list with its dtype and shape, filled with repeated random numbers (a large
    tensor costs a copy), small enough for the sums of a deep network to stay finite."""
    generator = torch.Generator().manual_seed(seed)
    pool = torch.randn(POOL, generator=generator) * 0.02
    state = {}
    for line in key_list.read_text().splitlines()[1:]:
        key, dtype, shape = line.split("\t")
        sizes = [] if shape == "scalar" else [int(side) for side in shape.split("x")]
        count = int(torch.tensor(sizes).prod()) if sizes else 1
        start = int(torch.randint(POOL // 2, (), generator=generator))
        values = pool[start:].repeat(-(-count // (POOL - start)))[:count].reshape(sizes)
        if key.endswith(("running_var", "norm.weight", "std")):
            values = values.abs() + 0.5
        state[key] = values.to(getattr(torch, dtype)).clone()
    return state


def plain_maskformer(state: dict[str, Tensor], classes: int = 150) -> dict[str, Tensor]:
    """An OVSeg state dict turned into a plain MaskFormer's: no CLIP, a fixed class layer, and the
    pixel decoder where MaskFormer's first checkpoints had it."""
    hidden = state["sem_seg_head.predictor.query_embed.weight"].shape[1]
    plain = {
        key.replace("sem_seg_head.pixel_decoder.", "sem_seg_head."): value
        for key, value in state.items()
        if not key.startswith((CLIP, CLASS_MLP)) and key not in (*COLOURS, NO_OBJECT)
    }
    weight, bias = FIXED_CLASSES
    plain[weight], plain[bias] = torch.randn(classes + 1, hidden), torch.randn(classes + 1)
    return plain


def key_list(path) -> dict[str, torch.Tensor]:
    """A released checkpoint's keys as tensors without content."""
    state = {}
    for line in path.read_text().splitlines()[1:]:
        key, dtype, shape = line.split("\t")
        sizes = [] if shape == "scalar" else [int(side) for side in shape.split("x")]
        state[key] = torch.empty(sizes, dtype=getattr(torch, dtype), device="meta")
    return state
