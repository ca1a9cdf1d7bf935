import threading

import numpy as np

from pipeline.core.records import ImageRecord
from pipeline.data import pictures
from pipeline.data.pictures import read_pictures
from tests.data.folders import save_picture


def record(number: int) -> ImageRecord:
    return ImageRecord(number, f"{number}.png", 8, 6, [], None)


def test_pictures_come_in_order_and_the_others_are_rejects_with_a_reason(tmp_path):
    expected = {number: save_picture(tmp_path / f"{number}.png") for number in (4, 1)}
    (tmp_path / "2.png").write_bytes(b"broken")
    save_picture(tmp_path / "3.png", 8, 6)
    rejects = []
    records = [record(number) for number in (4, 2, 3, 9, 1)]
    found = list(read_pictures(tmp_path, records, "stage", rejects))
    assert [each.image_id for each, _ in found] == [4, 1]
    assert all(np.array_equal(pixels, expected[each.image_id]) for each, pixels in found)
    assert [(r.stage, r.item, r.reason) for r in rejects] == [
        ("stage", "2.png", "unreadable picture"),
        ("stage", "3.png", "size changed since indexing"),
        ("stage", "9.png", "unreadable picture"),
    ]
    assert rejects[1].detail == "is 6 x 8, was 8 x 6"


def test_no_records_are_no_pictures(tmp_path):
    assert list(read_pictures(tmp_path, [], "stage", [])) == []


def test_what_is_read_first_waits_for_its_turn(tmp_path, monkeypatch):
    """Two threads, of which the first waits until the second has read."""
    monkeypatch.setattr(pictures.runtime, "workers", lambda: 2)
    second_is_read = threading.Event()

    def read(path):
        if path.name == "1.png":
            assert second_is_read.wait(20)
        else:
            second_is_read.set()
        return np.full((6, 8, 3), int(path.stem), np.uint8)

    monkeypatch.setattr(pictures, "read_image", read)
    found = read_pictures(tmp_path, [record(1), record(2)], "stage", [])
    assert [(each.image_id, pixels[0, 0, 0]) for each, pixels in found] == [(1, 1), (2, 2)]
