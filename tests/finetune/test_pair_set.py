"""Pairs read from the shards of the stage and from tars of one's own; odd members are named."""

import io
import shutil
import tarfile

import numpy as np
import pytest

from pipeline.core.errors import MissingFileError, UserError
from pipeline.finetune import pair_set
from pipeline.finetune.pair_set import PairSet, open_pairs
from tests.clip.tiny import COLOURS, wedge, write_pairs
from tests.finetune.tars import GOOD, own, pair, pictures, stored, tar_of


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
    tar_of(tmp_path / "0.TAR", pair("a"))
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
