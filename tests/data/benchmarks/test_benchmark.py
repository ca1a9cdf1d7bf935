"""What all benchmarks share: files by their stem, lists of names."""

import pytest

from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.benchmarks.pascal import list_context, list_voc
from tests.data.benchmarks.roots import (
    make_ade150,
    make_context,
    make_voc,
)


def test_two_files_of_one_picture_are_told(tmp_path):
    make_ade150(tmp_path)
    folder = tmp_path / "ADEChallengeData2016/images/validation"
    (folder / "ADE_val_00000001.JPEG").write_bytes(b"")
    listing = BENCHMARKS["ade150"].list_pictures(tmp_path)
    assert [(r.item, r.reason) for r in listing.rejects] == [
        (f"{folder.relative_to(tmp_path)}/ADE_val_00000001.jpg", "two files of one picture")
    ]


@pytest.mark.parametrize("start, end", [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"", b" ")])
def test_lists_as_editors_save_them(tmp_path, start, end):
    make_voc(tmp_path)
    make_context(tmp_path)
    names = b"2007_000032" + end + b"2007_000033"
    (tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").write_bytes(start + names)
    names = b"2008_000002" + end + b"2008_000003"
    (tmp_path / "VOCdevkit/VOC2010/pascalcontext_val.txt").write_bytes(start + names)
    assert sorted(list_voc(tmp_path).complete) == ["2007_000032", "2007_000033"]
    assert sorted(list_context(tmp_path).complete) == ["2008_000002", "2008_000003"]


def test_a_list_that_is_not_utf8_is_named(tmp_path):
    make_voc(tmp_path)
    path = tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"
    path.write_bytes("2007_000032\n".encode("utf-16"))
    with pytest.raises(ValueError, match="val.txt: not UTF-8"):
        list_voc(tmp_path)
