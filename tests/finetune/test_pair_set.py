import io
import os
import pickle
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.sampler import TrainingBatchSampler, loader
from pipeline.core.shards import run_shards
from pipeline.finetune import pair_set
from pipeline.finetune.augment import Batch, RegionSet, stack
from pipeline.finetune.pair_set import PairSet, open_pairs
from tests.clip.tiny import COLOURS, wedge, write_pairs


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items() if isinstance(members, dict) else members:
            if isinstance(data, tarfile.TarInfo):
                tar.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_pairs_are_read_as_written(tmp_path):
    pairs = PairSet(write_pairs(tmp_path, 7, per_shard=3))
    rng = np.random.default_rng(0)
    assert len(pairs) == 7 and set(pairs.nouns) <= set(COLOURS)
    assert pairs.nouns == sorted(pairs.nouns)
    assert pairs.image_ids.tolist() == [0, 0, 1, 1, 2, 2, 3]
    for i in range(7):
        noun = list(COLOURS)[rng.integers(len(COLOURS))]
        crop, mask = wedge(COLOURS[noun], rng)
        assert pairs.nouns[pairs.noun_ids[i]] == noun
        assert np.array_equal(pairs[i].crop, crop) and np.array_equal(pairs[i].mask, mask)


@pytest.mark.parametrize("budget", [0, 2**30])
def test_decoding_ahead_changes_nothing(tmp_path, budget):
    write_pairs(tmp_path, 7)
    plain, ahead = PairSet(tmp_path), open_pairs(tmp_path, budget)
    for i in range(7):
        assert np.array_equal(plain[i].crop, ahead[i].crop)


def test_decoded_pairs_never_pass_the_budget(tmp_path):
    plain = PairSet(write_pairs(tmp_path, 11))
    four = sum(plain[i].crop.nbytes + plain[i].mask.nbytes for i in range(4))
    for budget, kept in ((four, 4), (four - 1, 3), (0, 0)):
        assert PairSet(tmp_path, budget).decode() == kept
    pairs = PairSet(tmp_path, four)
    pairs.decode()
    for i in range(11):
        assert np.array_equal(pairs[i].crop, plain[i].crop)
        assert np.array_equal(pairs[i].mask, plain[i].mask)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_what_is_decoded_reaches_the_processes_of_the_loader(tmp_path, workers):
    """The shards are gone by then: nobody can read a pair again."""

    def batches(pairs: PairSet, workers: int) -> list[Batch]:
        regions = RegionSet(pairs, 24, torch.zeros(3), torch.ones(3), "mean", 0.9, seed=0)
        return list(loader(regions, TrainingBatchSampler(13, 4, 0, 0, 5, 0, 1), stack, workers))

    expected = batches(PairSet(write_pairs(tmp_path, 13)), 0)
    pairs = open_pairs(tmp_path)
    for shard in tmp_path.glob("*.tar"):
        shard.unlink()
    found = batches(pairs, workers)
    assert len(found) == len(expected) == 5
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.masks, other.masks)
        assert torch.equal(one.noun_ids, other.noun_ids)


def test_pairs_for_another_machine_are_read_there(tmp_path):
    pairs = open_pairs(write_pairs(tmp_path, 5))
    data = pickle.dumps(pairs)
    assert len(data) < 10_000
    there = pickle.loads(data)
    assert all(np.array_equal(there[i].crop, pairs[i].crop) for i in range(5))


def test_decoded_pairs_have_no_file_that_could_be_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    shared = Path("/dev/shm")
    before = {*shared.iterdir()} if shared.is_dir() else set()
    for memory in (True, False):
        if not memory:  # as on macOS
            monkeypatch.delattr(os, "memfd_create", raising=False)
        pairs = open_pairs(write_pairs(tmp_path / "pairs", 5))
        assert pairs[0].mask.any() and not list((tmp_path / "temporary").iterdir())
        if shared.is_dir():
            assert not [f for f in {*shared.iterdir()} - before if "ovseg" in f.name]


GOOD = {"a.txt": b"dog", "a.json": b'{"image_id": 3}'}


def stored(folder, members) -> Path:
    """A folder whose one shard has these members: bytes, or a TarInfo for what is no file."""

    def make(items, made):
        _tar(made / "pairs.tar", members)
        return {}

    run_shards(folder, [0], 1, make, {"members": repr(members)}, "", names=["pairs.tar"])
    return folder


def pictures(height=3, width=4):
    return {
        "a.png": _png(np.zeros((3, 4, 3), np.uint8)),
        "a.mask.png": _png(np.full((height, width), 255, "B")),
    }


