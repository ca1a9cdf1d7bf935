"""Captions in COCO's format: wrong entries are left out by name, and the rest is used."""

import json

import pytest

from pipeline.core.records import Caption, Reject, write_parquet
from pipeline.data.coco import read_coco
from pipeline.data.own import read_own
from tests.data.folders import faults, make_coco, save_picture, write_json


def test_coco_captions(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    write_json(
        tmp_path / "captions.json",
        {
            "images": [
                {"id": 7, "file_name": "a.jpg", "height": 6, "width": 8},
                {"id": 8, "file_name": "z.jpg", "height": 6, "width": 8},
            ],
            "annotations": [
                {"id": 70, "image_id": 7, "caption": "A dog."},
                {"id": 80, "image_id": 8, "caption": "Gone."},
            ],
        },
    )
    data = read_own(tmp_path)
    assert data.train[0].captions == [Caption(70, "A dog.")]
    assert faults(data) == {"captions.json, image 8": "no such picture; 'z.jpg' is not in images/"}


def test_every_wrong_entry_of_coco_captions_is_named(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    size = {"height": 6, "width": 8}
    write_json(
        tmp_path / "captions.json",
        {
            "images": [{"id": 7, "file_name": "a.jpg"} | size, {"id": "b"} | size, "c.jpg"],
            "annotations": [
                {"id": 70, "image_id": 7, "caption": "A dog."},
                {"id": 71, "image_id": 7},
                {"id": 72, "image_id": 7, "caption": None},
            ],
        },
    )
    data = read_own(tmp_path)
    assert data.train[0].captions == [Caption(70, "A dog.")]
    found = faults(data)
    assert list(found) == [
        f'captions.json "{key}"[{index}]'
        for key, index in (("images", 1), ("images", 2), ("annotations", 1), ("annotations", 2))
    ]
    assert found['captions.json "images"[2]'] == (
        'wrong entry; found "c.jpg"; expected file_name, id (ids and sizes are whole numbers from '
        "0 to 2^63 - 1)"
    )


def test_a_picture_listed_twice_keeps_all_its_captions(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        save_picture(tmp_path / "images" / name)
    entry = {"file_name": "a.jpg", "height": 6, "width": 8}
    other = {"id": 9, "file_name": "b.jpg", "height": 8, "width": 6}
    write_json(
        tmp_path / "captions.json",
        {
            "images": [{"id": 7} | entry, {"id": 8} | entry, other],
            "annotations": [
                {"id": i, "image_id": 7 + i, "caption": f"Caption {i}."} for i in range(3)
            ],
        },
    )
    data = read_own(tmp_path)
    assert data.train[0].captions == [Caption(0, "Caption 0."), Caption(1, "Caption 1.")]
    assert faults(data) == {
        "images/b.jpg": "size differs from annotation; is 8 x 6, annotated 6 x 8"
    }
    (tmp_path / "captions.jsonl").write_text('{"image": "b.jpg", "caption": "A cat."}')
    data = read_own(tmp_path)
    assert [r.path for r in data.train] == ["images/b.jpg"]
    assert faults(data)["captions.json"].startswith("captions not read; captions.jsonl is there")


def test_coco_captions_need_no_sizes_and_no_id_twice(tmp_path):
    for name in "ab":
        save_picture(tmp_path / "images" / f"{name}.jpg")
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    annotations = [
        {"id": 10, "image_id": 1, "caption": "A dog."},
        {"id": 11, "image_id": 2, "caption": "A cat."},
        {"id": 12, "image_id": 1, "caption": "!"},
    ]
    write_json(tmp_path / "captions.json", {"images": images, "annotations": annotations})
    data = read_own(tmp_path)
    assert [r.captions for r in data.train] == [[Caption(10, "A dog.")]]
    assert faults(data) == {
        'captions.json "images"[1]': "two images of one id; id 1 is already that of 'a.jpg'",
        'captions.json "annotations"[1]': "caption without image; image 2 is not in the file's "
        "images",
        'captions.json "annotations"[2]': "caption without words; found '!'; expected letters",
        "images/b.jpg": "nothing to learn from; has no caption and no label map",
    }


def test_ids_and_sizes_of_coco_captions_are_whole_numbers(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    images = [
        {"id": "1", "file_name": "a.jpg", "height": None, "width": None},
        {"id": 2, "file_name": "a.jpg", "height": 6, "width": 8},
        {"id": 3, "file_name": "a.jpg", "height": 9, "width": 8},
        {"id": 4.5, "file_name": "a.jpg"},
        {"id": 5, "file_name": 7, "note": "\ud83d"},
    ]
    annotations = [
        {"id": 10, "image_id": 1.0, "caption": "A dog."},
        {"id": 11, "image_id": 1.9, "caption": "A cat."},
        {"id": True, "image_id": 1, "caption": "A cow."},
    ]
    write_json(tmp_path / "captions.json", {"images": images, "annotations": annotations})
    data = read_own(tmp_path)
    assert [c.text for c in data.train[0].captions] == ["A dog."]
    found = faults(data)
    assert found.pop("captions.json, image 3") == "two sizes of one picture; 8 x 9, before it 8 x 6"
    assert list(found) == [
        f'captions.json "{key}"[{index}]'
        for key, index in (("images", 3), ("images", 4), ("annotations", 1), ("annotations", 2))
    ]
    for fault in found.values():
        fault.encode()  # can be written to a file
        assert "ids and sizes are whole numbers" in fault


def test_endless_nesting_is_no_json(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "captions.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"captions.json: not JSON \(maximum recursion depth"):
        read_own(tmp_path)


def test_captions_of_one_id_and_ids_that_no_table_holds(tmp_path):
    for name in "ab":
        save_picture(tmp_path / "images" / f"{name}.jpg")
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    texts = [(5, 1, "A dog."), ("5", 2, "A cat."), (6, 2, "A cow."), (2**63, 2, "A bee.")]
    annotations = [{"id": i, "image_id": image, "caption": text} for i, image, text in texts]
    write_json(tmp_path / "captions.json", {"images": images, "annotations": annotations})
    data = read_own(tmp_path)
    assert [[c.id for c in record.captions] for record in data.train] == [[5], [6]]
    found = faults(data)
    assert found.pop('captions.json "annotations"[1]') == (
        "two captions of one id; id 5 is already that of another caption"
    )
    assert found.pop('captions.json "annotations"[3]').startswith("wrong entry; found ")
    assert found == {}


def test_wrong_captions_file_says_which_entry(tmp_path):
    root = make_coco(tmp_path)
    path = root / "annotations" / "captions_val2017.json"
    write_json(path, {"images": []})
    with pytest.raises(ValueError, match='keys "images" and "annotations"'):
        read_coco(root, "val2017")
    write_json(path, {"images": [], "annotations": [{"id": 1, "caption": "x"}]})
    with pytest.raises(ValueError, match=r'"annotations"\[0\].*expected image_id'):
        read_coco(root, "val2017")
    path.write_text("{")
    with pytest.raises(ValueError, match="captions_val2017.json:1: not JSON"):
        read_coco(root, "val2017")


def test_ids_that_no_table_holds_and_ids_twice_are_named(tmp_path):
    root = make_coco(tmp_path)
    save_picture(root / "val2017" / "1.jpg")
    save_picture(root / "val2017" / f"{10**30}.jpg")
    save_picture(root / "val2017" / "\u0663.jpg")  # an Arabic 3
    path = root / "annotations" / "captions_val2017.json"
    content = json.loads(path.read_text())
    content["images"] += [{"id": 10**30, "height": 6, "width": 8}]
    content["annotations"] += [
        {"id": 11, "image_id": 2, "caption": "A second 11."},
        {"id": 2**63, "image_id": 2, "caption": "Too large an id."},
        {"id": -1, "image_id": 2, "caption": "Too small an id."},
        {"id": "9" * 5000, "image_id": 2, "caption": "Far too large an id."},
    ]
    write_json(path, content)
    records, rejects = read_coco(root, "val2017")
    assert [record.image_id for record in records] == [1, 2, 3]
    found = [(r.item, r.reason) for r in rejects]
    assert found[:6] == [
        ('captions_val2017.json "images"[2]', "wrong entry"),
        ('captions_val2017.json "annotations"[3]', "two captions of one id"),
        *[(f'captions_val2017.json "annotations"[{i}]', "wrong entry") for i in (4, 5, 6)],
        ("val2017/1.jpg", "two files of one image id"),
    ]
    assert found[6:8] == [
        (f"val2017/{10**30}.jpg", "name is no image id"),
        ("val2017/\u0663.jpg", "name is no image id"),
    ]
    write_parquet(tmp_path / "rejects.parquet", rejects, Reject)
