"""Taking a trained segmenter over: our own folder, or a checkpoint of others."""

from collections import Counter
from pathlib import Path

import torch

from pipeline.checkpoints.receive import receive_segmenter
from pipeline.core.errors import UserError
from pipeline.core.progress import report
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import load_segmenter
from pipeline.weights.read import read_tensors


def take_segmenter(path: str | None, device: torch.device, clip_dim: int) -> MaskFormer:
    """The segmenter at `path`, in evaluation mode.

    path: a folder written by the stage `segmenter`, or a checkpoint file of OVSeg (its CLIP is
    left out) or of a plain MaskFormer (masks only), for text features of width `clip_dim`.
    UserError or MissingFileError when there is none or its weights do not fit.
    """
    if path is None:
        raise UserError("segmenter.checkpoint is null: source checkpoint needs a folder or a file")
    if Path(path).is_dir():
        own = load_segmenter(path, device)
        if (reads := own.config.clip_dim) != clip_dim:
            raise UserError(f"{path}: its segmenter is for a CLIP of width {reads}, not {clip_dim}")
        return own
    taken = receive_segmenter(read_tensors(path), Path(path), clip_dim)
    reasons = Counter(taken.left_over.values())
    left = ", ".join(f"{number} left over ({why})" for why, number in sorted(reasons.items()))
    report(f"segmenter: {len(taken.used)} tensors from {path}{left and f', {left}'}")
    for note in taken.notes:
        report(f"segmenter: {note}")
    assert taken.segmenter is not None
    return taken.segmenter.to(device)