def test_a_folder_without_shards_names_the_stage(tmp_path):
    with pytest.raises(MissingFileError, match="no manifest folder, expected shards pairs"):
        PairSet(tmp_path)
    with pytest.raises(UserError, match="its 1 shards hold no pairs"):
        PairSet(stored(tmp_path, {}))


def test_only_what_a_manifest_names_is_trained_on(tmp_path):
    """A copy of a shard used to be trained on as well."""
    write_pairs(tmp_path, 7, per_shard=3)
    for name in ("pairs-00003.tar", "pairs-00000 (copy).tar", "other.tar"):
        shutil.copy(tmp_path / "pairs-00000.tar", tmp_path / name)
    assert len(PairSet(tmp_path)) == 7


def link(kind) -> tarfile.TarInfo:
    info = tarfile.TarInfo("a.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def own(folder, *shards) -> Path:
    """A folder of tars that somebody packed: no manifests."""
    for number, members in enumerate(shards):
        _tar(folder / f"{number}.tar", members)
    return folder


def pair(key, noun="dog", number=3) -> list[tuple[str, bytes]]:
    files = pictures() | GOOD | {"a.txt": noun.encode(), "a.json": b'{"image_id": %d}' % number}
    return [(key + name.removeprefix("a"), data) for name, data in files.items()]


def folder_member(name) -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return name, info


REPACKED = {
    "as written": pair("a"),
    "tar of .": [folder_member("."), *pair("./a")],
    "tar of a folder": [folder_member("train"), *pair("train/a")],
    "dots in folders": [folder_member("v1.0/x.y"), *pair("v1.0/x.y/a")],
    "capitals": [(name.upper(), data) for name, data in pair("a")],
    "JPEG": [(name.replace("a.png", "a.jpeg"), data) for name, data in pair("a")],
    "macOS": [("._a.png", b"x"), ("x/._a.txt", b"x"), (".DS_Store", b"x"), *pair("x/a")],
    "doubled slash": pair(".//x//a"),
    "other suffixes": [*pair("a"), ("a.cls", b"1"), ("a.mask.npy", b"x")],
    "noun with a byte order mark": pair("a", "\ufeffdog\n"),
    "PAX headers": pair("ä" * 200),
}


@pytest.mark.parametrize("kind", REPACKED)
def test_own_tars_give_their_pairs(tmp_path, capsys, kind):
    """A folder without manifests: all its tars, in the order of their names."""
    other = pair("a", "cat", 4)
    pairs = open_pairs(own(tmp_path, REPACKED[kind], other))
    assert [pairs.nouns[i] for i in pairs.noun_ids] == ["dog", "cat"]
    assert pairs.image_ids.tolist() == [3, 4] and not pairs.has_manifests
    assert pairs[0].crop.shape == (3, 4, 3) and pairs[0].mask.all()
    assert capsys.readouterr().out.count("there is no manifest to check them by") == 1
    with_manifest = stored(tmp_path / "stage", REPACKED[kind])
    assert len(open_pairs(with_manifest)) == 1 and "manifest" not in capsys.readouterr().out


def test_own_tars_are_known_by_their_bytes(tmp_path):
    (tmp_path / "b").mkdir()
    one = PairSet(own(tmp_path, pair("a"))).digest()
    assert PairSet(own(tmp_path / "b", pair("a"))).digest() == one
    assert PairSet(own(tmp_path / "b", pair("a", "cat"))).digest() != one


def test_a_folder_with_manifests_is_never_taken_for_own_tars(tmp_path):
    folder = stored(tmp_path, pair("a"))
    (folder / "manifest" / "whole.json").unlink()
    with pytest.raises(UserError, match="unfinished, not all shards are made"):
        PairSet(folder)


def test_tars_in_capitals_are_tars(tmp_path):
    _tar(tmp_path / "0.TAR", pair("a"))
    assert len(PairSet(tmp_path)) == 1


@pytest.mark.parametrize("name", ["0.tar.gz", "0.TGZ", "0.tar.zst", "0.tar.xz"])
@pytest.mark.parametrize("beside", [True, False])
def test_compressed_tars_are_named(tmp_path, name, beside):
    """They were left out without a word where there were others."""
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "0.tar.json").write_bytes(b"")
    if beside:
        own(tmp_path, pair("a"))
    with pytest.raises(UserError, match=rf"{name}: compressed, 1 in all; .* to .tar"):
        PairSet(tmp_path)


