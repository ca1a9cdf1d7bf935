import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.evaluate.boundary import (
    boundary_confusion,
    boundary_iou,
    boundary_labels,
    least_iou,
)
from pipeline.evaluate.confusion import NOTHING, confusion_matrix


def test_boundaries_worked_by_hand():
    """Reach is one pixel: ids fall by the smallest neighbour, by 0 at the picture's edge."""
    labels = np.full((5, 6), 2)
    labels[2, 3:] = 3
    expected = labels.copy()
    expected[1:4, 1:5] = 0
    expected[2, 3:5] = 1
    assert boundary_labels(labels).tolist() == expected.tolist()


@given(arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 120))))
def test_equals_repeated_erosion_of_a_picture_in_a_frame_of_zeros(labels):
    steps = max(1, round(0.02 * float(np.hypot(*labels.shape))))
    framed = cv2.copyMakeBorder(labels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=steps)[1:-1, 1:-1]
    assert (boundary_labels(labels) == labels - eroded).all()


maps = arrays(np.int32, (9, 11), elements=st.integers(0, 3))


@given(maps)
def test_a_picture_named_rightly_has_right_boundaries(truth):
    confusion = boundary_confusion(truth, truth, 4, 255)
    assert set(boundary_iou(confusion)[confusion.sum(axis=1) > 0]) == {100.0}


def test_ignored_and_unnamed_pixels_are_neither_classes_nor_errors_of_a_class():
    truth = np.array([[1, 1, 255]])
    unnamed = np.full((1, 3), NOTHING)
    assert boundary_confusion(unnamed, truth, 2, 255).tolist() == [[0, 0, 0], [0, 0, 2]]
    assert boundary_confusion(truth.clip(0, 1), truth, 2, 255).tolist() == [[0, 0, 0], [0, 2, 0]]


def test_more_classes_than_a_byte_holds():
    truth = np.arange(847).reshape(7, 121)
    found = boundary_confusion(truth, truth, 847, -1)
    assert (found[:, :-1] == np.diag(np.diagonal(found))).all() and found.sum() == 847


def test_the_lower_of_two():
    nan = np.nan
    least = least_iou(np.array([50, 50, nan, 50]), np.array([40, 60, 40, nan]))
    assert least == pytest.approx([40, 50, nan, 50], nan_ok=True)


@given(maps, maps)
def test_it_counts_boundary_labels_like_labels(prediction, truth):
    expected = confusion_matrix(boundary_labels(prediction), boundary_labels(truth), 4, 255)
    assert (boundary_confusion(prediction, truth, 4, 255) == expected).all()
