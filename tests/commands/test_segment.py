import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.clip.store import save_clip
from pipeline.commands import segment as command
from pipeline.commands.cli import main
from pipeline.core.errors import UserError
from pipeline.maskformer.store import save_segmenter
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A model folder and a picture beside it."""
    root = tmp_path_factory.mktemp("data")
    save_segmenter(root / "segmenter", tiny_segmenter())
    save_clip(root / "finetune" / "second", tiny_clip(), "test")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "my picture.png")
    return root


def segment(data, out, *more):
    flags = ["--model", str(data), "--out", str(out), "--threshold", "0.5", *more]
    main(["segment", str(data / "my picture.png"), "--classes", "saturn V, blossom", *flags])


@pytest.mark.parametrize("mode", ["free-text", "ensemble"])
def test_segment_writes_overlay_labels_and_areas(data, tmp_path, capsys, mode):
    segment(data, tmp_path, "--mode", mode)
    summary = json.loads((tmp_path / "my picture-classes.json").read_text())
    assert summary["names"] == ["saturn V", "blossom"]
    labels = np.array(Image.open(tmp_path / "my picture-labels.png"))
    assert labels.shape == (40, 60)
    for entry in summary["classes"]:
        assert entry["pixels"] == (labels == summary["names"].index(entry["name"])).sum()
    assert summary["unnamed_pixels"] == (labels == 255).sum()
    assert Image.open(tmp_path / "my picture-overlay.png").width > 2 * 320
    shown = capsys.readouterr().out
    for name in ("my picture-overlay.png", "my picture-labels.png", "my picture-classes.json"):
        assert f"{tmp_path / name}\n" in shown, "a path is never wrapped"
    assert all(entry["name"] in shown for entry in summary["classes"] if entry["pixels"])


def test_the_size_looked_at_is_told_where_it_is_another(data, tmp_path, capsys):
    segment(data, tmp_path)
    assert "looked at" not in capsys.readouterr().out
    segment(data, tmp_path, "--max-pixels", "1024")
    summary = json.loads((tmp_path / "my picture-classes.json").read_text())
    height, width = summary["looked_at"]["height"], summary["looked_at"]["width"]
    assert max(height, width) <= 32 and (summary["height"], summary["width"]) == (40, 60)
    said = f"looked at {width} x {height} pixels; the picture has 60 x 40, and so has the label map"
    assert said in capsys.readouterr().out
    assert Image.open(tmp_path / "my picture-labels.png").size == (60, 40)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--clip", "finetune/third"], "finetune/third"),
        (["--classes", "cat,,dog"], "none of them empty"),
        (["--weight", "7", "--mode", "ensemble"], "weight is 7"),
    ],
)
def test_faults_of_the_user_end_in_one_line(data, tmp_path, capsys, flags, words):
    with pytest.raises(SystemExit) as stop:
        segment(data, tmp_path, *flags)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_missing_picture_is_named(data, capsys):
    with pytest.raises(SystemExit):
        main(["segment", "nowhere.jpg", "--classes", "cat", "--model", str(data)])
    assert "nowhere.jpg: no such picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["apple[/i]", "[bold]", "key [enter]", "[red]x[/]", ":smile:", "\\[x]", "[link=a]", "café 犬"],
)
def test_a_name_is_printed_as_it_was_typed(data, tmp_path, capsys, name):
    segment(data, tmp_path, "--classes", f"{name}, {name}!", "--mode", "segmenter")
    rows = [
        line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if "│" in line
    ]
    assert rows and set(rows) <= {name, f"{name}!"}
    summary = json.loads((tmp_path / "my picture-classes.json").read_text("utf-8"))
    assert summary["names"] == [name, f"{name}!"]


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ("cat,,dog", "none of them empty"),
        ("cat, cat", "given twice: cat"),
        ("caf\udce9, dog", "--classes 'caf\\udce9, dog': character 4 is not UTF-8"),
        ("a\ud800", "character 2 is not UTF-8"),
    ],
)
def test_names_are_checked_before_anything_is_read_or_written(tmp_path, capsys, classes, words):
    with pytest.raises(SystemExit) as stop:
        main(["segment", "nowhere.jpg", "--classes", classes, "--out", str(tmp_path / "new")])
    assert (stop.value.code, list(tmp_path.iterdir())) == (2, [])
    assert words in capsys.readouterr().err


def test_names_may_stand_in_a_file(data, tmp_path, capsys):
    (tmp_path / "own.txt").write_text("cat\ndog\n")
    segment(data, tmp_path, "--classes", str(tmp_path / "own.txt"))
    summary = json.loads((tmp_path / "my picture-classes.json").read_text())
    assert summary["names"] == ["cat", "dog"]
    (tmp_path / "own.txt").write_text("0: cat\n1: dog\n")
    with pytest.raises(SystemExit):
        segment(data, tmp_path, "--classes", str(tmp_path / "own.txt"))
    assert "own.txt:1: '0: cat' has a number" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        segment(data, tmp_path, "--classes", "nowhere.txt")
    assert "'nowhere.txt' is a path or the name of a file" in capsys.readouterr().err


def test_names_are_utf_8_whatever_the_terminal_is_set_to():
    assert command._text("café".encode().decode("ascii", "surrogateescape")) == "café"


@settings(max_examples=40, deadline=None)
@given(classes=st.lists(st.text(st.characters(), max_size=9), max_size=4).map(",".join))
def test_any_names_are_segmented_or_refused_in_words(data, tmp_path_factory, classes):
    out = tmp_path_factory.mktemp("out")
    try:
        command.segment(data / "my picture.png", classes, out, data, mode="segmenter")
    except UserError:
        assert list(out.iterdir()) == []
    else:
        summary = json.loads((out / "my picture-classes.json").read_text("utf-8"))
        typed = [name.strip() for name in classes.split(",")]
        assert summary["names"][: len(typed)] == typed


def test_a_picture_whose_name_is_no_text(data, tmp_path, capsys):
    picture = tmp_path / "caf\udce9.png"
    picture.write_bytes((data / "my picture.png").read_bytes())
    main(
        ["segment", str(picture), "--classes", "a, b", "--model", str(data), "--out", str(tmp_path)]
    )
    assert json.loads((tmp_path / "caf\udce9-classes.json").read_text())["picture"] == str(picture)
