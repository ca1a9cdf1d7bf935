import os

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.core.records import Caption, Reject, write_parquet
from pipeline.data.own import read_own
from tests.data.folders import faults, make_own, save_label, save_picture


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
