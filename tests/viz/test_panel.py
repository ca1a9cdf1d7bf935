"""A sheet has room for its columns and its legend."""

import numpy as np
from PIL import Image

from pipeline.viz.panel import Column, save_sheet, sheet

GREY = np.full((40, 80, 3), 128, np.uint8)


LEFT_RIGHT = np.repeat([[0] * 40 + [1] * 40], 40, axis=0)


def test_a_sheet_has_room_for_all_columns_and_a_legend():
    columns = [Column("picture", None), Column("ground truth", LEFT_RIGHT)]
    names = ["a class with a rather long name", "b"] * 10
    page = sheet(GREY, columns, names, list(range(20)))
    assert page.width >= 2 * 320
    assert page.height > 160 + 3 * 20  # a legend of several lines
    assert sheet(GREY, columns, names, []).height < page.height


def test_a_picture_of_one_pixel_can_be_drawn():
    page = sheet(GREY[:1, :1], [Column("labels", LEFT_RIGHT[:1, :1])], ["a"], [0])
    assert page.width > 320


def test_a_sheet_is_written_whole(tmp_path):
    page = sheet(GREY, [Column("labels", LEFT_RIGHT)], ["a", "b"], [1])
    save_sheet(page, tmp_path / "deep" / "sheet.png")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "deep" / "sheet.png") as written:
        assert np.array_equal(written, page)
