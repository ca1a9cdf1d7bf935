"""Counting which class was predicted where another stands: the one table all metrics come from.

A confusion matrix here is int64 `(K, K + 1)`: row = class in the ground truth, column = class
predicted, last column = pixels for which nothing was predicted. Ignored pixels are counted
nowhere (convention 9 of the method: a prediction on an ignored pixel counts in no metric).
"""

import numpy as np

NOTHING = -1
"""Predicted label of a pixel that no mask names. It misses the true class and accuses none."""


def empty_confusion(classes: int) -> np.ndarray:
    """Return a matrix of zeros, int64 `(classes, classes + 1)`."""
    assert classes >= 1, classes
    return np.zeros((classes, classes + 1), dtype=np.int64)


def confusion_matrix(
    prediction: np.ndarray, truth: np.ndarray, classes: int, ignore_label: int
) -> np.ndarray:
    """Count one picture, or one band of it.

    prediction: integers in `-1..classes-1` (-1 = `NOTHING`), any shape.
    truth: integers in `0..classes-1` or `ignore_label`, the same shape.
    Returns int64 `(classes, classes + 1)`.
    Raises ValueError for a shape or a value outside these ranges.
    """
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction is {prediction.shape} but the ground truth is {truth.shape}: "
            "both must have the size of the label file"
        )
    counted = truth != ignore_label
    rows = truth[counted].astype(np.int64)
    columns = prediction[counted].astype(np.int64)
    if rows.size == 0:
        return empty_confusion(classes)
    if rows.min() < 0 or rows.max() >= classes:
        raise ValueError(
            f"the ground truth holds labels {rows.min()}..{rows.max()}, but there are {classes} "
            f"classes (0..{classes - 1}) and the ignore label is {ignore_label}: check label_map"
        )
    if columns.min() < NOTHING or columns.max() >= classes:
        raise ValueError(
            f"the prediction holds labels {columns.min()}..{columns.max()}; "
            f"expected {NOTHING}..{classes - 1}"
        )
    columns[columns == NOTHING] = classes
    width = classes + 1
    counts = np.bincount(rows * width + columns, minlength=classes * width)
    return counts.reshape(classes, width)
