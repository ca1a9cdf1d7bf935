"""Load a trained segmenter from our own folder or from a checkpoint of others."""

from collections import Counter
from pathlib import Path

import torch

from pipeline.checkpoints.import_ import import_segmenter
from pipeline.core.errors import UserError
from pipeline.core.progress import report
from pipeline.maskformer.config import SegmenterConfig
from pipeline.maskformer.maskformer import MaskFormer
from pipeline.maskformer.store import load_segmenter
from pipeline.weights.read import read_tensors


def load_or_import_segmenter(
    path: str | None, device: torch.device, clip_dim: int, architecture: SegmenterConfig
) -> MaskFormer:
    """Load the segmenter at `path`, in evaluation mode.

    path: a folder written by the stage `segmenter`, or a checkpoint file of OVSeg (its CLIP is
    left out) or of a plain MaskFormer (masks only). clip_dim: width D of the text features.
    architecture: of a file that neither describes itself nor is of a published architecture.
    UserError or MissingFileError when there is none or its weights do not fit.
    """
    if path is None:
        raise UserError("segmenter.checkpoint is null: source checkpoint needs a folder or a file")
    if Path(path).is_dir():
        own = load_segmenter(path, device)
        if (reads := own.config.clip_dim) != clip_dim:
            raise UserError(f"{path}: its segmenter is for a CLIP of width {reads}, not {clip_dim}")
        return own
    imported = import_segmenter(read_tensors(path), Path(path), clip_dim, architecture)
    reasons = Counter(imported.left_over.values())
    account = [f"{len(imported.used)} tensors from {path}"]
    account += [f"{number} left over ({why})" for why, number in sorted(reasons.items())]
    report(f"segmenter: {', '.join(account)}")
    for note in imported.notes:
        report(f"segmenter: {note}")
    assert imported.segmenter is not None
    return imported.segmenter.to(device)
