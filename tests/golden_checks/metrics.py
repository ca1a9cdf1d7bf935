"""Metrics of the original's evaluator and of detectron2's (g7)."""

import numpy as np
import pytest

from pipeline.evaluate.boundary import boundary_confusion, boundary_iou, least_iou
from pipeline.evaluate.confusion import confusion_matrix
from pipeline.evaluate.metrics import class_accuracy, class_iou, segmentation_metrics
from tests.goldens import Golden

SHARED_KEYS = {"fwiou": "fwIoU", "pixel_accuracy": "pACC", "mean_accuracy": "mACC"}


def check_metrics(golden: Golden) -> None:
    """Every number and cell: mIoU in both definitions, fwIoU, accuracies, IoU, boundary IoU and
    accuracy of each class, seen, unseen and hIoU, the confusion matrix with its ignored pixels."""
    classes, ignored = golden.about["classes"], golden.about["ignore_label"]
    for case, results in golden.about["results_percent"].items():
        confusion = confusion_matrix(
            golden[f"{case}.pred"], golden[f"{case}.gt"], len(classes), ignored
        )
        with_ignored = np.array(results["confusion_rows_pred_cols_gt_last_is_ignore"])
        assert (confusion[:, :-1] == with_ignored[:-1, :-1].T).all(), case
        _check_ignored(golden, case, with_ignored)
        _check_boundaries(golden, case, confusion, results["detectron2"])
        splits = results["evaluation_set"] or {}
        for split, seen in [(None, None), *splits.items()]:
            metrics = segmentation_metrics(confusion, seen)
            for definition, source in (("legacy", "generalized"), ("current", "detectron2")):
                _check_set(metrics, definition, confusion, classes, results[source])
            if split:
                _check_split(metrics, split, results["generalized"])


def _check_ignored(golden: Golden, case: str, expected: np.ndarray) -> None:
    """Ignored pixels counted as a class of their own: rows predicted, columns true."""
    classes, ignored = len(golden.about["classes"]), golden.about["ignore_label"]
    truth = golden[f"{case}.gt"].astype(int)
    truth[truth == ignored] = classes
    everything = confusion_matrix(golden[f"{case}.pred"], truth, classes + 1, ignored)
    assert (everything[:, :-1] == expected.T).all(), case


def _check_boundaries(golden: Golden, case: str, confusion: np.ndarray, expected: dict) -> None:
    classes, ignored = golden.about["classes"], golden.about["ignore_label"]
    boundaries = sum(
        boundary_confusion(pred, truth, len(classes), ignored)
        for pred, truth in zip(golden[f"{case}.pred"], golden[f"{case}.gt"], strict=True)
    )
    boundary = boundary_iou(boundaries)
    least = least_iou(class_iou(confusion), boundary)
    for label, ours, ours_least in zip(classes, boundary, least, strict=True):
        _same_class(ours, expected[f"BoundaryIoU-{label}"])
        _same_class(ours_least, expected[f"min(IoU, B-Iou)-{label}"])


def _check_set(
    metrics: dict, definition: str, confusion: np.ndarray, classes: list[str], expected: dict
) -> None:
    _same(metrics, f"miou_{definition}", expected["mIoU"])
    for ours, theirs in SHARED_KEYS.items():
        _same(metrics, ours, expected[theirs])
    for ours, theirs in ((class_iou, "IoU"), (class_accuracy, "ACC")):
        values = ours(confusion)
        for value, label in zip(values, classes, strict=True):
            _same_class(value, expected[f"{theirs}-{label}"])


def _check_split(metrics: dict, split: str, expected: dict) -> None:
    _same(metrics, "miou_seen_legacy", expected[f"mIoU-{split}"])
    _same(metrics, "miou_unseen_legacy", expected[f"mIoU-un{split}"])
    _same(metrics, "pixel_accuracy_seen", expected[f"pAcc-{split}"])
    _same(metrics, "pixel_accuracy_unseen", expected[f"pAcc-un{split}"])
    _same(metrics, "hiou_legacy", expected[f"hIoU-{split}"])


def _same_class(value: float, expected: float | None) -> None:
    """null is NaN: nothing to stand on."""
    wanted = np.nan if expected is None else expected
    assert value == pytest.approx(wanted, abs=1e-9, nan_ok=True)


def _same(metrics: dict, key: str, expected: float | None) -> None:
    assert metrics[key] == (None if expected is None else pytest.approx(expected, abs=1e-9)), key
