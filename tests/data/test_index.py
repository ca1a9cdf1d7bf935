"""One picture becomes a record, or rejects that say why there is none."""

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.core.records import Caption, ImageRecord, Reject
from pipeline.data import index
from pipeline.data.index import decoded_size, index_picture, read_all
from tests.data.folders import save_label, save_picture

CAPTIONS = [Caption(7, "A dog.")]


@pytest.fixture
def root(tmp_path):
    """A picture and its label map, a label map of another size, a picture cut short."""
    save_picture(tmp_path / "a.jpg")
    save_label(tmp_path / "a.png", np.zeros((6, 8), np.uint8))
    save_label(tmp_path / "small.png", np.zeros((3, 8), np.uint8))
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-40])
    return tmp_path


def indexed(root, path="a.jpg", label="a.png", captions=CAPTIONS, **options):
    record, rejects = index_picture(root, 1, path, label, captions, "stage", **options)
    assert all(isinstance(r, Reject) and r.stage == "stage" for r in rejects)
    return record, [(r.item, r.reason) for r in rejects]


def test_a_picture_with_captions_and_a_label_map_is_kept(root):
    assert indexed(root, annotated_size=(6, 8), decode=True) == (
        ImageRecord(1, "a.jpg", 8, 6, CAPTIONS, "a.png"), []
    )  # fmt: skip


def test_a_picture_without_one_of_both_is_kept_and_told(root):
    assert indexed(root, label=None) == (
        ImageRecord(1, "a.jpg", 8, 6, CAPTIONS, None), [("a.jpg", "no label map")]
    )  # fmt: skip
    assert indexed(root, captions=[]) == (
        ImageRecord(1, "a.jpg", 8, 6, [], "a.png"), [("a.jpg", "no caption")]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "rejects"),
    [
        ({"label": None, "captions": []}, [("a.jpg", "no label map"), ("a.jpg", "no caption")]),
        ({"path": "none.jpg"}, [("none.jpg", "unreadable picture")]),
        ({"annotated_size": (8, 6)}, [("a.jpg", "size differs from annotation")]),
        ({"path": "cut.jpg", "decode": True}, [("cut.jpg", "unreadable picture")]),
        (
            {"label": "small.png", "captions": []},
            [("small.png", "label map size differs"), ("a.jpg", "no caption")],
        ),
    ],
)
def test_a_picture_is_left_out_with_every_reason(root, changes, rejects):
    assert indexed(root, **changes) == (None, rejects)


@pytest.mark.parametrize(
    ("label", "refused", "reason"),
    [
        ("small.png", {}, "label map size differs"),
        ("none.png", {}, "unreadable label map"),
        ("a.png", {"a.png": ("painted", "detail")}, "painted"),
    ],
)
def test_of_a_kept_picture_a_wrong_label_map_is_left_out_alone(root, label, refused, reason):
    record, rejects = indexed(root, label=label, refused_maps=refused)
    assert record == ImageRecord(1, "a.jpg", 8, 6, CAPTIONS, None)
    assert rejects == [(label, reason)]


def test_only_decoding_finds_a_picture_cut_short(root):
    assert indexed(root, path="cut.jpg")[0] is not None
    with pytest.raises(UserError, match="cut.jpg"):
        decoded_size(root / "cut.jpg")


@pytest.mark.parametrize("large", [False, True])
def test_large_pictures_are_decoded_too(root, monkeypatch, large):
    monkeypatch.setattr(index, "_LARGE", 6 * 8 - large)
    assert decoded_size(root / "a.jpg") == (6, 8)
    with pytest.raises(UserError, match="cut.jpg"):
        decoded_size(root / "cut.jpg")


def test_everything_is_read_in_order():
    items = list(range(100))
    assert list(read_all(items, lambda i: i * i, "reading")) == [(i, i * i) for i in items]
    assert list(read_all([], str, "reading")) == []
