import json
import os

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.core.records import Caption, Reject, write_parquet
from pipeline.data.own import read_own
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
    assert faults(data) == {
        "images/c.jpg": "held out without a label map; val.txt lists it to be evaluated; "
        "expected masks/c.png"
    }


def test_masks_one_folder_too_deep_are_told(tmp_path):
    root = make_own(tmp_path)
    (root / "masks/masks").mkdir()
    (root / "masks/c.png").rename(root / "masks/masks/c.png")
    told = faults(read_own(root))["masks/masks/c.png"]
    assert told.endswith("if it is of images/c.jpg, name it masks/c.png")


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
    save_label(root / "masks" / "a.png", np.full((6, 8), 3, np.uint8))
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
        "masks/a.png": "unknown class in label map; found 3; expected 0..1 (classes.txt) or 255",
    }
    assert len(data.train) == 2  # what is right is still used


@pytest.mark.parametrize(
    "text, fault",
    [
        ("cat\n\nsofa\n", "classes.txt:2: empty; expected the name of class 1"),
        ("cat\nsofa\ncat\n", "classes.txt:3: 'cat' is already in line 1"),
        ("cat\n\nsofa\ncat\n", "txt:2: empty; .*\n.*txt:4: 'cat' is already in line 1"),
        ("café\nsofa\ncafe\u0301\n", "txt:3: 'cafe.u0301' reads like 'caf.xe9', name 1: .*; keep"),
        ("\n".join(f"c{i}" for i in range(256)), "256 classes; label maps have room for 255"),
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
        'wrong entry; found "c.jpg"; expected file_name, id (ids and sizes are whole numbers from '
        "0 to 2^63 - 1)"
    )


def test_missing_parts_say_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="images: no pictures; expected a folder"):
        read_own(tmp_path)
    save_picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(FileNotFoundError, match="neither captions nor masks; expected captions"):
        read_own(tmp_path)
    (tmp_path / "captions.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="captions.jsonl: UTF-16 and not UTF-8"):
        read_own(tmp_path)


@pytest.mark.parametrize(
    "encoding, said",
    [
        ("utf-16", "UTF-16"), ("utf-32", "UTF-32"),
        ("utf-16-be", "UTF-16"), ("utf-32-be", "UTF-32"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["classes.txt", "val.txt", "captions.jsonl"])
def test_an_encoding_is_called_by_its_name(tmp_path, name, encoding, said):
    path = make_own(tmp_path) / name
    mark = "\ufeff" if encoding.endswith("-be") else ""
    path.write_bytes((mark + path.read_text(encoding="utf-8")).encode(encoding))
    with pytest.raises(UserError, match=f"{name}: {said} and not UTF-8 text; save it as UTF-8"):
        read_own(tmp_path)


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_lines_of_old_macs_and_of_windows_are_lines(tmp_path, end):
    """A file without any other line end was read as one line."""
    expected = read_own(make_own(tmp_path))
    for name in ("classes.txt", "val.txt", "captions.jsonl"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes().replace(b"\n", end.encode()))
    found = read_own(tmp_path)
    assert (found.train, found.val, found.rejects) == (expected.train, expected.val, [])
    assert found.dataset.classes == ["cat", "sofa"]


@pytest.mark.parametrize(
    "link, target", [("self", "."), ("sub/up", ".."), ("root", "../.."), ("sub/sub", "../sub")]
)
@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_folder_that_leads_into_itself_is_named_and_not_entered(tmp_path, folder, link, target):
    """Its pictures were found again and again, in forty folders within each other."""
    root = make_own(tmp_path / "own")
    expected = read_own(root)
    (root / folder / link).symlink_to(target)
    data = read_own(root)
    assert (data.train, data.val) == (expected.train, expected.val)
    told = faults(data)
    assert list(told) == [f"{folder}/{link}"]
    assert "link to a folder above it; leads to" in told[f"{folder}/{link}"]


def test_folders_that_lead_into_each_other_end(tmp_path):
    root = make_own(tmp_path / "own")
    for name, other in (("one", "two"), ("two", "one")):
        (root / "images" / name).mkdir()
        (root / "images" / name / "x").symlink_to(f"../{other}")
    assert list(faults(read_own(root))) == ["images/one/x/x", "images/two/x/x"]


def test_a_folder_elsewhere_may_be_linked(tmp_path):
    root = make_own(tmp_path / "own")
    (root / "images" / "sub").rename(tmp_path / "elsewhere")
    (root / "images" / "sub").symlink_to(tmp_path / "elsewhere")
    data = read_own(root)
    assert [r.path for r in data.train] == ["images/a.jpg", "images/sub/b.png"]
    assert data.rejects == []


def test_when_no_caption_is_right_every_line_is_still_named(tmp_path):
    save_picture(tmp_path / "images" / "sub" / "a.jpg")
    lines = ['{"image": "images/sub/A.JPG", "caption": "A dog."}', "[" * 100_000, '{"image": 3}']
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    with pytest.raises(ValueError) as error:
        read_own(tmp_path)
    first, meant, deep, wrong = str(error.value).split("\n")
    assert first.endswith("captions.jsonl: no caption in it can be used, and no mask")
    assert "captions.jsonl:1: no such picture; 'images/sub/A.JPG' is not in images/" in meant
    assert "did you mean 'sub/a.jpg'? Names are paths below images/" in meant
    assert "captions.jsonl:2: wrong line; not JSON" in deep and len(deep) < 300
    assert "captions.jsonl:3: wrong line; found '{\"image\": 3}'" in wrong


def test_lines_that_are_no_text_are_named_and_the_rest_is_used(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    line = b'{"image": "a.jpg", "caption": "A %s."}\n'
    texts = line % b"dog", line % b"caf\xe9", line % b"\\ud800", line % b"cat"
    (tmp_path / "captions.jsonl").write_bytes(b"".join(texts))
    data = read_own(tmp_path)
    assert [c.text for c in data.train[0].captions] == ["A dog.", "A cat."]
    found = faults(data)
    assert found["captions.jsonl:2"].startswith("not UTF-8; byte ")
    assert found["captions.jsonl:3"].startswith("caption is no text; half a character ('\\ud800')")
    assert len(found) == 2


def test_accents_may_be_composed_or_not(tmp_path):
    save_picture(tmp_path / "images" / "cafe\u0301.jpg")
    line = json.dumps({"image": "caf\u00e9.jpg", "caption": "A dog."})
    (tmp_path / "captions.jsonl").write_text(line)
    data = read_own(tmp_path)
    assert (len(data.train), data.rejects) == (1, [])


def test_masks_that_fit_no_single_picture(tmp_path):
    root = make_own(tmp_path)
    save_picture(root / "images" / "sub" / "b.jpg")  # beside sub/b.png
    save_picture(root / "masks" / "a.jpg")
    data = read_own(root)
    assert faults(data) == {
        "masks/a.jpg": "mask is no PNG; expected masks/a.png, other formats may change class ids",
        "masks/sub/b.png": "mask of more than one picture; images/ has sub/b.jpg and sub/b.png; "
        "rename all but one",
        "images/sub/b.jpg": "nothing to learn from; has no caption and no label map",
    }


def test_a_refused_mask_is_one_fault(tmp_path):
    root = make_own(tmp_path)
    for name in ("c.png", "d.png"):
        save_label(root / "masks" / name, np.arange(2, 50, dtype=np.uint8).reshape(6, 8))
    save_picture(root / "images" / "d.jpg")
    data = read_own(root)
    values = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 38 more"
    fault = f"unknown class in label map; found {values}; expected 0..1 (classes.txt) or 255"
    assert faults(data) == {
        "masks/c.png": fault,
        "masks/d.png": fault,
        "images/d.jpg": "nothing to learn from; has no caption",
    }


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


def test_linked_folders_are_read(tmp_path):
    save_picture(tmp_path / "elsewhere" / "a.jpg")
    (tmp_path / "own" / "images").mkdir(parents=True)
    (tmp_path / "own" / "images" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "own" / "captions.jsonl").write_text('{"image": "more/a.jpg", "caption": "Dog."}')
    data = read_own(tmp_path / "own")
    assert ([r.path for r in data.train], data.rejects) == (["images/more/a.jpg"], [])


def test_something_must_be_left_to_learn_from(tmp_path):
    root = make_own(tmp_path)
    (root / "val.txt").write_text("a.jpg\nc.jpg\nsub/b.png\n")
    with pytest.raises(ValueError, match="val.txt: lists every picture, so none is left to learn"):
        read_own(root)


def test_lines_that_json_allows_and_captions_do_not(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    save_picture(tmp_path / "images" / "b.gif")
    lines = [
        '{"image": "a.jpg", "caption": "A dog."}',
        '{"image": "a.jpg", "caption": "A cat.", "caption": "A cow."}',
        '{"image": "a.jpg", "caption": ' + "1" * 5000 + "}",
        '{"image": "a.jpg", "caption": "\\u200b"}',
        '{"image": "a.jpg", "caption": "..."}',
        '{"image": "b.gif", "caption": "A bee."}',
    ]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    (tmp_path / "images" / ".DS_Store").write_text("")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "notes.txt").write_text("")
    data = read_own(tmp_path)
    found = faults(data)
    assert found.pop("captions.jsonl:3").startswith("wrong line; not JSON (Exceeds the limit")
    assert "key 'caption' twice" in found.pop("captions.jsonl:2")
    assert found.pop("images/b.gif").startswith("format not read; expected one of .bmp, .jpeg")
    assert found == {
        "captions.jsonl:4": "caption without words; found '\\u200b'; expected letters",
        "captions.jsonl:5": "caption without words; found '...'; expected letters",
        "captions.jsonl:6": "format not read; 'b.gif' is in images/, see there",
        "masks/notes.txt": "mask is no PNG; expected masks/notes.png, other formats may change "
        "class ids",
    }
    assert [c.text for c in data.train[0].captions] == ["A dog."]


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


def test_pictures_cut_short_are_found_by_decoding(tmp_path):
    root = make_own(tmp_path)
    path = root / "images" / "a.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    data = read_own(root)
    [broken] = data.rejects
    assert (broken.item, broken.reason) == ("images/a.jpg", "unreadable picture")


def test_names_of_other_bytes_are_named_and_the_rest_is_used(tmp_path):
    root = make_own(tmp_path)
    picture = (root / "images" / "a.jpg").read_bytes()
    (root / "images" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(picture)
    folder = root / "images" / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture)
    (root / "masks" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    data = read_own(root)
    assert faults(data) == dict.fromkeys(
        ("images/caf\\xe9.jpg", "images/\\xff/a.jpg", "masks/caf\\xe9.png"),
        "name is not UTF-8; expected UTF-8; rename it",
    )
    assert len(data.train) == 2
    write_parquet(tmp_path / "rejects.parquet", data.rejects, Reject)


def test_a_folder_whose_own_name_is_no_text_is_refused(tmp_path):
    root = make_own(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(ValueError, match="the folder's name is not UTF-8; rename it") as error:
        read_own(root)
    str(error.value).encode()


@pytest.mark.parametrize("twin", ["a\u200b.jpg", "a\u200e.jpg", "\ufeffa.jpg"])
def test_pictures_whose_names_look_the_same_are_left_out(tmp_path, twin):
    root = make_own(tmp_path)
    save_picture(root / "images" / twin)
    data = read_own(root)
    found = faults(data)
    for name in ("a.jpg", twin):
        assert found.pop(f"images/{name}").startswith("names look the same; ")
    assert found == {
        f"captions.jsonl:{line}": "names look the same; 'a.jpg' is in images/, see there"
        for line in (1, 3)
    }
    assert [record.path for record in data.train] == ["images/sub/b.png"]


def test_accents_in_two_forms_are_two_pictures_that_look_the_same(tmp_path):
    root = make_own(tmp_path)
    for name in ("cafe\u0301.jpg", "caf\u00e9.jpg"):
        save_picture(root / "images" / name)
    assert [fault.split(";")[0] for fault in faults(read_own(root)).values()] == [
        "names look the same"
    ] * 2


def test_a_mask_finds_its_picture_however_accents_are_written(tmp_path):
    root = make_own(tmp_path)
    save_picture(root / "images" / "caf\u00e9.jpg")
    (root / "masks" / "c.png").rename(root / "masks" / "cafe\u0301.png")
    (root / "val.txt").write_text("cafe\u0301.jpg", encoding="utf-8")
    data = read_own(root)
    assert [record.label_path for record in data.val] == ["masks/cafe\u0301.png"]
    assert data.rejects == []


def test_two_masks_of_one_picture_are_no_mask(tmp_path):
    root = make_own(tmp_path)
    (root / "masks" / "c.PNG").write_bytes((root / "masks" / "c.png").read_bytes())
    found = faults(read_own(root))
    assert [found[f"masks/c.{e}"].split(";")[0] for e in ("PNG", "png")] == [
        "two masks of one picture"
    ] * 2


def test_masks_painted_as_one_object_are_refused(tmp_path):
    """0 would be the first class, the cat, and 255 not labelled: background learned as cat."""
    root = make_own(tmp_path)
    for path in (root / "masks/c.png", root / "masks/sub/b.png"):
        save_label(path, np.where(np.arange(48).reshape(6, 8) < 9, 255, 0).astype(np.uint8))
    data = read_own(root)
    assert {r.item: r.reason for r in data.rejects} == {
        "masks/sub/b.png": "label maps painted 0 and 255",
        "masks/c.png": "label maps painted 0 and 255",
    }
    assert all(record.label_path is None for record in data.train + data.val)


def test_masks_that_count_from_one_are_refused(tmp_path):
    root = make_own(tmp_path)
    save_label(root / "masks/c.png", np.ones((6, 8), np.uint8))
    save_label(root / "masks/sub/b.png", np.full((6, 8), 2, np.uint8))
    assert [r.reason for r in read_own(root).rejects] == ["label maps numbered otherwise"] * 2


def test_a_hint_by_the_only_file_of_that_name(tmp_path):
    root = make_own(tmp_path)
    save_picture(root / "images" / "my dog.jpg")
    names = ["b.png", "C:\\data\\b.png", "my%20dog.jpg", "/home/me/images/c.jpg", "z.jpg"]
    with open(root / "captions.jsonl", "a") as file:
        for name in names:
            file.write(json.dumps({"image": name, "caption": "A dog."}) + "\n")
    (root / "masks" / "masks").mkdir()
    (root / "masks" / "c.png").rename(root / "masks" / "masks" / "c.png")
    found = faults(read_own(root))
    meant = ["sub/b.png", "sub/b.png", "my dog.jpg", "c.jpg"]
    for line, name in enumerate(meant, start=5):
        assert f"did you mean {name!r}?" in found[f"captions.jsonl:{line}"]
    assert "did you mean" not in found["captions.jsonl:9"]
    assert found["masks/masks/c.png"].endswith("if it is of images/c.jpg, name it masks/c.png")


@pytest.mark.parametrize(
    ("name", "other", "meant"),
    [
        ("masks", "mask", "masks/"), ("masks", "Masks", "masks/"),
        ("val.txt", "Val.TXT", "val.txt"), ("val.txt", "valid.txt", "val.txt"),
        ("captions.jsonl", "captions.jsonl.txt", "captions.jsonl"),
        ("captions.jsonl", "metadata.jsonl", "captions.jsonl"),
        ("captions.jsonl", "caption.csv", "captions.jsonl"),
    ],
)  # fmt: skip
def test_an_entry_nearly_called_like_what_is_missing_is_a_fault(tmp_path, name, other, meant):
    """The masks of "mask/" were left out without a word."""
    root = make_own(tmp_path)
    (root / name).rename(root / other)
    data = read_own(root)
    slash = "/" if name == "masks" else ""
    assert faults(data)[other + slash].startswith(f"not read; did you mean {meant}?")
    assert data.unread == []


@pytest.mark.parametrize(
    ("name", "other", "error"),
    [
        ("images", "Images", "images: no pictures; .*\n  Images/: not read; did you mean images/"),
        (
            "classes.txt",
            "class.txt",
            "missing; .*\n  class.txt: not read; did you mean classes",
        ),
        ("classes.txt", "labels.txt", "missing; .*\n  labels.txt: not read; did you mean classes"),
    ],
)
def test_what_cannot_be_missing_names_what_may_be_meant(tmp_path, name, other, error):
    root = make_own(tmp_path)
    (root / name).rename(root / other)
    with pytest.raises(UserError, match=error):
        read_own(root)


def test_other_entries_are_named_and_no_fault(tmp_path):
    """Nothing is missing that they could be meant as."""
    root = make_own(tmp_path)
    for name in ("mask", "notes", ".git"):
        (root / name).mkdir()
    for name in ("README.md", "captions.txt", "metadata.jsonl", ".hidden", "Thumbs.db"):
        (root / name).write_text("x")
    data = read_own(root)
    assert data.unread == ["README.md", "captions.txt", "mask/", "metadata.jsonl", "notes/"]
    assert data.rejects == []


def test_a_folder_one_too_deep_is_pointed_to(tmp_path):
    make_own(tmp_path / "mydata" / "mydata")
    with pytest.raises(FileNotFoundError, match="did you mean .*mydata/mydata"):
        read_own(tmp_path / "mydata")


def test_when_no_picture_can_be_used_all_are_named(tmp_path):
    save_picture(tmp_path / "images" / "a.jpg")
    save_picture(tmp_path / "images" / "a\u200b.jpg")
    (tmp_path / "val.txt").write_text("a.jpg")
    with pytest.raises(FileNotFoundError) as error:
        read_own(tmp_path)
    assert str(error.value).count("names look the same") == 2


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


@pytest.mark.parametrize("name", ["classes.txt", "val.txt", "captions.jsonl"])
def test_a_merge_conflict_is_no_line_of_ones_own(tmp_path, name):
    """Its markers would be classes, and shift the ids of those that follow."""
    root = make_own(tmp_path)
    text = (root / name).read_text() if (root / name).exists() else "a.png\n"
    (root / name).write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n")
    with pytest.raises(UserError, match=f"{name}:1: a merge conflict that is not resolved"):
        read_own(root)


def test_a_held_out_name_without_its_suffix_gets_a_hint(tmp_path):
    root = make_own(tmp_path)
    picture = sorted(path.name for path in (root / "images").iterdir())[0]
    (root / "val.txt").write_text(picture.rpartition(".")[0] + "\n")
    hint = f"did you mean {picture!r}"
    assert any(hint in reject.detail for reject in read_own(root).rejects)


def test_a_folder_of_ones_own_may_be_below_home(tmp_path, monkeypatch):
    """A shell writes `~` out for `ovseg check --own`; in params.yaml nobody does."""
    make_own(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    there = f"~/{tmp_path.name}"
    assert read_own(there).dataset.root == tmp_path.resolve()


def test_label_maps_in_a_folder_of_another_name_are_told(tmp_path):
    root = make_own(tmp_path)
    (root / "masks").rename(root / "labels")
    assert faults(read_own(root))["classes.txt"].endswith("in labels/? rename it masks/")


def test_an_empty_class_list_beside_masks_is_told(tmp_path):
    root = make_own(tmp_path)
    (root / "classes.txt").write_text("\n")
    with pytest.raises(UserError, match="classes.txt: empty; expected the names"):
        read_own(root)
