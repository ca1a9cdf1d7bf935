"""Segmentation metrics from a confusion matrix (paper section 4.1), all in percent, 0..100.

mean IoU has two definitions in use, and they differ by up to 4 points where many classes are
absent from the ground truth:

- *legacy*: IoU summed over the classes present in the ground truth, divided by the number of
  classes present in ground truth OR prediction. An absent class that is predicted anywhere thus
  counts as 0. The paper's numbers, and detectron2 until July 2022.
- *current*: mean IoU of the classes present in the ground truth. detectron2 since.

Every key says which one it is. A metric without a single pixel to stand on is None.
"""

import numpy as np

from pipeline.evaluate.confusion import empty_confusion


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of each class, float64 `(K,)` in percent, NaN where the
    class is absent from the ground truth (predicted or not)."""
    return np.where(class_pixels(confusion) > 0, intersection_over_union(confusion), np.nan)


def intersection_over_union(confusion: np.ndarray) -> np.ndarray:
    """Compute the IoU of each class, `(K,)` percent: 0 for one that is only predicted, NaN where it
    is in neither the ground truth nor the prediction."""
    hits, truth, predicted = _marginals(confusion)
    union = truth + predicted - hits
    return _percent(hits, union, where=union > 0)


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Compute the share of each class's pixels that carry its name, `(K,)` percent, NaN where
    absent."""
    hits, truth, _ = _marginals(confusion)
    return _percent(hits, truth, where=truth > 0)


def segmentation_metrics(
    confusion: np.ndarray, seen: list[int] | None = None
) -> dict[str, float | None]:
    """Compute all metrics of one prediction over one set.

    confusion: int64 `(K, K + 1)`, see `pipeline.evaluate.confusion`.
    seen: ids of the seen classes of the split, None without one. They are those the segmenter
        learned only if it was trained with segmenter.training.classes: seen, or has no others.
    Returns `miou_legacy`, `miou_current`, `fwiou` (IoU weighted by true frequency),
    `pixel_accuracy`, `mean_accuracy`; with a split also, for `split` in seen and unseen,
    `miou_<split>_legacy`, `miou_<split>_current`, `pixel_accuracy_<split>`, and the harmonic
    means `hiou_legacy` and `hiou_current`.
    """
    hits, truth, _ = _marginals(confusion)
    everything = np.ones(len(truth), dtype=bool)
    legacy, current = _mean_ious(confusion, everything)
    frequency = truth / max(truth.sum(), 1)
    present = truth > 0
    metrics = {
        "miou_legacy": legacy,
        "miou_current": current,
        "fwiou": _weighted_sum(class_iou(confusion)[present], frequency[present]),
        "pixel_accuracy": _pixel_accuracy(hits, truth, everything),
        "mean_accuracy": _mean(class_accuracy(confusion)[present]),
    }
    if seen is None:
        return metrics
    is_seen = np.isin(np.arange(len(truth)), seen)
    for split, chosen in (("seen", is_seen), ("unseen", ~is_seen)):
        legacy, current = _mean_ious(confusion, chosen)
        metrics[f"miou_{split}_legacy"] = legacy
        metrics[f"miou_{split}_current"] = current
        metrics[f"pixel_accuracy_{split}"] = _pixel_accuracy(hits, truth, chosen)
    for definition in ("legacy", "current"):
        metrics[f"hiou_{definition}"] = harmonic_mean(
            metrics[f"miou_seen_{definition}"], metrics[f"miou_unseen_{definition}"]
        )
    return metrics


def harmonic_mean(a: float | None, b: float | None) -> float | None:
    """Compute the harmonic mean of two percentages: 0 where either is 0, None where either is
    None."""
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def class_pixels(confusion: np.ndarray) -> np.ndarray:
    """Count the ground-truth pixels of each class, int64 `(K,)`."""
    return confusion.sum(axis=1)


def _marginals(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count per class `(K,)`: pixels named rightly, pixels of the class, pixels given its name."""
    assert confusion.shape == empty_confusion(len(confusion)).shape, confusion.shape
    classes = len(confusion)
    predicted = confusion[:, :classes]  # the last column is "nothing predicted"
    return np.diagonal(predicted), confusion.sum(axis=1), predicted.sum(axis=0)


def _mean_ious(confusion: np.ndarray, chosen: np.ndarray) -> tuple[float | None, float | None]:
    """Compute (legacy, current) mean IoU over the classes that `chosen` (K,) bool picks."""
    _, truth, predicted = _marginals(confusion)
    in_truth = chosen & (truth > 0)
    in_either = chosen & ((truth > 0) | (predicted > 0))
    total = float(class_iou(confusion)[in_truth].sum())
    legacy = total / int(in_either.sum()) if in_either.any() else None
    current = total / int(in_truth.sum()) if in_truth.any() else None
    return legacy, current


def _pixel_accuracy(hits: np.ndarray, truth: np.ndarray, chosen: np.ndarray) -> float | None:
    total = truth[chosen].sum()
    return float(100 * hits[chosen].sum() / total) if total else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _weighted_sum(values: np.ndarray, weights: np.ndarray) -> float | None:
    return float((values * weights).sum()) if values.size else None


def _percent(part: np.ndarray, whole: np.ndarray, where: np.ndarray) -> np.ndarray:
    share = np.full(len(part), np.nan)
    np.divide(100.0 * part, whole, out=share, where=where)
    return share
