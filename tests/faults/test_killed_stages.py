"""Stages killed by SIGKILL at chosen moments, again and again: the last rerun ends with the bytes
of an uninterrupted run - shards, weights, curves and metrics.

And DVC's full cache: a finished training that is run again ends with the same bytes.
"""

import shutil
import signal
from pathlib import Path

import pytest
import yaml

from pipeline.clip.store import save_clip
from pipeline.core.shards import run_shards
from pipeline.data.sets import save_eval_set
from pipeline.maskformer.store import save_segmenter
from stages import proposals
from tests.clip.tiny import write_pairs
from tests.evaluate.small_set import small_set
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.pairs.inputs import make_nouns
from tests.processes import running
from tests.toy import make_toy

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("--segmenter", "segmenter", "--base", "clip", "--first", "clip", "--second", "clip")
STAGES = {
    "proposals": ("--dataset", "dataset", "--segmenter", "segmenter"),
    "pairs": ("--dataset", "dataset", "--proposals", "proposals", "--nouns", "nouns",
              "--clip", "clip"),
    "segmenter": ("--dataset", "dataset", "--clip", "clip"),
    "finetune": ("--step", "first", "--pairs", "wedges", "--clip", "clip"),
    "evaluate": ("--set", "small", "--dataset", "evaluated", "--counts", "made/counts",
                 *MODELS),
}  # fmt: skip
TRAININGS = ("segmenter", "finetune")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Everything that the stages read, tiny."""
    folder = tmp_path_factory.mktemp("world")
    content = yaml.safe_load((ROOT / "pipeline/params/presets/openmoji.yaml").read_text())
    content["proposals"] |= {"min_area": 1, "shard_size": 2}
    content["pairs"]["shard_size"] = 2
    content["segmenter"]["warm_start"] = None
    content["segmenter"]["architecture"] |= {
        "clip_dim": 16, "conv_dim": 64, "hidden_dim": 16, "mask_dim": 16, "heads": 2,
        "decoder_layers": 1, "queries": 9,
    }  # fmt: skip
    content["segmenter"]["training"] |= {
        "steps": 6, "batch_size": 2, "warmup_steps": 1, "crop": 48, "min_short_side": 48,
        "max_short_side": 48,
    }  # fmt: skip
    content["finetune"]["first"] |= {
        "epochs": 2.0,
        "batch_size": 8,
        "train": "both",
        "prompt_depth": 2,
    }
    content["dataset"]["sets"] = ["small"]
    content["evaluate"]["sets"] = {"small": {"overlays": 1}}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    make_toy(folder / "dataset")
    save_segmenter(folder / "segmenter", tiny_segmenter())
    save_clip(folder / "clip", tiny_clip(), "tiny")
    write_pairs(folder / "wedges", 40)
    run_shards(
        folder / "nouns", [1, 2, 3, 4, 5], 5, make_nouns, {}, "nouns", names=["nouns.parquet"]
    )
    made = folder / "proposals"
    inputs = (folder / "dataset", folder / "segmenter")
    proposals.main(*inputs, made, folder / "proposals.json", folder / "params.yaml")
    (folder / "pictures").mkdir()
    save_eval_set(folder / "evaluated/sets/small.json", small_set(folder / "pictures"))
    return folder


def run(folder: Path, stage: str, number: int = 0, moment: str = "after", processes: int = 1):
    """Run a stage in `folder`, killed as `tests/faults/dying.py` says; what it printed."""
    command = (f"stages.{stage}", *STAGES[stage], "--out", "made/out", "--metrics", "made/m.json")
    with running(
        folder, "-m", "tests.faults.dying", str(number), moment, *command,
        OVSEG_TRAINING_PROCESSES=str(processes), OVSEG_WORKERS="1",
    ) as program:  # fmt: skip
        assert program.end() == (-signal.SIGKILL if number else 0), program.output.read_text()
        return program.output.read_text()


def made(folder: Path) -> dict[str, bytes]:
    """What a stage has written, by name; without the times in dvclive's tables."""
    files = (p for p in (folder / "made").rglob("*") if p.is_file())
    return {
        str(path.relative_to(folder)): _without_times(path)
        if path.suffix == ".tsv"
        else path.read_bytes()
        for path in files
    }


def _without_times(table: Path) -> bytes:
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    kept = [i for i, name in enumerate(rows[0]) if name != "timestamp"]
    return "\n".join("\t".join(row[i] for i in kept) for row in rows).encode()


@pytest.fixture
def folder(world, tmp_path) -> Path:
    """A copy of the world, in place of one before: messages may hold absolute paths."""
    return fresh(world, tmp_path)


def fresh(world: Path, tmp_path: Path) -> Path:
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    return shutil.copytree(world, tmp_path / "copy")


@pytest.mark.parametrize("stage", STAGES)
def test_killed_again_and_again_it_ends_with_the_bytes_of_an_uninterrupted_run(
    world, tmp_path, stage
):
    whole = fresh(world, tmp_path)
    run(whole, stage)
    files = int((whole / "files.txt").read_text())
    expected = made(whole)
    killed = fresh(world, tmp_path)
    moments = [(1, "during"), (1, "before"), (2, "after"), (3, "during"), (4, "after")]
    for number, moment in moments:
        if number < files:
            run(killed, stage, number, moment)
    left = made(killed)
    run(killed, stage)
    again = made(killed)
    assert left != again  # the kills did come in between
    assert again.keys() == expected.keys()
    assert [name for name in expected if expected[name] != again[name]] == []


@pytest.mark.parametrize("stage", TRAININGS)
def test_a_finished_training_that_is_run_again_ends_with_the_same_bytes(folder, stage):
    """As after DVC's cache was full: it says so, exits 0, and the stage is run once more."""
    run(folder, stage)
    expected = made(folder)
    shutil.rmtree(folder / "made")
    said = run(folder, stage)
    assert "no usable checkpoint" not in said
    assert made(folder) == expected


@pytest.mark.parametrize("stage", TRAININGS)
@pytest.mark.parametrize("damage", ["cut short", "empty", "names nothing"])
def test_a_damaged_checkpoint_starts_again_and_says_so(world, tmp_path, stage, damage):
    whole = fresh(world, tmp_path)
    run(whole, stage)
    expected = made(whole)
    killed = fresh(world, tmp_path)
    run(killed, stage, 4, "after")  # two checkpoints, each a file and its name
    checkpoint = max((killed / "data/checkpoints").rglob("step-*.pt"))
    if damage == "names nothing":
        checkpoint.unlink()
    else:
        data = checkpoint.read_bytes()
        checkpoint.write_bytes(data[:-50] if damage == "cut short" else b"")
    said = run(killed, stage)
    assert said.count("no usable checkpoint") == 1
    assert made(killed) == expected


@pytest.mark.parametrize("stage", TRAININGS)
def test_what_earlier_versions_left_in_the_outputs_goes(folder, stage):
    out = folder / "made/out"
    (out / "checkpoints/0123").mkdir(parents=True)
    (out / "checkpoints/0123/model_0000001.pth").write_bytes(b"old")
    (out / "checkpoint.pt").write_bytes(b"old")
    (out / ".checkpoint.pt.12.tmp").write_bytes(b"old")
    (out / "my-checkpoint.pt").write_bytes(b"the user's")
    run(folder, stage)
    names = {path.name for path in out.iterdir()}
    assert ("checkpoints" if stage == "segmenter" else "checkpoint.pt") not in names
    assert stage == "segmenter" or ".checkpoint.pt.12.tmp" not in names
    assert "my-checkpoint.pt" in names