def test_a_compressed_tar_of_another_name_and_a_file_in_place_of_a_folder_are_named(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w:gz"):
        pass
    with pytest.raises(UserError, match="0.tar: .* it is compressed, whatever its name says"):
        PairSet(tmp_path)
    with pytest.raises(UserError, match=f"0.tar: a file, expected the folder .* give {tmp_path}$"):
        PairSet(tmp_path / "0.tar")


WRONG = {
    "no mask": ({"a.png": b"x"}, "pair a has no .mask.png; expected the members .png"),
    "id missing": ({"a.json": b"{}"}, "pair a: its .json is b'{}', expected an object"),
    "list": ({"a.json": b"[3]"}, "expected an object with image_id"),
    "text id": ({"a.json": b'{"image_id": "3"}'}, "image_id, a whole number"),
    "true id": ({"a.json": b'{"image_id": true}'}, "image_id, a whole number"),
    "NaN": ({"a.json": b'{"image_id": NaN}'}, "image_id, a whole number"),
    "fraction": ({"a.json": b'{"image_id": 3.5}'}, "image_id, a whole number"),
    "huge id": ({"a.json": b'{"image_id": %d}' % 10**30}, "image_id, a whole number"),
    "digits": ({"a.json": b'{"image_id": %s}' % (b"9" * 5000)}, "its .json is not JSON"),
    "deep": ({"a.json": b"[" * 100_000}, "its .json is not JSON"),
    "repeated": ({"a.json": b'{"image_id": 3, "image_id": 4}'}, "image_id is there twice"),
    "not JSON": ({"a.json": b"image 3"}, "its .json is not JSON"),
    "bytes": ({"a.json": b"\xff\xfe"}, "its .json is not JSON"),
    "no UTF-8": ({"a.txt": b"\xff"}, "not a readable shard of pairs: .*utf-8"),
    "no noun": ({"a.txt": b" \n"}, "pair a has an empty noun"),
    "folder": ({"a.txt": link(tarfile.DIRTYPE)}, "member 'a.txt' is not a plain file"),
    "symbolic link": ({"a.txt": link(tarfile.SYMTYPE)}, "member 'a.txt' is not a plain file"),
    "hard link": ({"a.txt": link(tarfile.LNKTYPE)}, "member 'a.txt' is not a plain file"),
    "device": ({"a.txt": link(tarfile.CHRTYPE)}, "member 'a.txt' is not a plain file"),
    "pipe": ({"a.txt": link(tarfile.FIFOTYPE)}, "member 'a.txt' is not a plain file"),
    "sparse": ({"a.txt": link(tarfile.GNUTYPE_SPARSE)}, "not a readable shard|not a plain file"),
    "invisible noun": ({"a.txt": "\u200b\u2060".encode()}, "pair a has an empty noun"),
    "empty crop": ({"a.png": b""}, "member 'a.png' of pair a is empty, 0 bytes"),
    "empty mask": ({"a.mask.png": b""}, "member 'a.mask.png' of pair a is empty, 0 bytes"),
    "two crops": ({"a.jpg": b"x"}, "pair a has two crops, .png and .jpg"),
    "twice by capitals": ({"a.TXT": b"cat"}, "member 'a.TXT' is there twice, also as 'a.txt'"),
    "twice by its path": ({"./a.txt": b"cat"}, "member './a.txt' is there twice, also as 'a.txt'"),
    "more dots": ({"b.01.png": b"x"}, "pair b has no .* but .01.png: a key ends at its first dot"),
    "no UTF-8 name": ({"b\udcff.png": b"x"}, r"pair b\\udcff has no"),
    "outside": ({"../b.png": b"x"}, "pair ../b has no"),
    "absolute": ({"/etc/b.png": b"x"}, "pair /etc/b has no"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_an_odd_member_is_named_and_nothing_is_unpacked(tmp_path, kind):
    members, message = WRONG[kind]
    base = GOOD if kind == "no mask" else pictures() | GOOD
    with pytest.raises(UserError, match=message) as error:
        PairSet(stored(tmp_path, base | members))
    assert "pairs-00000.tar: " in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"manifest", "pairs-00000.tar"}


def test_a_member_that_is_there_twice_is_named(tmp_path):
    members = [*(pictures() | GOOD).items(), ("a.txt", b"cat")]
    with pytest.raises(UserError, match="member 'a.txt' is there twice"):
        PairSet(stored(tmp_path, members))
    compressed = io.BytesIO()
    with tarfile.open(fileobj=compressed, mode="w:gz"):
        pass
    (tmp_path / "pairs-00000.tar").write_bytes(compressed.getvalue())
    with pytest.raises(UserError, match="pairs-00000.tar: its content is not what its manifest"):
        PairSet(tmp_path)
    with pytest.raises(UserError, match="pairs-00000.tar: not a readable shard of pairs"):
        pair_set._index(tmp_path / "pairs-00000.tar", is_own=False)


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header promises side x side pixels."""
    data = bytearray(_png(np.zeros((1, 1), "B")))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            {"a.png": b"x"},
            "pair 0, its crop: not a readable picture .no known format starts with b'x'",
        ),
        (
            {"a.png": bomb(30_000)},
            "pair 0, its crop: 30000 x 30000 pixels, more than the 200,000",
        ),
        (
            {"a.mask.png": bomb(30_000)},
            "pair 0, its mask: 30000 x 30000 pixels, more than the 200,000",
        ),
        (pictures(4, 3), r"crop of \(3, 4\) and a mask of \(4, 3\)"),
    ],
)
def test_a_crop_that_is_no_picture_is_named(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message) as error:
        PairSet(stored(tmp_path, pictures() | GOOD | wrong))[0]
    assert "pairs-00000.tar: " in str(error.value)


PALETTE = Image.fromarray(np.array([[0, 1, 2, 0]], np.uint8), "P")
PALETTE.putpalette([255, 255, 255, 0, 0, 0, 9, 0, 0])


def saved(pixels, kind="PNG") -> bytes:
    """Bytes of a file of Pillow's picture or of pixels."""
    buffer = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(buffer, kind)
    return buffer.getvalue()


def deep(pixels) -> bytes:
    """A PNG of 16 bits a channel; OpenCV's order is BGR."""
    return cv2.imencode(".png", np.array(pixels, np.uint16))[1].tobytes()


ROW = np.array([[0, 1, 2, 0]], np.uint8)  # dark: all but 0 is the object
OPAQUE = np.full_like(ROW, 255)
MASKS = {
    "gray": saved(ROW),
    "bool": saved(ROW > 0),
    "16 bits": saved(ROW.astype(np.uint16)),
    "palette": saved(PALETTE),
    "RGB": saved(np.stack([ROW] * 3, -1)),
    "opaque RGBA": saved(np.stack([ROW] * 3 + [OPAQUE], -1)),
    "opaque LA": saved(np.stack([ROW, OPAQUE], -1)),
}


def with_mask(folder, mask) -> PairSet:
    crop = {"a.png": saved(np.zeros((1, 4, 3), np.uint8))}
    return PairSet(own(folder, crop | GOOD | {"a.mask.png": mask}))


@pytest.mark.parametrize("kind", MASKS)
def test_what_a_mask_stores_counts(tmp_path, kind):
    assert with_mask(tmp_path, MASKS[kind])[0].mask.tolist() == [[False, True, True, False]]


NO_MASKS = {
    "colours": (saved(np.stack([ROW, ROW, ROW * 0], -1)), "has colours"),
    "alpha": (saved(np.stack([OPAQUE] * 3 + [ROW], -1)), "has alpha below 255"),
    "gray with alpha": (saved(np.stack([OPAQUE, ROW], -1)), "has alpha below 255"),
    "alpha 254": (saved(np.stack([ROW, OPAQUE - 1], -1)), "has alpha below 255"),
    "RGB of 16 bits": (deep([[[0] * 3, [9] * 3, [9] * 3, [0] * 3]]), "is RGB of 16 bits"),
    "RGBA of 16 bits": (deep([[[9, 9, 9, 65535]] * 4]), "is RGBA of 16 bits"),
    "nothing": (saved(ROW * 0), "is 0 everywhere"),
    "index 0": (saved(Image.new("P", (4, 1))), "is 0 everywhere"),
    "JPEG": (saved(ROW, "JPEG"), "is a JPEG file"),
    "TIFF": (saved(ROW, "TIFF"), "is a TIFF file"),
}


@pytest.mark.parametrize("kind", NO_MASKS)
def test_a_mask_that_is_none_is_named(tmp_path, kind):
    mask, fault = NO_MASKS[kind]
    pairs = with_mask(tmp_path, mask)
    with pytest.raises(UserError, match=rf"0.tar: pair 0, its mask: {fault}.*; expected a PNG"):
        pairs[0]
    with pytest.raises(UserError, match="members 'a.png' and 'a.mask.png'"):
        pairs[0]


@pytest.mark.parametrize(
    "noun, fault",
    [
        ("hot\ndog", "cannot be seen .U.000A."), ("dog\x1b[31m", "cannot be seen .U.001B."),
        ("do\u200bg", "cannot be seen .U.200B."), ("dog\u202e", "cannot be seen .U.202E."),
        ("hot\rdog", "cannot be seen .U.000D."), ("dog,", "ends with ','"), ("'dog'", "in quotes"),
        ('["dog"]', "is a list"), ("# dog", "is a comment"), ("<b>dog</b>", "is markup"),
        ("cat\tdog", "holds several names"),
    ],
)  # fmt: skip
def test_own_nouns_are_held_to_the_rules_of_class_names(tmp_path, noun, fault):
    with pytest.raises(UserError, match=f"0.tar: .*pair a: its .txt .*{fault}"):
        PairSet(own(tmp_path, pair("a", noun)))


@pytest.mark.parametrize(
    "noun", ["[bold]", "apple[/i]", "door, frame", "👨\u200d👩\u200d👧", "3 wheeler"]
)
def test_own_nouns_that_are_names_are_left_alone(tmp_path, noun):
    assert PairSet(own(tmp_path, pair("a", noun))).nouns == [noun]


@pytest.mark.parametrize("twin", ["cafe\u0301", "caf\u00e9\u200d", "Caf\u00e9", "caf\uff45\u0301"])
def test_own_nouns_that_read_alike_are_named(tmp_path, twin):
    folder = own(tmp_path, pair("a", "caf\u00e9"), pair("b", twin))
    with pytest.raises(UserError, match="nouns of its tars 'caf.* reads like '[cC]af.*keep one"):
        PairSet(folder)


def test_own_nouns_are_judged_together(tmp_path):
    """Each alone may be a name, all of them are a numbered list."""
    folder = own(tmp_path, pair("a", "0 cat"), pair("b", "1 dog"))
    with pytest.raises(UserError, match="nouns of its tars '0 cat' has a number, .*write 'cat'"):
        PairSet(folder)


def test_a_tar_with_anything_behind_its_end_is_named(tmp_path):
    """Only the pairs of the first were read, without a word."""
    path = own(tmp_path, pair("a")) / "0.tar"
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    for behind in (whole, b"x", bytes(5000) + b"x"):
        path.write_bytes(whole + behind)
        with pytest.raises(UserError, match=f"0.tar: .* end at byte {end} of .*appended"):
            PairSet(tmp_path)
    path.write_bytes(whole + bytes(3_000_000))
    assert len(PairSet(tmp_path)) == 1
    path.write_bytes(whole[:end] + bytes(1024))
    assert len(PairSet(tmp_path)) == 1


def test_a_tar_cut_short_between_members_is_named(tmp_path):
    path = own(tmp_path, [*pair("a"), *pair("b")]) / "0.tar"
    whole = path.read_bytes()
    at = whole.index(b"b.png\0")
    for cut in (at, at + 200):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=f"0.tar: .* byte {at}"):
            PairSet(tmp_path)
    path.write_bytes(whole[:at] + b"?" + whole[at + 1 :])
    with pytest.raises(UserError, match=f"0.tar: .* end at byte {at} of .*damage"):
        PairSet(tmp_path)


def test_own_crops_are_read_as_every_picture_is(tmp_path):
    deep = np.full((3, 4), 128 * 257, np.uint16)
    turned = Image.fromarray(np.repeat(np.arange(0, 240, 10, dtype=np.uint8), 8).reshape(8, 24))
    exif = Image.Exif()
    exif[0x0112] = 3
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=100, exif=exif)
    mask = np.zeros((8, 24), np.uint16)
    mask[0, 0] = 256
    jpeg = {"b.jpg": buffer.getvalue(), "b.mask.png": _png(mask), "b.txt": b"cat"}
    gray = {"a.png": _png(deep)}
    members = pictures() | GOOD | gray | jpeg | {"b.json": b'{"image_id": 2}'}
    pairs = PairSet(own(tmp_path, members))
    assert (pairs[0].crop == 128).all()
    expected = np.asarray(turned)[::-1, ::-1].astype(int)
    assert np.abs(pairs[1].crop[..., 0] - expected).max() <= 3
    assert pairs[1].mask[0, 0] and pairs[1].mask.sum() == 1


def test_no_bytes_of_a_picture_end_in_a_trace(tmp_path):
    """Whatever Pillow raises on foreign bytes; their checksum is right here."""
    rng = np.random.default_rng(0)
    whole = _png(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8))
    for number in range(150):
        data = bytearray(whole)
        for place in rng.integers(8, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        chunk = 8
        while chunk + 12 <= len(data):  # so that Pillow looks at the content
            end = chunk + 8 + int.from_bytes(data[chunk : chunk + 4], "big")
            data[end : end + 4] = zlib.crc32(data[chunk + 4 : end]).to_bytes(4, "big")
            chunk = end + 4
        pairs = PairSet(stored(tmp_path / str(number), pictures() | GOOD | {"a.png": bytes(data)}))
        try:
            pairs[0]
        except UserError:
            pass
