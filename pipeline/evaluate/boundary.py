"""Boundary IoU as detectron2's SemSegEvaluator reports it, for comparison with logs of its users.

It erodes the map of label ids, not one mask per class as Cheng et al. (CVPR 2021) do: what is left
of a pixel is its id minus the smallest id within 2% of the picture's diagonal. These differences
are then counted like labels, so pixels far from any edge count as class 0, and a class that
is in no picture can have a boundary IoU. Compare it only with numbers computed in the same way.
"""

import numpy as np
from scipy.ndimage import minimum_filter

from pipeline.evaluate.confusion import NOTHING, confusion_matrix
from pipeline.evaluate.metrics import intersection_over_union

REACH = 0.02
"""Share of the picture's diagonal that a boundary is wide."""


def boundary_labels(labels: np.ndarray) -> np.ndarray:
    """Return ids `(H, W)`, at least 0, minus the smallest id in reach of each; beyond the picture
    it is 0, so that a pixel near its edge keeps its id. int64 `(H, W)`."""
    labels = labels.astype(np.int64)  # bytes could not hold NOTHING
    reach = max(1, round(REACH * float(np.hypot(*labels.shape))))
    return labels - minimum_filter(labels, size=2 * reach + 1, mode="constant", cval=0)


def boundary_confusion(
    prediction: np.ndarray, truth: np.ndarray, classes: int, ignore_label: int
) -> np.ndarray:
    """Count the boundaries of one whole picture, as `confusion_matrix` counts its labels.

    prediction: int `(H, W)` in `-1..classes-1`. truth: int `(H, W)` in `0..classes-1` or
    `ignore_label`. Ignored and unnamed pixels take part in the erosion as id `classes`.
    Returns int64 `(classes, classes + 1)`.
    """
    predicted = boundary_labels(np.where(prediction == NOTHING, classes, prediction))
    true = boundary_labels(np.where(truth == ignore_label, classes, truth))
    predicted[predicted == classes] = NOTHING
    return confusion_matrix(predicted, true, classes, ignore_label=classes)


def boundary_iou(confusion: np.ndarray) -> np.ndarray:
    """Compute `(K,)` percent from the sum of `boundary_confusion`; NaN where nothing is in
    either."""
    return intersection_over_union(confusion)


def least_iou(iou: np.ndarray, boundary: np.ndarray) -> np.ndarray:
    """Return the lower of a class's IoU and boundary IoU, `(K,)`: NaN without the first, the first
    without the second."""
    return np.where(np.isnan(boundary), iou, np.minimum(iou, boundary))
