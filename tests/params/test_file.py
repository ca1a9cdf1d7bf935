"""What is wrong with params.yaml as a file is one line with the place."""

from pathlib import Path

import pytest

from pipeline.core.errors import UserError, user_message
from pipeline.params.sections import load_all, load_params
from tests.shipped import PARAMS


def test_an_unreadable_file_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    with pytest.raises(FileNotFoundError, match="params.yaml: not found"):
        load_params(path, "pairs")
    path.write_text("pairs:\n  top_k: [1\n")
    with pytest.raises(ValueError, match="params.yaml:.*not YAML"):
        load_params(path, "pairs")
    path.write_text("[]")
    with pytest.raises(ValueError, match="expected the sections dataset, pretrain_clip"):
        load_params(path, "pairs")


@pytest.mark.parametrize(
    "content",
    [
        b'pairs: !!python/object/apply:os.system ["touch harm"]',
        b"pairs: !!python/name:os.system",
        b"pairs: !harm x",
        b"pairs: \xe9",
        b"pairs: \0",
        b"pairs: " + b"[" * 10_000,
    ],
)
def test_what_is_no_plain_yaml_is_refused_in_one_line_and_not_run(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(content)
    with pytest.raises(UserError, match="^params.yaml(:1)?: not (YAML|UTF-8)") as error:
        load_params(Path("params.yaml"), "pairs")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


UNREADABLE = {
    "not UTF-8": (b"a: \xe9", "not UTF-8"),
    "5000 digits": (b"a: " + b"9" * 5000, "not YAML that can be used"),
    "no date": (b"a: 2020-13-45", "not YAML that can be used"),
    "too deep": (b"[" * 5000, "not YAML that can be used"),
    "its own entry": (b"dataset: &a [*a]", "dataset: Input should be a valid dictionary"),
    "code": (b"a: !!python/object/apply:os.abort []", "could not determine a constructor"),
    "key twice": (b"a: 1\na: 2", "duplicate key"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_broken_file_is_one_line(tmp_path, kind):
    content, message = UNREADABLE[kind]
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_all(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)
    assert "\n" not in str(error.value)


MARKERS = ("<<<<<<<", "=======", ">>>>>>>")


CONFLICTS = {
    "two versions": "<<<<<<< HEAD\n  seed: 0\n=======\n  seed: 1\n>>>>>>> other\n",
    "three versions": "<<<<<<< a\n  seed: 0\n||||||| b\n  seed: 2\n=======\n  seed: 1\n>>>>>>> c\n",
    "Windows line ends": "<<<<<<< HEAD\r\n  seed: 0\r\n=======\r\n  seed: 1\r\n>>>>>>> other\r\n",
    "half resolved": "  seed: 0\n=======\n  seed: 1\n",
    "a marker left": "  seed: 0\n>>>>>>> other\n",
    "longer markers": "<<<<<<<< HEAD\n  seed: 0\n========\n  seed: 1\n>>>>>>>> other\n",
    "very long markers": f"{'<' * 40} HEAD\n  seed: 0\n{'=' * 40}\n  seed: 1\n{'>' * 40} other\n",
    "indented": "  <<<<<<< HEAD\n  seed: 0\n  =======\n  seed: 1\n  >>>>>>> other\n",
    "indented by a tab": "\t<<<<<<< HEAD\n  seed: 0\n\t=======\n  seed: 1\n\t>>>>>>> other\n",
    "half resolved, longer and indented": "  seed: 0\n    =========\n  seed: 1\n",
}


@pytest.mark.parametrize("kind", CONFLICTS)
def test_a_merge_conflict_is_called_so_with_its_first_line(tmp_path, kind):
    path = tmp_path / "params.yaml"
    head, _, rest = PARAMS.read_text().partition("  seed: ")
    text = head + CONFLICTS[kind] + rest.partition("\n")[2]
    path.write_text(text, newline="")
    lines = enumerate(text.split("\n"), start=1)
    line = next(i for i, each in lines if each.strip()[:7] in MARKERS)
    with pytest.raises(UserError, match=f"^{path}:{line}: a merge conflict") as error:
        load_params(path, "nouns")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "<<<<<<<< HEAD", "  <<<<<<< HEAD"])
def test_a_merge_conflict_in_the_first_line_behind_a_byte_order_mark(tmp_path, marker):
    path = tmp_path / "params.yaml"
    text = f"\ufeff{marker}\n{PARAMS.read_text()}=======\n>>>>>>> other\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"^{path}:1: a merge conflict .*'{marker.strip()}'"):
        load_params(path, "nouns")


@pytest.mark.parametrize("marker", ["<<<<<<<", "|||||||", "=======", ">>>>>>>"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_marker_alone_is_a_merge_conflict(tmp_path, marker, end):
    path = tmp_path / "params.yaml"
    lines = PARAMS.read_text().splitlines()
    for at in (0, 12, len(lines)):
        text = end.join([*lines[:at], marker, *lines[at:]])
        path.write_text(text, newline="")
        with pytest.raises(UserError, match=rf"^{path}:{at + 1}: a merge conflict .*'[<|=>]{{7}}'"):
            load_all(path)


@pytest.mark.parametrize("line", [1, 13])
def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path, line):
    """The message had ruamel's words and a position in the whole file."""
    path = tmp_path / "params.yaml"
    lines = PARAMS.read_text().splitlines()
    lines.insert(line - 1, "# Käse")
    path.write_text("\n".join(lines), encoding="latin-1")
    words = rf"^{path}:{line}: not UTF-8: byte 4 of the line, near b'# K\\xe4se'; save the file"
    with pytest.raises(UserError, match=words):
        load_all(path)
    path.write_text(PARAMS.read_text(), encoding="utf-16")
    with pytest.raises(UserError, match="UTF-16 and not UTF-8 text; save it as UTF-8"):
        load_all(path)


def test_half_a_character_is_named_with_its_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text().replace("root: null", 'root: "\\ud83d\\ude00"'))
    with pytest.raises(UserError, match=r"params.yaml:\d+: \\ud83d is half a character; write"):
        load_all(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("\ufeff" + PARAMS.read_text(), encoding="utf-8")
    assert load_all(path) == load_all(PARAMS)


def test_a_file_that_cannot_be_read_is_named_with_the_reason():
    with pytest.raises(OSError) as error:
        load_all("/proc/self/mem")
    assert user_message(error.value) == "/proc/self/mem: Input/output error"
