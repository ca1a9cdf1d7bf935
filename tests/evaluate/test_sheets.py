"""Which pictures and classes the sheets show."""

import numpy as np
from PIL import Image

from pipeline.evaluate.sheets import classes_to_show, draw_sheets, ensemble_columns, spread
from tests.evaluate.small_set import SETTINGS, add_faults, comparison, small_set


def test_overlays_are_spread_over_the_set():
    assert spread(10, 0) == []
    assert spread(10, 1) == [0]
    assert spread(10, 3) == [0, 4, 9]
    assert spread(2, 5) == [0, 1]
    assert spread(0, 5) == []


def test_the_legend_shows_the_truth_first_then_what_was_only_predicted():
    truth = np.array([[1, 1, 0, 255]])
    predicted = [np.array([[1, 3, 3, -1]]), np.array([[2, 3, 1, 1]])]
    assert classes_to_show(truth, predicted, 5) == [1, 0, 3, 2]


def test_sheets_are_of_readable_pictures_and_earlier_ones_go(tmp_path):
    (tmp_path / "pictures").mkdir()
    eval_set = add_faults(small_set(tmp_path / "pictures"))
    folder = tmp_path / "sheets"
    folder.mkdir()
    (folder / "earlier.png").touch()
    columns = ensemble_columns(["base"], SETTINGS)
    draw_sheets(folder, comparison(eval_set), 0, columns, count=3)  # numbers 0, 4 and 8 of 9
    assert [image.image_id for image in eval_set.images[::4]] == ["good0", "too-small", "good4"]
    assert {path.name for path in folder.iterdir()} == {"good0.png", "good4.png"}
    with Image.open(folder / "good0.png") as page:
        assert page.width >= 3 * 320  # picture, ground truth and one prediction
