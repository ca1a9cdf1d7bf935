"""An evaluation as tables, all in one folder, and its metrics as nested numbers.

    classes.csv   one line per class: pixels in the ground truth, seen, IoU of every variant; with
                  boundary_iou also the boundary IoU, and the lower of both
    branches.csv  one line per variant of the table, for a bar plot
    sweep.csv     ensemble weight against mIoU (legacy) of every CLIP at the main threshold
    grid.csv      the whole grid of threshold and weight, long format
    rejects.parquet

CSV files are made for `dvc plots` and for spreadsheets.
"""

import csv
from pathlib import Path

import numpy as np

from pipeline.core.files.atomic import replacing
from pipeline.core.records import Reject, write_parquet
from pipeline.data.sets import EvalSet
from pipeline.evaluate import variants as branch
from pipeline.evaluate.boundary import boundary_iou, least_iou
from pipeline.evaluate.metrics import class_iou, class_pixels, segmentation_metrics
from pipeline.evaluate.params import EvaluateCommon
from pipeline.evaluate.run import Evaluation
from pipeline.evaluate.variants import (
    Variant,
    boundaries_of,
    main_variants,
    sweep_variants,
    thresholds_of,
    weights_of,
)

DIGITS = 4
"""Of percentages in files: more would be noise of the arithmetic."""


def write_report(
    folder: Path,
    evaluation: Evaluation,
    eval_set: EvalSet,
    clips: list[str],
    settings: EvaluateCommon,
) -> dict:
    """Write all tables into `folder`; returns the nested metrics."""
    main = main_variants(clips, settings.mask_threshold, settings.ensemble_weight)
    metrics = nested_metrics(evaluation, eval_set, clips, settings)
    outlined = boundaries_of(main, settings)
    write_csv(folder / "classes.csv", class_rows(evaluation, eval_set, main, outlined))
    write_csv(folder / "branches.csv", branch_rows(evaluation, eval_set, main))
    grid = sweep_variants(clips, thresholds_of(settings), weights_of(settings))
    scores = {variant: _score(evaluation, eval_set, variant) for variant in grid}
    write_csv(folder / "sweep.csv", sweep_rows(scores, clips, settings))
    write_csv(folder / "grid.csv", grid_rows(scores))
    write_parquet(folder / "rejects.parquet", evaluation.rejects, Reject)
    return metrics


def nested_metrics(
    evaluation: Evaluation, eval_set: EvalSet, clips: list[str], settings: EvaluateCommon
) -> dict:
    """Return all metrics of the set, in percent, as the stage's metrics file holds them.

    Keys: set (counts), segmenter, oracle_names, and per CLIP: clip, ensemble, oracle_masks, each
    with the metrics of `pipeline.evaluate.metrics`, and best_of_sweep.
    """
    reasons = [reject.reason for reject in evaluation.rejects]
    pixels = class_pixels(_confusion(evaluation, eval_set, Variant(branch.SEGMENTER)))
    metrics: dict = {
        "set": {
            "images": evaluation.images,
            "rejected": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
            "classes": len(eval_set.classes),
            "classes_in_truth": int((pixels > 0).sum()),
        }
    }
    for variant in main_variants(clips, settings.mask_threshold, settings.ensemble_weight):
        place = metrics.setdefault(variant.clip, {}) if variant.clip else metrics
        place[variant.branch] = _score(evaluation, eval_set, variant)
    for clip in clips:
        grid = sweep_variants([clip], thresholds_of(settings), weights_of(settings))
        metrics[clip]["best_of_sweep"] = _best(evaluation, eval_set, grid)
    return metrics


def class_rows(
    evaluation: Evaluation,
    eval_set: EvalSet,
    variants: list[Variant],
    outlined: dict[Variant, Variant],
) -> list[dict]:
    """Return one row per class; an IoU is empty where the class is absent from the ground truth, a
    boundary IoU where no boundary of that id is in truth or prediction.

    outlined: to a variant that of its boundaries, where they were counted.
    """
    confusions = {variant: _confusion(evaluation, eval_set, variant) for variant in variants}
    pixels = class_pixels(confusions[variants[0]])
    ious = {f"iou_{title(v, '_')}": class_iou(c) for v, c in confusions.items()}
    for variant, outline in outlined.items():
        boundary = boundary_iou(_confusion(evaluation, eval_set, outline))
        ious[f"boundary_iou_{title(variant, '_')}"] = boundary
        least = least_iou(ious[f"iou_{title(variant, '_')}"], boundary)
        ious[f"least_iou_{title(variant, '_')}"] = least
    return [
        {
            "id": class_id,
            "class": name,
            "seen": "" if eval_set.seen is None else int(class_id in eval_set.seen),
            "pixels": int(pixels[class_id]),
            **{column: _rounded(iou[class_id]) for column, iou in ious.items()},
        }
        for class_id, name in enumerate(eval_set.classes)
    ]


def branch_rows(evaluation: Evaluation, eval_set: EvalSet, variants: list[Variant]) -> list[dict]:
    """Return one row per variant: its title and both mean IoUs."""
    rows = []
    for variant in variants:
        score = _score(evaluation, eval_set, variant)
        keys = ("miou_legacy", "miou_current")
        rows.append({"branch": title(variant, " "), **{key: score[key] for key in keys}})
    return rows


def sweep_rows(
    scores: dict[Variant, dict], clips: list[str], settings: EvaluateCommon
) -> list[dict]:
    """Return one row per weight: legacy mIoU of every CLIP at the main threshold."""
    return [
        {"weight": weight}
        | {
            clip: scores[Variant(branch.ENSEMBLE, clip, settings.mask_threshold, weight)][
                "miou_legacy"
            ]
            for clip in clips
        }
        for weight in weights_of(settings)
    ]


def grid_rows(scores: dict[Variant, dict]) -> list[dict]:
    """Return one row per CLIP, threshold and weight."""
    return [
        {
            "clip": variant.clip,
            "threshold": variant.threshold,
            "weight": variant.weight,
            "miou_legacy": score["miou_legacy"],
            "miou_current": score["miou_current"],
        }
        for variant, score in scores.items()
    ]


def title(variant: Variant, joint: str) -> str:
    """Return a variant in words, such as "base ensemble" or "segmenter", joined by `joint`."""
    return joint.join(part.replace("_", joint) for part in (variant.clip, variant.branch) if part)


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows with the keys of the first as header; None is an empty cell."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _best(evaluation: Evaluation, eval_set: EvalSet, grid: list[Variant]) -> dict:
    """Return the grid point with the best legacy mIoU; the first of equals."""
    scores = [(_score(evaluation, eval_set, variant)["miou_legacy"], variant) for variant in grid]
    score, variant = max(scores, key=lambda pair: -1.0 if pair[0] is None else pair[0])
    return {"weight": variant.weight, "threshold": variant.threshold, "miou_legacy": score}


def _score(evaluation: Evaluation, eval_set: EvalSet, variant: Variant) -> dict:
    metrics = segmentation_metrics(_confusion(evaluation, eval_set, variant), eval_set.seen)
    return {key: _rounded(value) for key, value in metrics.items()}


def _confusion(evaluation: Evaluation, eval_set: EvalSet, variant: Variant) -> np.ndarray:
    """Return a variant's matrix; all zeros where no picture could be counted."""
    empty = np.zeros((len(eval_set.classes), len(eval_set.classes) + 1), dtype=np.int64)
    return evaluation.confusions.get(variant, empty)


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), DIGITS)
