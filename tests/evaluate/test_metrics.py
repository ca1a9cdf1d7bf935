import numpy as np
import pytest

from pipeline.evaluate.metrics import class_iou, harmonic_mean, segmentation_metrics


def matrix(*rows):
    return np.array(rows, dtype=np.int64)


def test_two_classes_worked_by_hand():
    # class a: 3 right, 1 called b; class b: 4 right, 2 left unnamed
    confusion = matrix([3, 1, 0], [0, 4, 2])
    ious = [3 / 4, 4 / 7]  # unions 3+1 and 4+2+1
    metrics = segmentation_metrics(confusion)
    assert class_iou(confusion) == pytest.approx([100 * iou for iou in ious])
    assert metrics == pytest.approx(
        {
            "miou_legacy": 100 * sum(ious) / 2,
            "miou_current": 100 * sum(ious) / 2,
            "fwiou": 100 * (0.4 * ious[0] + 0.6 * ious[1]),
            "pixel_accuracy": 70.0,
            "mean_accuracy": 100 * (3 / 4 + 4 / 6) / 2,
        }
    )


def test_a_class_predicted_but_absent_lowers_only_the_legacy_mean():
    confusion = matrix([2, 0, 2, 0], [0, 4, 0, 0], [0, 0, 0, 0])
    metrics = segmentation_metrics(confusion)
    assert np.isnan(class_iou(confusion)[2])
    assert metrics["miou_current"] == pytest.approx((50 + 100) / 2)
    assert metrics["miou_legacy"] == pytest.approx((50 + 100) / 3)


def test_unnamed_pixels_accuse_no_class():
    metrics = segmentation_metrics(matrix([1, 0, 3], [0, 0, 0]))
    assert metrics["miou_legacy"] == metrics["miou_current"] == pytest.approx(25)


def test_split_into_seen_and_unseen_worked_by_hand():
    # ious: seen 50 and 100, unseen 25 (1 of 1 + 2 + 1 pixels)
    confusion = matrix([2, 0, 1, 0], [0, 5, 0, 0], [1, 0, 1, 1])
    metrics = segmentation_metrics(confusion, seen=[0, 1])
    assert metrics["miou_seen_current"] == pytest.approx(75)
    assert metrics["miou_unseen_current"] == pytest.approx(25)
    assert metrics["hiou_current"] == metrics["hiou_legacy"] == pytest.approx(37.5)
    assert metrics["pixel_accuracy_seen"] == pytest.approx(700 / 8)


def test_undefined_metrics_are_none():
    nothing = segmentation_metrics(np.zeros((2, 3), dtype=np.int64), seen=[0, 1])
    assert set(nothing.values()) == {None}


def test_all_classes_seen_leaves_no_harmonic_mean():
    metrics = segmentation_metrics(matrix([3, 1, 0], [0, 4, 0]), seen=[0, 1])
    assert metrics["miou_unseen_legacy"] is None
    assert metrics["hiou_legacy"] is None


def test_harmonic_mean_of_zeros_is_zero():
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(20.0, 0.0) == 0.0
