"""Any tar as a shard of pairs: its pairs, or an error that names it; what is written is read."""

import io
import json
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.core.records import ImageRecord, PairRecord
from pipeline.data.class_list import name_fault, name_faults
from pipeline.finetune.pair_set import PairSet
from pipeline.pairs.write import TAR, PairWriter, pair_key
from tests.properties.inputs import BYTES, JSON, QUICK, answer, mutated


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


CROP, MASK = png(np.zeros((3, 4, 3), np.uint8)), png(np.full((3, 4), 255, np.uint8))
ODD_MASKS = [
    png(np.zeros((3, 4), np.uint8)),
    png(np.arange(36, dtype=np.uint8).reshape(3, 4, 3)),
    png(np.arange(48, dtype=np.uint8).reshape(3, 4, 4)),
]
CONTENT = st.one_of(
    st.sampled_from(
        [
            CROP,
            MASK,
            *ODD_MASKS,
            b"do\xe2\x80\x8bg",
            b"a\nb",
            b"dog",
            b'{"image_id": 3}',
            b"",
            b" \n",
            b"\xff",
        ]
    ),
    BYTES,
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.just("image_id"), JSON).map(lambda value: json.dumps(value).encode()),
)
NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "./", "x/", "v1.0/", "../", "/", "//", "._", "x/._", "__MACOSX/"]),
        st.sampled_from(["a", "b", "A", "a.b", "", "ä", "\udcff", "a\nb"]),
        st.sampled_from([".png", ".mask.png", ".txt", ".json", ".jpg", ".PNG", ".cls", "", "."]),
    ),
)  # fmt: skip
KINDS = st.sampled_from([tarfile.REGTYPE] * 9 + [
    tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE,
    tarfile.AREGTYPE, tarfile.CONTTYPE, b"Z",
])  # fmt: skip
MEMBERS = st.lists(st.tuples(NAMES, CONTENT, KINDS), max_size=8)
WHOLE_PAIR = [
    ("a.png", CROP, tarfile.REGTYPE), ("a.mask.png", MASK, tarfile.REGTYPE),
    ("a.txt", b"dog", tarfile.REGTYPE), ("a.json", b'{"image_id": 3}', tarfile.REGTYPE),
]  # fmt: skip


def tar_of(members, form=tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tars")


def check(folder, data: bytes) -> PairSet | None:
    """Every pair that is there is whole, and its pictures are read or named."""
    (folder / "0.tar").write_bytes(data)
    pairs = answer(lambda: PairSet(folder), folder)
    for index in range(len(pairs) if pairs is not None else 0):
        noun = pairs.nouns[pairs.noun_ids[index]]
        assert noun.strip() and name_fault(noun) is None and pairs.image_ids[index] >= 0
        pair = answer(lambda index=index: pairs[index], folder / "0.tar")
        assert pair is None or (pair.crop.shape[:2] == pair.mask.shape and pair.mask.any())
    assert [path.name for path in folder.iterdir()] == ["0.tar"], "nothing is unpacked"
    return pairs


@given(data=BYTES)
@QUICK
def test_any_bytes_as_a_shard(folder, data):
    assert check(folder, data) is None


@given(members=MEMBERS, form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
@QUICK
def test_any_members(folder, members, form):
    check(folder, tar_of(members, form))


@given(data=st.data())
@QUICK
def test_a_pair_and_any_other_member(folder, data):
    """One change at a time is either a pair as before or an error."""
    members = list(WHOLE_PAIR)
    place = data.draw(st.integers(0, len(members)))
    odd = data.draw(st.tuples(NAMES, CONTENT, KINDS))
    members[place : place + data.draw(st.integers(0, 1))] = [odd]
    check(folder, tar_of(members))


@given(data=mutated(tar_of(WHOLE_PAIR)))
@QUICK
def test_a_changed_shard(folder, data):
    check(folder, data)


@given(behind=st.one_of(BYTES, st.just(tar_of(WHOLE_PAIR))), zeros=st.integers(0, 2000))
@QUICK
def test_anything_behind_the_end_is_named(folder, behind, zeros):
    pairs = check(folder, tar_of(WHOLE_PAIR) + bytes(zeros) + behind)
    assert (pairs is None) == bool(behind.strip(b"\0"))


@given(cut=st.integers(0, len(tar_of(WHOLE_PAIR)) - 1))
@QUICK
def test_a_tar_cut_short_is_never_a_smaller_one(folder, cut):
    two = tar_of(
        [*WHOLE_PAIR, *((name.replace("a.", "b.", 1), *rest) for name, *rest in WHOLE_PAIR)]
    )
    pairs = check(folder, two[:cut])
    assert pairs is None or len(pairs) == 2


@given(mask=st.one_of(BYTES, mutated(MASK), *map(mutated, ODD_MASKS)))
@QUICK
def test_any_bytes_as_a_mask(folder, mask):
    members = [("a.mask.png", mask, tarfile.REGTYPE) if "mask" in m[0] else m for m in WHOLE_PAIR]
    pairs = check(folder, tar_of(members))
    assert pairs is None if not mask else len(pairs) == 1


NOUNS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6).filter(
    lambda noun: name_fault(noun) is None
)


@given(
    nouns=st.lists(NOUNS, min_size=1, max_size=4).filter(
        lambda nouns: not name_faults(sorted(set(nouns)))
    ),
    image_id=st.integers(0, 2**63 - 1),
    seed=st.integers(0, 9),
    crop_format=st.sampled_from(["png", "jpg"]),
)
@QUICK
def test_what_the_writer_writes_is_read(folder, nouns, image_id, seed, crop_format):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    mask = rng.random((9, 11)) < 0.5
    record = ImageRecord(image_id, "a.jpg", 11, 9, [], None)
    with PairWriter(folder, "mean", crop_format) as writer:
        for number, noun in enumerate(nouns):
            key = pair_key(image_id, number)
            box = (number, 1, number + 5, 8)
            row = PairRecord(key, "", image_id, 1, noun, box, 9, 0.5, 0, True)
            writer.write(row, record, picture, mask)
    (folder / TAR).rename(folder / "0.tar")
    pairs = PairSet(folder)
    assert [pairs.nouns[i] for i in pairs.noun_ids] == nouns
    assert pairs.image_ids.tolist() == [image_id] * len(nouns)
    for number in range(len(nouns)):
        shown = slice(1, 8), slice(number, number + 5)
        assert np.array_equal(pairs[number].mask, mask[shown])
        assert crop_format == "jpg" or np.array_equal(pairs[number].crop, picture[shown])
