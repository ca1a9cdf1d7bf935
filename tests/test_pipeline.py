"""The whole DAG, small, through DVC itself: a few dozen scenes from pictures to metrics."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests import shipped
from tests.through_dvc import dvc

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "dataset": {"train_scenes": 36, "val_scenes": 4, "side": 64},
    "segmenter.architecture": {"queries": 16},
    "segmenter.training": {
        "steps": 3, "batch_size": 4, "warmup_steps": 1, "crop": 64,
        "min_short_side": 64, "max_short_side": 64,
    },
    "proposals": {"shard_size": 10},
    "nouns": {"shard_size": 10},
    "pairs": {"shard_size": 10},
    "finetune.first": {"epochs": 1.0, "batch_size": 8, "warmup_steps": 1},
    "finetune.second": {"epochs": 1.0, "batch_size": 8, "warmup_steps": 1},
    "evaluate.common": {"overlays": 1, "sweep_weights": [0.5]},
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project with small params, run once."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", folder)
    params = yaml.safe_load(shipped.PARAMS.read_text())
    for path, changes in SMALL.items():
        section = params
        for part in path.split("."):
            section = section[part]
        section.update(changes)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    dvc(folder, "init", "--no-scm", "--quiet")
    shutil.copy(ROOT / ".dvcignore", folder)
    dvc(folder, "repro")
    return folder


def metrics(project: Path, stage: str) -> dict:
    return json.loads((project / f"data/metrics/{stage}.json").read_text())


def test_every_stage_leaves_its_artifacts(project):
    made = {str(p.relative_to(project / "data")) for p in (project / "data").rglob("*")}
    for name in (
        "dataset/train.parquet", "dataset/sets/world-open.json", "base_clip/clip.safetensors",
        "segmenter/segmenter.safetensors", "pairs/index.parquet",
        "finetune/first/clip.safetensors", "finetune/second/prompts.safetensors",
        "evaluate/world-closed/classes.csv", "evaluate/world-open/sweep.csv",
    ):  # fmt: skip
        assert name in made, name
    assert any(name.startswith("evaluate/world-open/overlays/") for name in made)


def test_metrics_hang_together(project):
    assert metrics(project, "dataset")["train"]["pictures"] == 36
    pairs = metrics(project, "pairs")
    assert 0 < pairs["unique_nouns"] <= pairs["pairs"]
    assert metrics(project, "finetune-first")["pairs"] == pairs["pairs"]
    for name in ("world-closed", "world-open"):
        result = metrics(project, f"evaluate-{name}")
        for clip in ("base", "first", "second"):
            for branch in ("clip", "ensemble", "oracle_masks"):
                assert 0 <= result[clip][branch]["miou_legacy"] <= 100
        assert result["oracle_names"]["miou_current"] > result["segmenter"]["miou_current"]


def test_every_plot_can_be_drawn(project):
    assert "failed to load" not in dvc(project, "plots", "show")
    page = (project / "dvc_plots" / "index.html").read_text()
    for field in ("loss_dice", "accuracy", "commonest nouns", "precision", "world-open: mIoU"):
        assert field in page, field


def ran(output: str) -> set[str]:
    """The stages that a `dvc repro` (or `--dry`) says it ran."""
    return set(re.findall(r"Running stage '([^']+)'", output))


def test_a_second_run_sees_that_there_is_nothing_to_do(project):
    assert ran(dvc(project, "repro")) == {"provenance"}


def test_a_comment_changes_nothing_and_a_statement_reruns_what_it_decides(project):
    file = project / "pipeline/pairs/match.py"
    before = file.read_text()
    try:
        file.write_text(before.replace('"""', '"""Another word. ', 1) + "\n# a comment\n")
        dvc(project, "repro", "provenance")
        assert ran(dvc(project, "repro", "--dry")) == {"provenance"}
        file.write_text(before + "\nTHRESHOLD = 0.5\n")
        dvc(project, "repro", "provenance")
        plan = ran(dvc(project, "repro", "--dry"))
        assert "pairs" in plan and not plan & {"dataset", "segmenter", "proposals", "nouns"}
    finally:
        file.write_text(before)
        dvc(project, "repro", "provenance")


def test_the_bytes_of_a_file_that_params_name_count(project):
    """A checkpoint was known by its path alone."""
    weights = project / "pipeline/segmenter/miniature/segmenter.safetensors"
    own = project / "own.safetensors"
    shutil.copy(weights, own)
    params = (project / "params.yaml").read_text()
    named = params.replace(str(weights.relative_to(project)), "own.safetensors")
    assert named != params
    try:
        (project / "params.yaml").write_text(named)
        dvc(project, "repro", "provenance")
        first = (project / "data/provenance/segmenter.json").read_text()
        content = bytearray(own.read_bytes())
        content[-1] ^= 1
        own.write_bytes(content)
        dvc(project, "repro", "provenance")
        assert (project / "data/provenance/segmenter.json").read_text() != first
    finally:
        (project / "params.yaml").write_text(params)
        dvc(project, "repro", "provenance")


def test_a_changed_parameter_reruns_its_stage_and_what_follows(project):
    status = json.loads(dvc(project, "status", "--json").splitlines()[0])
    assert status == {"provenance": ["always changed"]}
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(
        text.replace("second:\n    train: prompts", "second:\n    train: nothing")
    )
    try:
        plan = dvc(project, "repro", "--dry")
        assert "finetune@second" in plan and "evaluate@world-open" in plan
        assert "Running stage 'pairs'" not in plan
        assert "Running stage 'finetune@first'" not in plan
    finally:
        (project / "params.yaml").write_text(text)
