"""Taking a trained segmenter over: our own folder, or a checkpoint of the original."""

from pathlib import Path

import torch

from pipeline.progress import report
from pipeline.segmenter.infer import infer_config
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.store import check_fit, load_segmenter
from pipeline.weights.read import read_tensors

ELSEWHERE = ("clip_adapter.clip_model.", "clip_adapter.pixel_", "criterion.empty_weight")
"""Keys of a released checkpoint that are not the segmenter's: the CLIP, constants."""


def take_segmenter(path: str | None, device: torch.device) -> MaskFormer:
    """The segmenter at `path`, in evaluation mode.

    path: a folder written by this stage, or a released OVSeg checkpoint file (its CLIP is left
    out). ValueError or FileNotFoundError when there is none or its weights do not fit.
    """
    if path is None:
        raise ValueError("segmenter.checkpoint is null: source checkpoint needs a folder or a file")
    if Path(path).is_dir():
        return load_segmenter(path, device)
    state = read_tensors(path).tensors
    own = {key: value for key, value in state.items() if not key.startswith(ELSEWHERE)}
    try:
        model = MaskFormer(infer_config(own))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    check_fit(model, own, path)
    model.load_state_dict(own)
    report(f"segmenter: {len(own)} tensors from {path}, {len(state) - len(own)} belong elsewhere")
    return model.to(device).eval()
