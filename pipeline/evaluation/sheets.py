"""Overlay pictures of an evaluation: picture, ground truth and predictions over one legend."""

from pathlib import Path

import numpy as np

from pipeline.data.sets import EvalSet
from pipeline.evaluation.look import Picture, View
from pipeline.evaluation.settings import EvaluationSettings
from pipeline.evaluation.variants import ENSEMBLE, Variant
from pipeline.ovseg.panel import Column, save_sheet, sheet
from pipeline.ovseg.semantic import label_map

LEGEND_CLASSES = 24
"""Most classes a sheet gives a colour; the smallest are left grey."""


def ensemble_columns(clips: list[str], settings: EvaluationSettings) -> dict[str, Variant]:
    """Columns that compare the ensembles of these CLIPs."""
    return {
        f"ensemble, {clip} CLIP": Variant(
            ENSEMBLE, clip, settings.mask_threshold, settings.ensemble_weight
        )
        for clip in clips
    }


class SheetWriter:
    """Draws a few pictures of a set, spread evenly over it, while the set is evaluated.

    columns: title to variant, painted beside the picture and its ground truth.
    """

    def __init__(
        self, folder: Path, eval_set: EvalSet, columns: dict[str, Variant], count: int
    ) -> None:
        self.folder = folder
        self.eval_set = eval_set
        self.columns = columns
        self.chosen = spread(len(eval_set.images), count)

    def __call__(self, picture: Picture, view: View) -> None:
        """Write `<image id>.png` if the picture is one of the chosen."""
        if picture.index not in self.chosen:
            return
        hw = picture.truth.shape
        predictions = {
            name: label_map(view.probabilities[variant], view.masks, hw).cpu().numpy()
            for name, variant in self.columns.items()
        }
        columns = [
            Column("picture", None),
            Column("ground truth", picture.truth),
            *(Column(name, labels) for name, labels in predictions.items()),
        ]
        classes = len(self.eval_set.classes)
        shown = classes_to_show(picture.truth, list(predictions.values()), classes)
        page = sheet(picture.image, columns, self.eval_set.classes, shown)
        name = str(self.eval_set.images[picture.index].image_id).replace("/", "_")
        save_sheet(page, self.folder / f"{name}.png")


def spread(total: int, count: int) -> set[int]:
    """`count` positions in `0..total-1`, evenly spread; all of them where count >= total."""
    if count >= total:
        return set(range(total))
    return {int(at) for at in np.linspace(0, total - 1, count)} if count > 0 else set()


def classes_to_show(truth: np.ndarray, predictions: list[np.ndarray], classes: int) -> list[int]:
    """Class ids for the legend: those of the ground truth by area, then those only predicted."""
    areas = [_areas(labels, classes) for labels in (truth, *predictions)]
    in_truth = sorted(np.flatnonzero(areas[0]), key=lambda i: -areas[0][i])
    predicted = sum(areas[1:], np.zeros(classes, dtype=np.int64))
    others = sorted(set(np.flatnonzero(predicted)) - set(in_truth), key=lambda i: -predicted[i])
    return [int(i) for i in (*in_truth, *others)][:LEGEND_CLASSES]


def _areas(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes)
