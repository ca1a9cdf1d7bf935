"""Instances files as tools write them: what is wrong is left out by name, the rest is used."""

import json
import re

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pipeline.core.errors import UserError
from pipeline.core.records import Caption, ImageRecord
from pipeline.data.instances import TrueMasks, object_faults
from pipeline.data.rle import run_lengths

SQUARE = [4, 4, 30, 4, 30, 30, 4, 30]
PIXELS = 26 * 26
RUNS = [4 * 64 + 4, *[26, 38] * 25, 26, 64 * 64 - (4 * 64 + 4) - 26 * 64 + 38]


def compressed(height: int = 64, width: int = 64) -> str:
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[4:30, 4:30] = 1
    return coco_mask.encode(mask)["counts"].decode()


def background() -> str:
    return coco_mask.encode(np.zeros((64, 64), np.uint8, order="F"))["counts"].decode()


def dog(**other) -> dict:
    entry = {"id": 1, "image_id": 2, "category_id": 17, "segmentation": [SQUARE], "iscrowd": 0}
    return {key: value for key, value in (entry | other).items() if value is not ...}


def read(tmp_path, *annotations, categories=None, images=None, start="") -> TrueMasks:
    path = tmp_path / "instances_val2017.json"
    content = {
        "images": images or [{"id": 2, "height": 64, "width": 64}],
        "categories": categories or [{"id": 17, "name": "dog"}, {"id": 18, "name": "horse"}],
        "annotations": annotations,
    }
    path.write_text(start + json.dumps(content), encoding="utf-8")
    return TrueMasks(path)


def pixels(truth: TrueMasks) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in truth.of(2, (64, 64)).items()}


