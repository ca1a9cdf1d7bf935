"""captions.jsonl, classes.txt and val.txt of one's own folder, as people write them."""

import json

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.core.records import Caption
from pipeline.data.own import read_own
from tests.data.folders import faults, make_own, save_label, save_picture


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
