"""Any bytes and any JSON in captions.jsonl: an error that names the file, or every line of it is a
caption or a reject that names the line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Reject, read_parquet, write_parquet
from pipeline.data.own import read_own
from pipeline.data.own_text import Names, read_all_captions
from pipeline.nouns.nouns import caption_nouns
from pipeline.nouns.tagger import load_tagger
from tests.data.folders import save_picture
from tests.properties.inputs import BYTES, DEEP, JSON, QUICK, answer, mutated, swapped
from tests.shipped import RULES

ENTRY = {"image": "a.jpg", "caption": "A dog🐶 on a sofa.It sleeps &copy @me."}
FILE = b"".join(json.dumps(ENTRY | {"image": name}).encode() + b"\n" for name in ("a.jpg", "b.jpg"))
LINES = st.lists(swapped(ENTRY) | JSON, max_size=5)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder of one's own with two pictures."""
    root = tmp_path_factory.mktemp("own")
    for name in ("a.jpg", "b.jpg"):
        save_picture(root / "images" / name)
    return root


@pytest.fixture(scope="module")
def tagger():
    return load_tagger()


def accounted(root, content):
    """Reads the file; each line that is not blank is a caption or a reject, and all can be written.

    Returns the texts of the captions by line, None where the whole file is refused.
    """
    path = root / "captions.jsonl"
    path.write_bytes(content)
    rejects: list[Reject] = []
    read = answer(lambda: read_all_captions(root, Names(["a.jpg", "b.jpg"]), rejects), path)
    if read is None:
        return None
    texts = {caption.id: caption.text for found in read.texts.values() for caption in found}
    faulty = [int(reject.item.removeprefix("captions.jsonl:")) for reject in rejects]
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    filled = [number for number, line in enumerate(lines, 1) if not blank(line)]
    assert sorted([*texts, *faulty]) == filled
    assert all(reject.reason and 0 < len(reject.detail) < 1000 for reject in rejects)
    write_parquet(root / "rejects.parquet", rejects, Reject)
    assert read_parquet(root / "rejects.parquet", Reject) == rejects
    return texts


def blank(line):
    try:
        return not line.decode().strip()
    except UnicodeDecodeError:
        return False


@QUICK
@given(content=BYTES | mutated(FILE) | st.lists(BYTES | st.just(FILE), max_size=4).map(b"\n".join))
def test_any_bytes(root, content):
    accounted(root, content)


@QUICK
@given(entries=LINES, end=st.sampled_from(["\n", "\r\n", "\n\n"]), escaped=st.booleans())
def test_any_json_on_each_line(root, tagger, entries, end, escaped):
    lines = [json.dumps(entry, ensure_ascii=escaped) for entry in entries]
    texts = accounted(root, end.join(lines).encode(errors="surrogatepass"))
    for text in texts.values():
        assert text.strip()
        caption_nouns(text, tagger, RULES)


@QUICK
@given(
    content=mutated(FILE) | LINES.map(lambda entries: "\n".join(map(json.dumps, entries)).encode())
)
def test_the_whole_folder_is_read_or_refused_by_name(root, content):
    (root / "captions.jsonl").write_bytes(content)
    data = answer(lambda: read_own(root), root / "captions.jsonl")
    if data is not None:
        assert any(record.captions for record in data.train)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(["a.jpg", "b.jpg"]), TEXTS), max_size=5), st.booleans())
def test_captions_written_are_read_or_said_to_have_no_words(root, written, escaped):
    lines = [
        json.dumps({"image": name, "caption": text}, ensure_ascii=escaped) for name, text in written
    ]
    texts = accounted(root, "\n".join(lines).encode())
    assert texts == {
        number: text.strip()
        for number, (_, text) in enumerate(written, start=1)
        if any(character.isalpha() for character in text)
    }


@pytest.mark.parametrize(
    "line",
    [
        DEEP,
        b'{"caption":' * 50_000,
        b"{" + b",".join(b'"%d":1' % key for key in range(100_000)) + b"}",
        b"{" + b",".join(b'"%d":1' % (key // 2) for key in range(100_000)) + b"}",
        b'{"image": "a.jpg", "caption": "' + b"<" * 1_000_000 + b'"}',
    ],
    ids=["nested lists", "nested objects", "many keys", "keys twice", "no words"],
)
def test_lines_beyond_measure_are_rejects(root, line):
    assert accounted(root, line + b"\n" + FILE.splitlines()[0]) == {2: ENTRY["caption"]}
