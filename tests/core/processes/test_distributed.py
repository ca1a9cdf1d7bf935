"""A training stage starts itself once for every device."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from pipeline.clip.sources import shipped_clip
from pipeline.clip.store import load_clip, save_clip
from pipeline.core.errors import UserError
from pipeline.core.processes import distributed, runtime
from tests import shipped
from tests.clip.tiny import write_pairs

ROOT = Path(__file__).resolve().parents[3]


def finetune(folder: Path, out: str, processes: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stages.finetune", "--step", "first", "--pairs", "pairs"]
    command += ["--clip", "base", "--out", out, "--metrics", f"{out}.json"]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OVSEG_DEVICE": "cpu"}
    environment |= {"OVSEG_TRAINING_PROCESSES": processes}
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """The shipped CLIP, 40 pairs, and params.yaml for three steps of 12."""
    save_clip(tmp_path / "base", shipped_clip(), "base")
    write_pairs(tmp_path / "pairs", 40)
    content = yaml.safe_load(shipped.PARAMS.read_text())
    content["finetune"]["first"] |= {"epochs": 1.0, "batch_size": 12, "bfloat16": False}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def test_the_stage_spreads_over_processes_and_ends_as_it_would_alone(folder):
    for out, processes in (("one", "1"), ("two", "2")):
        done = finetune(folder, out, processes)
        assert done.returncode == 0, done.stderr[-3000:]
        assert ("training in 2 processes" in done.stdout) == (processes == "2")
        assert done.stdout.count("finetune first: weights, 40 pairs") == 1
    one, two = (json.loads((folder / f"{out}.json").read_text()) for out in ("one", "two"))
    assert one["steps"] == two["steps"] == 3
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
    before, alone, spread = (load_clip(folder / f).clip.visual.proj for f in ("base", "one", "two"))
    assert not torch.equal(before, alone) and torch.allclose(alone, spread, atol=1e-4)


def test_a_batch_that_cannot_be_split_says_what_to_do(folder):
    done = finetune(folder, "five", "5")
    assert done.returncode == 2
    [line] = [li for li in done.stderr.splitlines() if not li.startswith("reading pairs")]
    assert line.startswith("error: batch_size = 12 cannot be split over 5 processes")
    assert "OVSEG_TRAINING_PROCESSES" in line
    assert not (folder / "five.json").exists()


def test_a_wrong_number_of_processes_is_one_line(folder):
    done = finetune(folder, "none", "none")
    assert done.returncode == 2
    assert done.stderr.endswith("PROCESSES=none: expected a whole number, 1 to 1024\n")


@pytest.mark.parametrize(("device", "number"), (("cuda", 3), ("cuda:2", 1), ("cpu", 1)))
def test_one_process_for_every_visible_gpu(monkeypatch, device, number):
    monkeypatch.delenv("OVSEG_TRAINING_PROCESSES", raising=False)
    monkeypatch.setenv("OVSEG_DEVICE", device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert runtime.training_processes() == number
    for variable in ("OVSEG_LAUNCHER", "OMP_NUM_THREADS"):  # which it sets
        monkeypatch.setenv(variable, os.environ.get(variable, "1"))
    monkeypatch.delenv("OVSEG_LAUNCHER")
    started: list[int] = []
    watched: list[int] = []
    monkeypatch.setattr(distributed, "_launch", lambda processes, _: started.append(processes))
    monkeypatch.setattr(distributed, "end_with", watched.append)
    distributed.start_all()
    assert started == [number] * (number > 1) and watched == []
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one of them")
    monkeypatch.delenv("OVSEG_LAUNCHER", raising=False)
    distributed.start_all()
    assert len(started) == (number > 1) and watched == [os.getppid()]
    monkeypatch.setenv("OVSEG_LAUNCHER", "123")
    distributed.start_all()
    assert watched[1:] == [123]


def test_pictures_are_read_beside_gpus_only(monkeypatch):
    monkeypatch.setenv("OVSEG_WORKERS", "16")
    assert distributed.loader_workers(torch.device("cpu")) == 0
    assert distributed.loader_workers(torch.device("cuda", 1)) == 16
    for together, share in (("4", 4), ("32", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", together)
        assert distributed.loader_workers(torch.device("cuda", 1)) == share


@pytest.mark.parametrize(
    ("exits", "message"),
    [
        ({0: (1, 50), 1: (-9, 50)}, "training process 1 .* was killed"),  # 0 lost its peer
        ({0: (-6, 50), 1: (-9, 51)}, "training process 1 .* was killed"),  # NCCL gives up so
        ({0: (-15, 50), 1: (-11, 50)}, "training process 1 .* crashed .SIGSEGV"),
        ({0: (-15, 50)}, "training process 0 .* ended from outside"),
        ({0: (2, 50), 1: (-9, 80)}, "^batch_size: too odd$"),  # 1 hung and was ended by torchrun
    ],
)
def test_the_process_that_failed_first_is_told_of(exits, message):
    failures = {
        rank: SimpleNamespace(
            exitcode=code, timestamp=time, pid=7,
            error_file_data={"message": {"message": "UserError: batch_size: too odd"}},
        )
        for rank, (code, time) in exits.items()
    }  # fmt: skip
    with pytest.raises((UserError, RuntimeError), match=message):
        distributed._tell(failures)
