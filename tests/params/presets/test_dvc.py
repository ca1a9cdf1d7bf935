"""A preset as DVC sees it: the difference to the committed parameters, and the same DAG."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands.preset import preset
from pipeline.params.presets import DEFAULT, params_of

ROOT = Path(__file__).parents[3]


def run(folder: Path, *command: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_TEST": "true"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


@pytest.fixture
def project(tmp_path) -> Path:
    """The shipped parameters and the DAG in a git repository of their own, nothing else."""
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(params_of(DEFAULT))
    run(tmp_path, "git", "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    run(tmp_path, "git", "add", ".")
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    run(tmp_path, "git", *author, "commit", "--quiet", "--message", "default")
    return tmp_path


def edges(folder: Path) -> set[tuple[str, str]]:
    """The arrows of `dvc dag`, all evaluation sets as one."""
    dot = re.sub(r"evaluate@[\w-]+", "evaluate", dvc(folder, "dag", "--dot"))
    return set(re.findall(r'"(.+?)" -> "(.+?)"', dot))


def test_the_difference_shows_and_the_dag_is_the_same(project, capsys):
    before = edges(project)
    preset("coco-swinb-vitl14", params=project / "params.yaml")
    assert "values changed" in capsys.readouterr().out
    [changes] = json.loads(dvc(project, "params", "diff", "--json")).values()
    assert changes["segmenter.training.learning_rate"]["new"] == 6e-5
    assert changes["dataset.source"] == {"old": "openmoji", "new": "coco"}
    assert changes["evaluate.sets.voc20.ensemble_weight"]["new"] == 0.45
    assert edges(project) == before
    stages = dvc(project, "stage", "list", "--name-only").split()
    found = {name for name in stages if name.startswith("evaluate@")}
    assert found == {f"evaluate@{name}" for name in ("ade150", "ade847", "pc59", "pc459", "voc20")}

    preset("openmoji", params=project / "params.yaml")
    assert json.loads(dvc(project, "params", "diff", "--json") or "{}") == {}
    assert (project / "params.yaml").read_text() == params_of(DEFAULT)
