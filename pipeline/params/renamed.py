"""Keys of params.yaml that have another name now, so that an older file says what to change."""

from typing import Any

RENAMED = {
    "pretrain_clip.batch": "batch_size",
    "pretrain_clip.warmup": "warmup_steps",
    "segmenter.training.backbone_factor": "backbone_multiplier",
    "segmenter.training.clip_gradient": "max_grad_norm",
    "segmenter.training.count_ignored": "ignored_as_background",
    "segmenter.training.least_short_side": "min_short_side",
    "segmenter.training.most_short_side": "max_short_side",
    "segmenter.training.most_of_one_class": "single_category_max_area",
    "segmenter.measure.masks_of": "mask_layers",
    "segmenter.measure.most_masks": "max_masks",
    "segmenter.measure.overlap": "iou_threshold",
    "proposals.masks_of": "mask_layers",
    "proposals.most_masks": "max_masks",
    "pairs.masks": "mask_source",
    "pairs.names": "name_source",
}
"""The dotted old key -> its new name in the same section."""


def renamed_keys(content: Any) -> list[str]:
    """Return what to write instead of each key of a parsed params.yaml that has an old name, as
    "proposals.most_masks is now max_masks"."""
    return [f"{old} is now {new}" for old, new in RENAMED.items() if _has(content, old)]


def _has(content: Any, place: str) -> bool:
    for key in place.split("."):
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True
