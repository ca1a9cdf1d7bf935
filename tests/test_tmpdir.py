"""$TMPDIR on another file system, gone, or with a long name: what is renamed stays on its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.clip.store import save_clip
from pipeline.core.records import Caption, ImageRecord, NounRecord
from pipeline.core.shards import read_shards
from pipeline.data.dataset import Dataset, write_dataset
from pipeline.maskformer.store import save_segmenter
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.shipped import PARAMS

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")


@pytest.fixture
def elsewhere(tmp_path) -> Iterator[Path]:
    """A folder on another file system than the tests'."""
    if not os.access(MEMORY, os.W_OK) or MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"{MEMORY} is no other file system")
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def run(folder: Path, tmpdir: Path, *command: str, workers: int = 1) -> None:
    environment = {"TMPDIR": str(tmpdir), "PYTHONPATH": str(ROOT), "OVSEG_WORKERS": str(workers)}
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


def make_dataset(folder: Path) -> None:
    """12 pictures, of which the stage makes 6 shards, enough for processes of their own."""
    records = [
        ImageRecord(i, f"{i}.jpg", 8, 8, [Caption(i, f"a dog and {i} cats")], None)
        for i in range(1, 13)
    ]
    write_dataset(folder / "dataset", Dataset("t", folder, ["dog"], [True]), records, [])
    text = PARAMS.read_text()
    head, section, rest = text.partition("\nnouns:\n")
    shard_size = next(line for line in rest.splitlines() if "shard_size:" in line)
    rest = rest.replace(shard_size, "  shard_size: 2", 1)
    (folder / "params.yaml").write_text(head + section + rest)


def make_nouns(folder: Path, tmpdir: Path, workers: int = 1) -> None:
    make_dataset(folder)
    flags = ("--dataset", "dataset", "--out", "n", "--metrics", "m.json")
    run(folder, tmpdir, "stages.nouns", *flags, workers=workers)
    assert json.loads((folder / "m.json").read_text())["nouns"] == 24
    assert len(list(read_shards(folder / "n", "nouns", NounRecord))) == 24
    assert not list(folder.glob("**/.*.tmp"))


def test_a_sharded_stage(tmp_path, elsewhere):
    make_nouns(tmp_path, elsewhere)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_is_gone(tmp_path, elsewhere):
    make_nouns(tmp_path, elsewhere / "gone")


def test_a_folder_with_a_long_name_and_processes(tmp_path, elsewhere):
    """Sockets of processes have names of 107 bytes at most."""
    (elsewhere / ("long" * 40)).mkdir()
    make_nouns(tmp_path, elsewhere / ("long" * 40), workers=2)


def test_a_command(tmp_path, elsewhere):
    save_segmenter(tmp_path / "data" / "segmenter", tiny_segmenter())
    save_clip(tmp_path / "data" / "finetune" / "second", tiny_clip(), "test")
    Image.fromarray(np.full((30, 40, 3), 99, np.uint8)).save(tmp_path / "a.png")
    run(
        tmp_path, elsewhere, "pipeline", "segment", "a.png", "--classes", "cat, dog", "--out", "out"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-classes.json", "a-labels.png", "a-overlay.png",
    ]  # fmt: skip
    assert list(elsewhere.iterdir()) == []


def test_where_the_output_itself_is_on_another_file_system(tmp_path, elsewhere):
    """A link from data/ to a large disk: the parts of a shard are made beside it."""
    (tmp_path / "n").symlink_to(elsewhere)
    make_nouns(tmp_path, tmp_path)