WRONG = {
    "two points": (dict(segmentation=[[5, 5, 5, 9]]), "polygon of 4 numbers"),
    "an odd number": (dict(segmentation=[SQUARE[:-1]]), "polygon of 7 numbers"),
    "one polygon of two": (dict(segmentation=[SQUARE, [1, 1]]), "polygon of 2 numbers"),
    "no polygon": (dict(segmentation=[]), "found none"),
    "an empty polygon": (dict(segmentation=[[]]), "polygon of 0 numbers"),
    "null": (dict(segmentation=None), "found none"),
    "only a box": (dict(segmentation=...), "found none"),
    "a box as polygon": (dict(segmentation=[4, 4, 26, 26]), "polygon of 4 numbers"),
    "a text": (dict(segmentation="polygon"), "found 'polygon'"),
    "texts as numbers": (dict(segmentation=[list(map(str, SQUARE))]), "no number"),
    "no finite number": (dict(segmentation=[[*SQUARE[:-1], float("nan")]]), "no number"),
    "endless": (dict(segmentation=[[*SQUARE[:-1], float("inf")]]), "no number"),
    "a number of 400 digits": (dict(segmentation=[[*SQUARE[:-1], 10**400]]), "no number"),
    "far outside": (dict(segmentation=[[*SQUARE[:-1], 1e9]]), "far outside the picture"),
    "points": (dict(segmentation=[[[4, 4], [30, 4], [30, 30]]]), "polygon of 3 numbers"),
    "runs of another size": (
        dict(segmentation={"size": [32, 128], "counts": RUNS}), "128 x 32 pixels in a picture"
    ),
    "runs too long": (
        dict(segmentation={"size": [64, 64], "counts": [*RUNS, 500]}), "counts of 4596 pixels"
    ),
    "runs too short": (
        dict(segmentation={"size": [64, 64], "counts": RUNS[:-1]}), "counts of 1886 pixels"
    ),
    "no runs": (dict(segmentation={"size": [64, 64], "counts": []}), "counts of 0 pixels"),
    "negative runs": (
        dict(segmentation={"size": [64, 64], "counts": [-1, 4097]}), "whole numbers from 0 up"
    ),
    "text of another size": (
        dict(segmentation={"size": [64, 64], "counts": compressed(64, 65)}), "counts of 4160"
    ),
    "text cut short": (
        dict(segmentation={"size": [64, 64], "counts": compressed()[:9]}), "counts"
    ),
    "text that is no runs": (
        dict(segmentation={"size": [64, 64], "counts": "no runs \u00e9"}), "whole numbers from 0 up"
    ),
    "no size": (dict(segmentation={"counts": RUNS}), "run lengths of size None"),
    "size null": (dict(segmentation={"size": None, "counts": RUNS}), "run lengths of size None"),
    "no counts": (dict(segmentation={"size": [64, 64]}), "found counts None"),
    "shares of the picture": (
        dict(segmentation=[[0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9]]), "as shares of the picture"
    ),
    "shares, one polygon alone": (
        dict(segmentation=[0, 0, 1, 0, 1, 1, 0, 1]), "polygons from 0 to 1, as shares"
    ),
    "points on a line": (dict(segmentation=[[4, 4, 20, 4, 30, 4]]), "cover no pixel"),
    "points on a slope": (dict(segmentation=[[4, 4, 20, 20, 12, 12]] * 2), "cover no pixel"),
    "one point": (dict(segmentation=[[4, 4] * 3]), "cover no pixel"),
    "beside the picture": (
        dict(segmentation=[[-9, 4, -3, 4, -3, 30, -9, 30]]), "cover no pixel"
    ),
    "runs of background": (
        dict(segmentation={"size": [64, 64], "counts": [64 * 64]}), "cover no pixel"
    ),
    "runs of background in parts": (
        dict(segmentation={"size": [64, 64], "counts": [9, 0, 64 * 64 - 9, 0]}), "cover no pixel"
    ),
    "text of background": (
        dict(segmentation={"size": [64, 64], "counts": background()}), "cover no pixel"
    ),
    "a crowd of no image": (dict(image_id=3, iscrowd=1), "image 3 is not in the file's images"),
    "unknown category": (dict(category_id=99), "category 99 is not in the file's categories"),
    "no category": (dict(category_id=...), "expected image_id, category_id, segmentation"),
    "category null": (dict(category_id=None), "expected image_id, category_id, segmentation"),
    "unknown image": (dict(image_id=3), "image 3 is not in the file's images"),
    "huge image id": (dict(image_id=10**30), "whole numbers from 0 to 2^63 - 1"),
    "iscrowd as words": (dict(iscrowd="yes"), "expected iscrowd 0 or 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_entry_is_left_out_by_name_and_the_rest_is_used(tmp_path, kind):
    other, fault = WRONG[kind]
    truth = read(tmp_path, dog(**other), dog(category_id=18))
    [reject] = truth.rejects
    assert reject.item == 'instances_val2017.json "annotations"[0]'
    assert fault in reject.detail
    assert pixels(truth) == {"horse": PIXELS}
    assert (len(truth), truth.counts()) == (1, {"dog": 0, "horse": 1})


def test_entries_that_are_none_are_named(tmp_path):
    truth = read(tmp_path, None, [SQUARE], "dog", dog())
    assert [reject.reason for reject in truth.rejects] == ["wrong entry"] * 3
    assert pixels(truth) == {"dog": PIXELS}


@pytest.mark.parametrize(
    "other",
    [
        dict(iscrowd=...),
        dict(iscrowd=None),
        dict(iscrowd="0"),
        dict(iscrowd=False),
        dict(image_id="2", category_id="17"),
        dict(image_id=2.0),
        dict(id="a"),
        dict(id=...),
        dict(segmentation=SQUARE),
        dict(segmentation={"size": [64, 64], "counts": RUNS}),
        dict(segmentation={"size": ["64", 64.0], "counts": compressed()}),
    ],
)
def test_what_tools_write_otherwise_is_read(tmp_path, other):
    truth = read(tmp_path, dog(**other), start="\ufeff")
    assert truth.rejects == []
    assert pixels(truth) == {"dog": PIXELS}


def test_crowds_are_no_objects_and_no_faults(tmp_path):
    truth = read(tmp_path, dog(iscrowd=1), dog(iscrowd=True, segmentation=None), dog(iscrowd="1"))
    assert (truth.rejects, pixels(truth)) == ([], {})


def test_wrong_categories_and_images_are_named(tmp_path):
    size = {"height": 64, "width": 64}
    truth = read(
        tmp_path,
        dog(),
        dog(category_id=18),
        categories=[
            {"id": 17}, {"id": "18", "name": " horse "}, {"id": 18, "name": "cow"},
            {"id": 19, "name": " "}, {"name": "cat"}, "cat", {"id": 20, "name": "\ud83d"},
            {"id": 21, "name": "\u200b"}, {"id": 22, "name": "\u3164\u00ad "},
        ],
        images=[{"id": "2"} | size, {"id": 2} | size, {"id": 3},
                {"id": 4, "height": 0, "width": 9}],
    )  # fmt: skip
    assert pixels(truth) == {"horse": PIXELS}
    found = {r.item.removeprefix("instances_val2017.json "): r.reason for r in truth.rejects}
    assert found == {
        '"categories"[0]': "wrong entry",
        '"categories"[2]': "two categories of one id",
        '"categories"[3]': "wrong entry",
        '"categories"[4]': "wrong entry",
        '"categories"[5]': "wrong entry",
        '"categories"[6]': "wrong entry",
        '"categories"[7]': "wrong entry",
        '"categories"[8]': "wrong entry",
        '"images"[1]': "two images of one id",
        '"images"[2]': "wrong entry",
        '"images"[3]': "wrong size",
        '"annotations"[0]': "unknown category",
    }
    for reject in truth.rejects:
        reject.detail.encode()


@pytest.mark.parametrize("other", [{"category_id": 99}, {"segmentation": [[1, 1] * 3]}])
def test_a_file_in_which_every_object_is_wrong_is_named(tmp_path, other):
    truth = read(tmp_path, dog(**other), dog(**other))
    assert len(truth) == 0
    places = [f'instances_val2017.json "annotations"[{index}]' for index in (0, 1)]
    assert [reject.item for reject in truth.rejects] == places
    assert (len(read(tmp_path)), len(read(tmp_path, dog(iscrowd=1)))) == (0, 0)


def test_objects_of_another_size_than_the_picture_are_told(tmp_path):
    truth = read(tmp_path, dog(), dog(category_id=99))
    caption = [Caption(1, "A dog.")]
    records = [ImageRecord(i, f"{i}.jpg", 32, 64, caption, None) for i in (1, 2)]
    faults = object_faults(truth, records, "dataset")
    assert [(fault.item, fault.reason) for fault in faults] == [
        ('instances_val2017.json "annotations"[1]', "unknown category"),
        ("2.jpg", "unusable instances"),
    ]
    with pytest.raises(ValueError, match=r"picture 2 is of \(64, 32\) pixels"):
        truth.of(2, (64, 32))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"images": []}', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "instances_val2017.json"
    path.write_bytes(content)
    fault = "(not (JSON|COCO instances)|UTF-16 and not UTF-8)"
    with pytest.raises(ValueError, match=f"instances_val2017.json(:1)?: {fault}"):
        TrueMasks(path)


def test_run_lengths_are_those_of_pycocotools():
    random = np.random.default_rng(0)
    for _ in range(100):
        height, width = random.integers(1, 90, 2)
        mask = (random.random((height, width)) < random.random()).astype(np.uint8, order="F")
        rle = coco_mask.encode(mask)
        runs = run_lengths(rle["counts"])
        assert runs.sum() == height * width and runs[1::2].sum() == mask.sum()
        assert (run_lengths(rle["counts"].decode()) == runs).all()
        assert (run_lengths(runs.tolist()) == runs).all()


def test_as_pycocotools_reads_them(tmp_path):
    """Polygons that overlap or reach over the border, as they are in COCO."""
    from pycocotools.coco import COCO

    polygons = [[-2.5, 3.2, 40.1, -1, 60.7, 70, 2, 66], [10, 10, 50, 12.5, 30, 44.4]]
    truth = read(tmp_path, dog(segmentation=polygons))
    theirs = COCO(str(tmp_path / "instances_val2017.json"))
    assert (truth.of(2, (64, 64))["dog"] == theirs.annToMask(theirs.anns[1]).astype(bool)).all()


def test_objects_of_a_picture_whose_name_is_another_id_are_left_out(tmp_path):
    """Tools that renumber: the objects would lie on another picture."""
    sizes = {"height": 64, "width": 64}
    images = [
        {"id": 2, "file_name": "000000000003.jpg", **sizes},
        {"id": 3, "file_name": "images/3.jpg", **sizes},
    ]
    truth = read(tmp_path, dog(), dog(image_id=3), images=images)
    assert [reject.reason for reject in truth.rejects] == [
        "file name of another id", "object without image",
    ]  # fmt: skip
    assert "'000000000003.jpg' has id 2" in truth.rejects[0].detail
    assert truth.of(3, (64, 64)).keys() == {"dog"}


@pytest.mark.parametrize(
    ("names", "wrong", "fault"),
    [
        (["dog", "Dog "], [8], "'Dog' reads like 'dog', name 1"),
        (["dog", "hot  dog", "hot dog"], [9], "'hot dog' reads like 'hot  dog', name 2"),
        (["dog", "caf\u00c3\u00a9"], [8], "is UTF-8 that was read as cp1252; write 'caf\u00e9'"),
        (["0: dog", "1: cat"], [7, 8], "'0: dog' has a number, .*; write 'dog'"),
        (["#2 pencil", "A: drive", "7"], [], ""),
        (["dog", "dog"], [], ""),
    ],
)
def test_names_of_categories_are_held_to_the_rules_of_class_names(tmp_path, names, wrong, fault):
    """`Dog` and `dog` were two classes; equal names are one, as exports repeat them."""
    categories = [{"id": 7 + i, "name": name} for i, name in enumerate(names)]
    truth = read(tmp_path, dog(category_id=8), categories=categories)
    items = [f"instances_val2017.json, category {i}" for i in wrong]
    assert [r.item for r in truth.rejects if r.reason == "wrong category name"] == items
    assert not wrong or re.search(fault, truth.rejects[0].detail)
    assert list(truth.names) == [7 + i for i in range(len(names)) if 7 + i not in wrong]
    assert len(truth) == (8 not in wrong)


def test_a_key_that_is_there_twice_is_named(tmp_path):
    """Python keeps the last of them: an empty list would hide all objects."""
    path = tmp_path / "instances_val2017.json"
    path.write_text('{"images": [], "categories": [], "annotations": [1], "annotations": []}')
    with pytest.raises(UserError, match="the key 'annotations' is there twice"):
        TrueMasks(path)


def test_objects_of_other_pictures_only_are_told(tmp_path):
    records = [ImageRecord(7, "7.jpg", 64, 64, [Caption(1, "A dog.")], None)]
    [fault] = object_faults(read(tmp_path, dog()), records, "dataset")
    assert (fault.item, fault.reason) == ("instances_val2017.json", "no object in any picture")
