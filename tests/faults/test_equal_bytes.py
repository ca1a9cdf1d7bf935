"""One process, several, or Ray: every stage that works in shards or chunks leaves the same bytes,
and every training the same model within rounding."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from pipeline.clip.sources import MINIATURE
from pipeline.core.processes import runtime
from pipeline.evaluate import count
from pipeline.maskformer.store import save_segmenter
from pipeline.params.sections import load_params
from stages import dataset, evaluate, nouns, pairs, proposals
from tests import shipped
from tests.ovseg.tiny import tiny_segmenter
from tests.test_pipeline import SMALL

pytestmark = pytest.mark.timeout(3600)  # every stage alone, before the first test
ROOT = Path(__file__).resolve().parents[2]
STAGES = ("dataset", "nouns", "proposals", "pairs", "evaluate/world-open")


@pytest.fixture(scope="module")
def params(tmp_path_factory) -> Path:
    """The shipped parameters for a few small scenes in several shards, and one or two
    steps of training."""
    content = yaml.safe_load(shipped.PARAMS.read_text())
    for place, changes in SMALL.items():
        section = content
        for key in place.split("."):
            section = section[key]
        section |= changes
    content["dataset"] |= {"train_scenes": 12, "val_scenes": 3}
    for stage in ("proposals", "nouns", "pairs"):
        content[stage]["shard_size"] = 4
    content["proposals"]["min_area"] = 1
    content["segmenter"]["training"] |= {"steps": 1, "bfloat16": False, "warmup_steps": 0}
    content["finetune"]["first"] |= {"bfloat16": False}
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def watched(out: Path) -> Path:
    """The file in which stage `provenance` says that nothing is watched."""
    path = out / "provenance.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"watched": {}}))
    return path


def stage(name: str, data: Path, out: Path, params: Path) -> None:
    """Run a stage on the results under `data` into `out`, its metrics beside them."""
    metrics = out / "metrics" / f"{Path(name).name}.json"
    clips = {"base": MINIATURE, "first": MINIATURE, "second": MINIATURE}
    made = {key: data / key for key in ("dataset", "segmenter", "proposals", "nouns")}
    run: dict[str, Callable[..., None]] = {
        "dataset": lambda **to: dataset.main(**to, watched=watched(out)),
        "nouns": lambda **to: nouns.main(made["dataset"], **to),
        "proposals": lambda **to: proposals.main(made["dataset"], made["segmenter"], **to),
        "pairs": lambda **to: pairs.main(
            made["dataset"], made["proposals"], made["nouns"], MINIATURE, **to
        ),
        "evaluate/world-open": lambda **to: evaluate.main(
            set="world-open",
            dataset=made["dataset"],
            segmenter=made["segmenter"],
            **clips,
            counts=out / "evaluate/world-open/counts",
            **to,
        ),  # fmt: skip
    }
    run[name](out=out / name, metrics=metrics, params=params)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, params) -> Path:
    """The results of all stages, each in one process."""
    data = tmp_path_factory.mktemp("alone")
    save_segmenter(data / "segmenter", tiny_segmenter(clip_dim=128))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(count, "SHARD_PICTURES", 1)
        patch.setenv("OVSEG_WORKERS", "1")
        for name in STAGES:
            stage(name, data, data, params)
    return data


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("engine", ("local", "ray"))
@pytest.mark.parametrize("name", STAGES)
def test_two_processes_leave_the_bytes_of_one(tmp_path, monkeypatch, alone, params, name, engine):
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install -e '.[cluster]'")
    monkeypatch.setattr(count, "SHARD_PICTURES", 1)
    monkeypatch.setenv("OVSEG_WORKERS", "2")
    monkeypatch.setenv("OVSEG_ENGINE", engine)
    started = []

    def pool(most: int, names: Sequence[str] = ()):
        started.append(most)
        return processes(most, names)

    processes = runtime.process_pool
    for kind in ("process_pool", "gpu_pool"):  # stages with models use one process a GPU: as if
        monkeypatch.setattr(runtime, kind, pool)  # there were two, but on the CPU
    monkeypatch.setattr(runtime, "gpus", lambda: 2)
    stage(name, alone, tmp_path, params)
    assert started or engine == "ray", "it ran in one process"
    expected = contents(alone / name)
    assert len(expected) > 5 and contents(tmp_path / name) == expected
    metrics = f"metrics/{Path(name).name}.json"
    assert (tmp_path / metrics).read_bytes() == (alone / metrics).read_bytes()


def start_of(step: str, params: Path) -> dict[str, torch.Tensor]:
    """The weights that a training begins with and moves."""
    if step == "finetune":
        weights = load_file(MINIATURE / "clip.safetensors")
        return {key: value for key, value in weights.items() if key.startswith("visual.")}
    weights = load_file(ROOT / load_params(params, "segmenter").warm_start)
    return {key: value for key, value in weights.items() if "running_" not in key}


@pytest.mark.parametrize("step", ("segmenter", "finetune"))
def test_a_training_in_two_processes_ends_as_in_one(tmp_path, alone, params, step):
    commands = {
        "segmenter": ["--dataset", alone / "dataset", "--clip", MINIATURE],
        "finetune": ["--step", "first", "--pairs", alone / "pairs", "--clip", MINIATURE],
    }
    weights = {"segmenter": "segmenter.safetensors", "finetune": "clip.safetensors"}[step]
    start = start_of(step, params)
    found = []
    for processes in ("1", "2"):
        out = tmp_path / processes
        flags = ["--out", out, "--metrics", tmp_path / f"{processes}.json", "--params", params]
        environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OVSEG_DEVICE": "cpu"}
        done = subprocess.run(
            [sys.executable, "-m", f"stages.{step}", *map(str, (*commands[step], *flags))],
            cwd=ROOT, capture_output=True, text=True,
            env=os.environ | environment | {"OVSEG_TRAINING_PROCESSES": processes},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert ("training in 2 processes" in done.stdout) == (processes == "2")
        found.append(load_file(out / weights))
    one, two = found
    assert one.keys() == two.keys()
    start = {key: value for key, value in start.items() if value.shape == one[key].shape}
    moved = sum(float((one[key] - start[key]).abs().sum()) for key in start)
    apart = sum(float((one[key] - two[key]).abs().sum()) for key in start)
    # Adam's first steps are the signs of gradients, of which the smallest are noise
    print(f"{step}: the weights moved by {moved:.3g} and are {apart:.3g} apart")
    assert 0 < moved and apart < 0.001 * moved
