import json

import pytest
from rich.console import Console

from pipeline.evaluate.summary import collect, flat, main, print_summary

SCORES = {
    "miou_legacy": 12.345,
    "miou_current": 15.0,
    "hiou_legacy": None,
    "fwiou": 30.0,
    "pixel_accuracy": 61.0,
}
EVALUATION = {
    "set": {"images": 3, "rejected": {}, "classes": 5, "classes_in_truth": 4},
    "segmenter": SCORES,
    "oracle_names": SCORES | {"miou_legacy": 77.7},
    "base": {"clip": SCORES, "ensemble": SCORES, "oracle_masks": SCORES, "best_of_sweep": {}},
}


def write(path, content):
    path.write_text(json.dumps(content))


def test_all_stages_and_sets_are_printed(tmp_path):
    write(tmp_path / "evaluate-world-open.json", EVALUATION)
    write(tmp_path / "pairs.json", {"pairs": 4000, "rejected": {"no mask": 2}})
    write(tmp_path / "finetune-first.json", {"loss": 0.5})
    stages, sets = collect(tmp_path)
    assert list(stages) == ["finetune-first", "pairs"]
    assert list(sets) == ["world-open"]
    console = Console(record=True, width=120)
    print_summary(tmp_path, console)
    text = console.export_text()
    for expected in ("world-open", "12.3", "77.7", "ensemble", "rejected.no mask", "4,000"):
        assert expected in text


def test_flat_joins_keys_with_dots():
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_nothing_evaluated_yet_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="dvc repro"):
        print_summary(tmp_path, Console())


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_metrics_that_cannot_be_read_are_one_line(tmp_path, monkeypatch, capsys, content):
    path = tmp_path / "evaluate-world-open.json"
    path.write_text(content, encoding="latin-1")
    monkeypatch.setattr("sys.argv", ["summary", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith(f"summary: {path}: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["absent", "file", "file/below"])
def test_a_folder_that_is_none_is_one_line(tmp_path, monkeypatch, capsys, name):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("sys.argv", ["summary", str(tmp_path / name)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_names_are_no_markup(tmp_path):
    write(tmp_path / "evaluate-[bold]set[i].json", EVALUATION | {"[x]": EVALUATION["base"]})
    write(tmp_path / "pairs[i].json", {"rejected": {"no [/mask]": "[red]"}})
    console = Console(record=True, width=120)
    print_summary(tmp_path, console)
    text = console.export_text()
    for expected in ("[bold]set[i]: 3", "[x] CLIP, ensemble", "pairs[i]", "no [/mask]", "[red]"):
        assert expected in text
