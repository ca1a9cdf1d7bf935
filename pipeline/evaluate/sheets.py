"""Overlay pictures of an evaluation: picture, ground truth and predictions over one legend."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.records import Reject
from pipeline.evaluate.compare import Comparison, Outcomes
from pipeline.evaluate.params import EvaluateCommon
from pipeline.evaluate.run import readable_pictures
from pipeline.evaluate.variants import ENSEMBLE, Variant
from pipeline.ovseg.semantic import label_map
from pipeline.viz.panel import Column, save_sheet, sheet

LEGEND_CLASSES = 24
"""Most classes a sheet gives a colour; the smallest are left grey."""


def ensemble_columns(clips: list[str], settings: EvaluateCommon) -> dict[str, Variant]:
    """Return the columns that compare the ensembles of these CLIPs."""
    return {
        f"ensemble, {clip} CLIP": Variant(
            ENSEMBLE, clip, settings.mask_threshold, settings.ensemble_weight
        )
        for clip in clips
    }


def draw_sheets(
    folder: Path, comparison: Comparison, at: int, columns: dict[str, Variant], count: int
) -> None:
    """Write `<image id>.png` for `count` pictures, spread evenly over set number `at`.

    columns: title to variant, painted beside the picture and its ground truth. A chosen picture
    that cannot be read is left out. Sheets of an earlier run are removed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sets = comparison.sets
    chosen = [[each.images[i] for each in sets] for i in spread(len(sets[at].images), count)]
    rejects: list[list[Reject]] = [[] for _ in sets]  # the evaluation has listed them already
    for picture in readable_pictures(sets, chosen, rejects):
        [outcomes] = comparison([picture])
        truth, outcome = picture.truths[at], outcomes[at]
        if truth is None or outcome is None:
            continue
        page = draw(picture.image, truth, outcome, columns, sets[at].classes)
        save_sheet(page, folder / f"{picture.name.replace('/', '_')}.png")


def draw(
    image: np.ndarray,
    truth: np.ndarray,
    outcomes: Outcomes,
    columns: dict[str, Variant],
    classes: list[str],
) -> Image.Image:
    """Draw one sheet: the picture, its ground truth and the labels of some variants."""
    predictions = {
        title: label_map(outcomes.probabilities[variant], outcomes.masks, truth.shape).numpy()
        for title, variant in columns.items()
    }
    painted = [Column("picture", None), Column("ground truth", truth)]
    painted += [Column(title, labels) for title, labels in predictions.items()]
    shown = classes_to_show(truth, list(predictions.values()), len(classes))
    return sheet(image, painted, classes, shown)


def spread(total: int, count: int) -> list[int]:
    """Return `count` positions in `0..total-1`, evenly spread; all of them where count >= total."""
    if count >= total:
        return list(range(total))
    return [int(at) for at in np.linspace(0, total - 1, count)]


def classes_to_show(truth: np.ndarray, predictions: list[np.ndarray], classes: int) -> list[int]:
    """Return class ids for the legend: those of the ground truth by area, then those only
    predicted."""
    areas = [_areas(labels, classes) for labels in (truth, *predictions)]
    in_truth = sorted(np.flatnonzero(areas[0]), key=lambda i: -areas[0][i])
    predicted = sum(areas[1:], np.zeros(classes, dtype=np.int64))
    others = sorted(set(np.flatnonzero(predicted)) - set(in_truth), key=lambda i: -predicted[i])
    return [int(i) for i in (*in_truth, *others)][:LEGEND_CLASSES]


def _areas(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes)
