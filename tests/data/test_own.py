import json

import numpy as np
import pytest

from pipeline.data.own import read_own
from pipeline.records import Caption
from tests.data.folders import save_label, save_picture, write_json


def make_own(root):
    """Three pictures: a.jpg with two captions, sub/b.png with one and a mask, c.jpg held out."""
    for name in ("a.jpg", "sub/b.png", "c.jpg"):
        save_picture(root / "images" / name)
    lines = [("a.jpg", "A dog."), ("sub/b.png", "A cat on a sofa."), ("a.jpg", "It sleeps.")]
    lines.append(("c.jpg", "A sofa."))
    text = "\n".join(json.dumps({"image": i, "caption": c}) for i, c in lines)
    (root / "captions.jsonl").write_text(text + "\n")
    (root / "classes.txt").write_text("cat\nsofa\n")
    mask = np.full((6, 8), 255, np.uint8)
    mask[:3], mask[3:, :4] = 0, 1
    for name in ("sub/b.png", "c.png"):
        save_label(root / "masks" / name, mask)
    (root / "val.txt").write_text("c.jpg\n")
    return root


def faults(data):
    return {reject.item: f"{reject.reason}; {reject.detail}" for reject in data.rejects}


def test_whole_folder(tmp_path):
    data = read_own(make_own(tmp_path))
    assert [r.path for r in data.train] == ["images/a.jpg", "images/sub/b.png"]
    assert [r.path for r in data.val] == ["images/c.jpg"]
    assert [r.image_id for r in data.train + data.val] == [1, 3, 2]
    assert data.train[0].captions == [Caption(1, "A dog."), Caption(3, "It sleeps.")]
    assert data.train[1].label_path == "masks/sub/b.png"
    assert data.dataset.classes == ["cat", "sofa"]
    assert data.dataset.read_label(data.val[0])[0, 0] == 0
    assert data.rejects == []  # a.jpg has no mask, but captions to learn from


def test_a_held_out_picture_without_a_mask_is_told(tmp_path):
    root = make_own(tmp_path)
    (root / "masks" / "c.png").unlink()
    data = read_own(root)
    assert [r.path for r in data.val] == ["images/c.jpg"]
    assert faults(data) == {"images/c.jpg": "no label map; "}


def test_captions_alone_are_enough(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "captions.jsonl").write_text('{"image": "a.jpg", "caption": "A dog."}')
    data = read_own(tmp_path)
    assert (len(data.train), data.val, data.rejects, data.dataset.classes) == (1, [], [], [])


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


def test_every_wrong_line_is_named(tmp_path):
    root = make_own(tmp_path)
    with open(root / "captions.jsonl", "a") as file:
        file.write('{"image": "a.jpg"\n["a.jpg", "A dog."]\n\n')
        file.write('{"image": "a.jpg", "caption": 3}\n{"image": "x.jpg", "caption": "?"}\n')
        file.write('{"image": "a.jpg", "caption": " "}\n')
    (root / "val.txt").write_text("c.jpg\nd.jpg\n")
    (root / "images" / "broken.jpg").write_bytes(b"")
    save_label(root / "masks" / "z.png", np.zeros((6, 8), np.uint8))
    save_label(root / "masks" / "a.png", np.full((6, 8), 2, np.uint8))
    data = read_own(root)
    found = faults(data)
    assert found.pop("captions.jsonl:5").startswith("wrong line; not JSON (Expecting ',' delimiter")
    for line, content in (
        (6, """'["a.jpg", "A dog."]'"""),
        (8, '{"image": "a.jpg", "caption": 3}'),
    ):
        fault = found.pop(f"captions.jsonl:{line}")
        assert fault.startswith("wrong line; found ") and content in fault
        assert 'expected {"image": "x.jpg", "caption": "A dog on a sofa."}' in fault
    assert found.pop("images/broken.jpg").startswith("unreadable picture; ")
    assert found == {
        "captions.jsonl:9": "no such picture; 'x.jpg' is not in images/",
        "captions.jsonl:10": "empty caption; expected a sentence",
        "val.txt:2": "no such picture; 'd.jpg' is not in images/",
        "masks/z.png": "mask without picture; expected images/z.jpg or another picture so named",
        "masks/a.png": "unknown class in label map; value 2; expected 0..1 (classes.txt) or 255",
    }
    assert len(data.train) == 2  # what is right is still used


@pytest.mark.parametrize(
    "text, fault",
    [
        ("cat\n\nsofa\n", "classes.txt:2: empty; expected the name of class 1"),
        ("cat\nsofa\ncat\n", "classes.txt:3: 'cat' is already in line 1"),
        ("cat\n\nsofa\ncat\n", "txt:2: empty; .*\n.*txt:4: 'cat' is already in line 1"),
        ("\n".join(map(str, range(256))), "256 classes; label maps have room for 255"),
        (None, "classes.txt: missing; with masks/"),
    ],
)
def test_wrong_class_lists(tmp_path, text, fault):
    root = make_own(tmp_path)
    (root / "classes.txt").unlink()
    if text is not None:
        (root / "classes.txt").write_text(text)
    with pytest.raises(ValueError, match=fault):
        read_own(root)


def test_text_as_editors_save_it(tmp_path):
    """A byte order mark, Windows line ends, empty lines at the end, a line separator in a text."""
    root = make_own(tmp_path)
    line = json.dumps({"image": "a.jpg", "caption": "A dog\u2028asleep."}, ensure_ascii=False)
    (root / "captions.jsonl").write_bytes(b"\xef\xbb\xbf" + line.encode() + b"\r\n\r\n")
    (root / "classes.txt").write_bytes(b"\xef\xbb\xbfcat\r\nsofa\r\n\r\n")
    (root / "val.txt").write_bytes(b"\xef\xbb\xbfc.jpg\r\n")
    data = read_own(root)
    assert data.dataset.classes == ["cat", "sofa"]
    assert data.train[0].captions == [Caption(1, "A dog\u2028asleep.")]
    assert [r.path for r in data.val] == ["images/c.jpg"]
    assert data.rejects == []  # sub/b.png has a mask, a.jpg a caption


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
        'wrong entry; found "c.jpg"; expected the keys id, height, width'
    )


def test_missing_parts_say_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="images: no pictures; expected a folder"):
        read_own(tmp_path)
    save_picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(FileNotFoundError, match="neither captions nor masks; expected captions"):
        read_own(tmp_path)
    (tmp_path / "captions.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="captions.jsonl: not UTF-8"):
        read_own(tmp_path)
