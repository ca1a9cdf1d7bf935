import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.evaluate.confusion import NOTHING, confusion_matrix

IGNORE = 255


def test_counts_worked_by_hand():
    truth = np.array([[0, 0, 1], [1, 1, IGNORE]])
    prediction = np.array([[0, 1, 1], [1, NOTHING, 0]])
    expected = [[1, 1, 0], [0, 2, 1]]  # rows truth, columns predicted, last = nothing
    assert confusion_matrix(prediction, truth, 2, IGNORE).tolist() == expected


def test_a_prediction_on_ignored_pixels_counts_nowhere():
    truth = np.full((4, 5), IGNORE)
    assert confusion_matrix(np.ones((4, 5), int), truth, 3, IGNORE).sum() == 0


@pytest.mark.parametrize(
    ("prediction", "truth", "words"),
    [([[0]], [[0, 1]], "size"), ([[0]], [[7]], "label_map"), ([[9]], [[0]], "-1..2")],
)
def test_what_does_not_fit_is_refused(prediction, truth, words):
    with pytest.raises(ValueError, match=words):
        confusion_matrix(np.array(prediction), np.array(truth), 3, IGNORE)


labels = arrays(np.int32, (6, 7), elements=st.sampled_from([0, 1, 2, 3, IGNORE]))
predictions = arrays(np.int32, (6, 7), elements=st.integers(NOTHING, 3))


@given(predictions, labels)
def test_equals_a_count_pixel_by_pixel_and_adds_up_over_bands(prediction, truth):
    slow = np.zeros((4, 5), dtype=int)
    for p, t in zip(prediction.flat, truth.flat, strict=True):
        if t != IGNORE:
            slow[t, p] += 1  # NOTHING = -1 is the last column
    whole = confusion_matrix(prediction, truth, 4, IGNORE)
    bands = [confusion_matrix(prediction[r], truth[r], 4, IGNORE) for r in (slice(2), slice(2, 6))]
    assert (whole == slow).all()
    assert (whole == sum(bands)).all()
