"""Any bytes as the text files that people write: classes.txt, val.txt, params.yaml. A value, a
reject with its reason, or an error that names the file; never a trace."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.core.errors import UserError
from pipeline.data.class_list import line_faults, name_doubts, name_faults, text_fault
from pipeline.data.own_text import Names, read_classes, read_names
from pipeline.ovseg.inputs import as_names
from pipeline.params.sections import Params, load_all
from tests.properties.inputs import BYTES, DEEP, JSON, QUICK, answer, mutated, swapped
from tests.shipped import PARAMS

FILES = ["a.jpg", "sub/b.png", "c d.jpg", "\u00e9.jpg"]
MARKS = ["0", "1:", "[0]", "a)", "-", "*", "#", "//", "|", "->", "n02084071", "<b>", "**", "'", '"',
         ",", ";", "\t", "{", "}", "[", "]", "&amp;", "\u200b", "\ufb01sh", "fish", "Cat", "cat",
         "128 64 0", "_", ".", "\n", "\r\n", "\ufeff", "%20", "\\", "images/"]  # fmt: skip
TEXTS = st.lists(st.sampled_from([*MARKS, *FILES, " "]) | st.text(max_size=3), max_size=12)
LINES = TEXTS.map("".join).map(lambda text: text.encode("utf-8", "replace"))
WHOLE = PARAMS.read_bytes()
DOCUMENT = YAML(typ="safe", pure=True).load(WHOLE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("text")


@given(data=BYTES | LINES | mutated(b"cat\ndog\nhot dog\n"))
@QUICK
def test_any_bytes_as_classes(folder, data):
    path = folder / "classes.txt"
    path.write_bytes(data)
    names = answer(lambda: read_classes(path), path)
    if names is not None:
        lines = data.decode("utf-8-sig").split("\n")[: len(names)]
        assert names == [line.strip() for line in lines]
        assert all(names) and len({name.lower() for name in names}) == len(names)
        assert len(names) == 1 or as_names(names) == names  # what one door takes, all do


@given(parts=st.lists(TEXTS.map("".join) | st.text(max_size=9), max_size=6))
@QUICK
def test_any_names_at_any_door(parts):
    for faults in (name_faults(parts), line_faults(parts)):
        assert faults.keys() <= set(range(1, len(parts) + 1)) and all(faults.values())
    for names in (parts, ",".join(parts)):
        try:
            assert as_names(names) == (
                parts if names is parts else [part.strip() for part in names.split(",")]
            )
        except UserError as error:
            assert str(error).startswith("class name")
    assert text_fault(",".join(parts)) != ""
    assert all(doubt.startswith(("'", '"')) for doubt in name_doubts(parts))


@given(data=BYTES | LINES | mutated("\n".join(FILES).encode()))
@QUICK
def test_any_bytes_as_held_out_names(folder, data):
    path = folder / "val.txt"
    path.write_bytes(data)
    rejects = []
    found = answer(lambda: read_names(path, Names(FILES, {"x.gif": "format"}), rejects), path)
    assert found is None or found <= set(FILES)
    for reject in rejects:
        assert reject.item.startswith("val.txt:") and reject.reason
        reject.detail.encode()


def params(folder, content: bytes) -> None:
    path = folder / "params.yaml"
    path.write_bytes(content)
    found = answer(lambda: load_all(path), path)
    assert found is None or isinstance(found, Params)


@given(data=BYTES | LINES | mutated(WHOLE))
@QUICK
def test_any_bytes_as_params(folder, data):
    params(folder, data)


@given(document=swapped(DOCUMENT) | st.dictionaries(st.sampled_from([*DOCUMENT]) | JSON.filter(
    lambda key: isinstance(key, str | int | float | bool | None)), JSON, max_size=3))  # fmt: skip
@QUICK
def test_any_mapping_as_params(folder, document):
    buffer = io.BytesIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_unicode = False
    try:
        yaml.dump(document, buffer)
    except Exception:
        return  # what YAML cannot write
    params(folder, buffer.getvalue())


@given(value=JSON, data=st.data())
@QUICK
def test_any_value_of_a_parameter(folder, value, data):
    section = data.draw(st.sampled_from(sorted(DOCUMENT)))
    key = data.draw(st.sampled_from(sorted(DOCUMENT[section])))
    document = DOCUMENT | {section: DOCUMENT[section] | {key: value}}
    params(folder, json.dumps(document).encode())  # JSON is YAML


@pytest.mark.parametrize(
    "content",
    [DEEP, b"a: &a [*a]", b"dataset: &a {x: *a}", b"{? [1]: 2}", b"!!python/object:os.system {}",
     b"a: !x y", b"%YAML 9.9\n---\na: 1", b"--- 1\n--- 2", b"? - a\n: b", b"a: 2024-99-99",
     b"<<: [1]", b"dataset: !!binary x", b"dataset: !!set {a}", b"a: 1\na: 2", b"\xff\xfea\x00",
     b"&a a: *b", b"- 1", b"dataset: 2001-01-01", b"\t- a", b"a: |99\n x"],
    ids=range(20),
)  # fmt: skip
def test_yaml_that_is_no_parameters(folder, content):
    params(folder, content)
