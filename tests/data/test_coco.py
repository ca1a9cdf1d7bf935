from collections import Counter

import pytest
from PIL import Image

from pipeline.data.coco import read_coco
from pipeline.records import Caption
from tests.data.folders import make_coco, samples, save_picture, write_json


def reasons(rejects):
    return Counter(reject.reason for reject in rejects)


def test_every_picture_with_a_caption_or_a_label_map(tmp_path):
    records, rejects = read_coco(make_coco(tmp_path), "val2017")
    assert [r.image_id for r in records] == [1, 2, 3]
    assert records[0].captions == [Caption(11, "A bike."), Caption(12, "A bicycle on wood.")]
    assert [r.label_path is None for r in records] == [False, True, False]
    assert records[2].captions == [] and (records[2].height, records[2].width) == (6, 8)
    assert reasons(rejects) == {"no label map": 1, "no caption": 1}
    assert (tmp_path / records[0].path).is_file() and (tmp_path / records[0].label_path).is_file()


def test_each_fault_has_its_reason(tmp_path):
    root = make_coco(tmp_path)
    pictures, labels = root / "val2017", root / "stuffthingmaps" / "val2017"
    (pictures / "000000000001.jpg").unlink()  # captioned and labelled, but no picture
    (pictures / "000000000002.jpg").write_bytes(b"broken")
    Image.new("L", (4, 4)).save(labels / "000000000003.png")  # wrong size, and no caption: dropped
    save_picture(pictures / "holiday.jpg")
    save_picture(pictures / "000000000004.jpg")  # neither caption nor label map
    (pictures / "notes.txt").write_text("not a picture, not mentioned")
    write_json(
        root / "annotations" / "captions_val2017.json",
        {
            "images": [{"id": i, "height": 6, "width": 8} for i in (1, 2)],
            "annotations": [
                {"id": 11, "image_id": 1, "caption": "A bike."},
                {"id": 12, "image_id": 1, "caption": "   "},
                {"id": 91, "image_id": 9, "caption": "Who is this?"},
            ],
        },
    )
    records, rejects = read_coco(root, "val2017")
    assert records == []
    assert reasons(rejects) == {
        "picture missing": 1,
        "unreadable picture": 1,
        "label map size differs": 1,
        "name is no image id": 1,
        "empty caption": 1,
        "caption without image": 1,
        "no label map": 1,
        "no caption": 2,
    }


def test_size_that_contradicts_the_annotation(tmp_path):
    root = make_coco(tmp_path)
    save_picture(root / "val2017" / "000000000001.jpg", 8, 6)
    records, rejects = read_coco(root, "val2017")
    assert [r.image_id for r in records] == [2, 3]
    assert ("size differs from annotation", "is 6 x 8, annotated 8 x 6") in [
        (r.reason, r.detail) for r in rejects
    ]


def test_turned_picture_has_its_upright_size(tmp_path):
    root = make_coco(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    save_picture(root / "val2017" / "000000000001.jpg", 8, 6, exif=exif)  # stored turned
    records, _ = read_coco(root, "val2017")
    assert (records[0].image_id, records[0].width, records[0].height) == (1, 8, 6)


def test_missing_parts_are_named_with_their_source(tmp_path):
    with pytest.raises(FileNotFoundError, match="val2017: no picture folder.*cocodataset.org"):
        read_coco(tmp_path, "val2017")
    (tmp_path / "val2017").mkdir()
    with pytest.raises(FileNotFoundError, match="captions_val2017.json.*cocodataset.org"):
        read_coco(tmp_path, "val2017")


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
    with pytest.raises(ValueError, match="captions_val2017.json: not JSON"):
        read_coco(root, "val2017")


def test_real_sample():
    root = samples() / "coco"
    val, val_rejects = read_coco(root, "val2017")
    train, train_rejects = read_coco(root, "train2017")
    assert (len(val), sum(bool(r.captions) for r in val)) == (248, 248)
    assert sum(r.label_path is not None for r in val) == 114
    assert (len(train), sum(bool(r.captions) for r in train)) == (157, 68)
    assert sum(r.label_path is not None for r in train) == 89
    assert reasons(val_rejects) == {"no label map": 134}
    assert reasons(train_rejects) == {"no label map": 68, "no caption": 89}
    assert all(len(r.captions) >= 5 for r in val)
