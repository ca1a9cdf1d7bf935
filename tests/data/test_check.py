import os
import time
from contextlib import contextmanager

import pytest

from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.check import check_root, require
from tests.data.benchmarks.roots import (
    make_ade150,
    make_ade_full,
    make_context,
    make_panoptic,
    make_voc,
)
from tests.data.folders import make_coco, samples


def by_name(rows):
    return {row.name: row for row in rows}


def test_every_set_has_a_row_even_under_no_root(tmp_path):
    rows = check_root(tmp_path / "nowhere")
    assert [row.name for row in rows] == ["coco train2017", "coco val2017", *BENCHMARKS]
    assert not any(row.ready for row in rows)
    assert all(row.note.startswith("missing ") and row.missing for row in rows)


def test_a_root_that_is_none_is_told_as_such(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "nowhere", tmp_path / "file"):
        assert not any(row.ready for row in check_root(root))
        with pytest.raises(FileNotFoundError, match="no such folder; set .* DETECTRON2_DATASETS"):
            require(["voc20"], root)


@pytest.mark.parametrize(
    "text, fault",
    [
        ("{", "not JSON"),
        ("[]", "not COCO panoptic annotations"),
        ('{"annotations": [{"file_name": "1.png"}]}', "not COCO panoptic annotations"),
    ],
)
def test_a_broken_list_of_segments_is_no_stack_trace(tmp_path, text, fault):
    make_panoptic(tmp_path)
    (tmp_path / "coco/annotations/panoptic_val2017.json").write_text(text)
    row = by_name(check_root(tmp_path))["cocopanoptic"]
    assert not row.ready and fault in row.note
    said = f"cocopanoptic: .*panoptic_val2017.json(:1)?: {fault}"
    with pytest.raises(FileNotFoundError, match=said):
        require(["cocopanoptic"], tmp_path)


def test_counts_and_readiness(tmp_path):
    make_ade150(tmp_path)
    make_ade_full(tmp_path)
    make_voc(tmp_path)
    make_context(tmp_path)
    make_coco(tmp_path / "coco")
    rows = by_name(check_root(tmp_path))
    assert {name for name, row in rows.items() if row.ready} == {
        "coco val2017", "ade150", "ade150-synonyms", "ade847", "pc59", "pc459", "voc20",
        "cocostuff171", "cocostuff156",
    }  # fmt: skip
    assert (rows["cocostuff171"].images, rows["cocostuff171"].labels) == (3, 2)
    assert rows["voc20"].note == "2 of 1,449 pictures"
    assert "coco/train2017" in rows["coco train2017"].note
    for path in (tmp_path / "VOCdevkit/VOC2010/trainval").iterdir():
        path.unlink()
    note = by_name(check_root(tmp_path))["pc59"].note
    assert "no picture with its label map in" in note and "from https://cs.stanford.edu" in note


def test_suffixes_in_capitals_and_of_four_letters_count_in_every_set(tmp_path):
    """read_coco took them, the benchmarks did not."""
    makes = (make_ade150, make_ade_full, make_voc, make_context)
    for make in makes:
        make(tmp_path)
    make_panoptic(tmp_path)
    make_coco(tmp_path / "coco")
    expected = [(row.name, row.images, row.labels, row.ready) for row in check_root(tmp_path)]
    for i, path in enumerate(sorted(p for p in tmp_path.rglob("*") if p.is_file())):
        other = {".jpg": (".JPG", ".jpeg", ".Jpeg")[i % 3], ".png": ".PNG", ".mat": ".Mat"}
        path.rename(path.with_suffix(other.get(path.suffix, path.suffix)))
    found = [(row.name, row.images, row.labels, row.ready) for row in check_root(tmp_path)]
    assert found == expected and sum(ready for *_, ready in found) >= 9


@contextmanager
def without_rights():
    """As a user who may not enter the folders that pytest makes, also where root runs the tests."""
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without rights")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_root_that_may_not_be_read_is_no_stack_trace(tmp_path):
    make_voc(tmp_path)
    tmp_path.chmod(0o700)
    with without_rights():
        rows = check_root(tmp_path)
        with pytest.raises(FileNotFoundError, match="it may not be read"):
            require(["voc20"], tmp_path)
    assert not any(row.ready for row in rows)
    assert {row.note.partition(f": {tmp_path}")[0] for row in rows} == {
        "cannot be read: Permission denied"
    }


def test_label_maps_of_some_pictures_are_told(tmp_path):
    make_coco(tmp_path / "coco")
    note = by_name(check_root(tmp_path))["coco val2017"].note
    assert "label maps of 2 in coco/stuffthingmaps/val2017, from http://calvin" in note
    assert "no segmenter" not in note  # it learns from train2017


def test_captions_without_label_maps_are_ready_with_a_warning(tmp_path):
    root = make_coco(tmp_path / "coco", "train2017")
    for path in (root / "stuffthingmaps/train2017").iterdir():
        path.unlink()
    row = by_name(check_root(tmp_path))["coco train2017"]
    assert row.ready and "no segmenter can be trained" in row.note


@pytest.mark.parametrize(
    ("folder", "moved", "words"),
    [
        (
            "ADEChallengeData2016",
            "ade/ADEChallengeData2016",
            "ade/ADEChallengeData2016/annotations/validation is there: move it to ADE",
        ),
        (
            "ADEChallengeData2016/annotations",
            "ADEChallengeData2016/annotations/annotations",
            "2016/annotations/annotations/validation is there: move it to ADE",
        ),
        (
            "ADEChallengeData2016/annotations/validation",
            "ADEChallengeData2016/annotations/validation/unpacked",
            "validation holds the folder unpacked: move what is in it up to ADE",
        ),
    ],
)
def test_label_maps_one_folder_too_deep_are_found(tmp_path, folder, moved, words):
    make_ade150(tmp_path)
    (tmp_path / folder).rename(tmp_path / "aside")
    (tmp_path / moved).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "aside").rename(tmp_path / moved)
    with pytest.raises(FileNotFoundError, match=words):
        require(["ade150"], tmp_path)


def test_cocos_label_maps_one_folder_too_deep_are_found(tmp_path):
    make_coco(tmp_path / "coco")
    maps = tmp_path / "coco/stuffthingmaps"
    maps.rename(tmp_path / "aside")
    maps.mkdir()
    (tmp_path / "aside").rename(maps / "stuffthingmaps")
    note = by_name(check_root(tmp_path))["coco val2017"].note
    assert "coco/stuffthingmaps/stuffthingmaps/val2017 is there: move it to coco/stuff" in note


def test_everything_missing_is_told_at_once(tmp_path):
    make_voc(tmp_path)
    require(["voc20"], tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        require(["voc20", "ade150", "pc59"], tmp_path, coco=True)
    message = str(error.value)
    for part in (
        f"{tmp_path}/ADEChallengeData2016/images/validation (2,000 pictures) for ade150; from http",
        f"{tmp_path}/VOCdevkit/VOC2010/trainval (10,103 label maps (.mat)) for pc59; from https://",
        f"{tmp_path}/coco/annotations/captions_train2017.json (captions) for coco train2017; from",
        "Ready there: voc20.",
        "`source: openmoji` needs no download",
    ):
        assert part in message
    assert "VOC2012" not in message


def test_sample_root_in_seconds():
    start = time.monotonic()
    rows = by_name(check_root(samples()))
    assert time.monotonic() - start < 5
    assert (rows["coco val2017"].images, rows["coco val2017"].labels) == (248, 114)
    assert (rows["ade150"].images, rows["voc20"].images) == (19, 1)
    assert rows["cocopanoptic"].labels == 79
    assert not rows["pc59"].ready
