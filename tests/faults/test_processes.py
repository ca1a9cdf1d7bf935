"""How runs end: workers with their parent, Ctrl-C with one line, a killed worker with its name."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.processes import end_with_all_below, interrupt, running

KINDS = ("shards", "gpus", "reader")
SCRIPT = """
import os, sys, time
from pathlib import Path
import torch
from pipeline.core.sampler import TrainingBatchSampler, loader
from pipeline.core.shards import run_shards
from pipeline.core.stage import run_stage
from pipeline.core.processes.workers import reading

if "gpus" in sys.argv:  # a machine with two, for a stage that looks before it starts
    torch.cuda.device_count = lambda: 2

class Slow(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, place):
        return slow(place, Path("."))

def slow(items, folder):
    (Path.cwd() / f"at-work-{os.getpid()}").touch()
    time.sleep(1000)

def main(kind: str) -> None:
    if kind == "reader":
        with reading():
            next(iter(loader(Slow(), TrainingBatchSampler(8, 1, 0, 0, 8, 0, 1), list, 2)))
    else:
        run_shards(
            Path("out"), range(8), 2, slow, {}, "slow", names=[], processes=kind == "shards"
        )

if __name__ == "__main__":
    run_stage(main)
"""


@pytest.fixture(params=KINDS)
def busy(tmp_path, request):
    """A program two of whose workers are at work: in a pool of each kind, or reading pictures."""
    (tmp_path / "script.py").write_text(SCRIPT)
    place = {"OVSEG_DEVICE": "cuda"} if request.param == "gpus" else {}
    with running(
        tmp_path, "script.py", "--kind", request.param, OVSEG_WORKERS="2", **place
    ) as program:
        program.wait_for(lambda: len(list(tmp_path.glob("at-work-*"))) == 2, "two workers")
        yield program


def worker_pids(program) -> list[int]:
    return [int(p.name.rpartition("-")[2]) for p in program.output.parent.glob("at-work-*")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent_however_it_ends(busy, how):
    assert {p.pid for p in busy.children()} >= set(worker_pids(busy))
    end_with_all_below(busy, lambda: busy.process.send_signal(how))


@pytest.mark.parametrize("all_processes", [True, False])
def test_interrupted_it_says_one_line(busy, all_processes):
    assert interrupt(busy, all_processes) == 130
    lines = [line for line in busy.said() if not line.startswith("slow: 0/8")]  # the closing one
    assert lines == ["interrupted; a rerun goes on from what is finished"]


def test_a_killed_worker_is_named_with_the_likely_reason(busy):
    victim = worker_pids(busy)[0]
    os.kill(victim, signal.SIGKILL)
    assert busy.end() == 2
    [line] = [line for line in busy.said() if not line.startswith("slow: 0/8")]
    assert line.startswith(f"error: worker {victim} (")
    assert "most likely the machine ran out of memory" in line and "OVSEG_WORKERS" in line
    assert "(shard " in line or "(reads pictures)" in line


def test_interrupted_while_it_imports_its_libraries_it_says_one_line(tmp_path):
    """At any moment from the first import of the stage's own module on."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            import pathlib, time\n"
        "            pathlib.Path('importing').touch(); time.sleep(1000)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    paths = f"{tmp_path}{os.pathsep}{Path(__file__).parents[1]}"
    with running(tmp_path, "-m", "stages.pairs", PYTHONPATH=paths) as program:
        program.wait_for((tmp_path / "importing").exists, "the import of torch")
        program.interrupt()
        program.end()
        assert program.said() == ["interrupted"]


@pytest.fixture(params=["/bin/sh", "/bin/bash"])
def through_dvc(tmp_path, request):
    """`dvc repro` of a stage two of whose workers are at work, by each of two shells."""
    if not Path(request.param).exists():
        pytest.skip(f"no {request.param} here")
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "dvc.yaml").write_text(
        f"stages: {{slow: {{cmd: '{sys.executable} script.py --kind shards', outs: [out]}}}}\n"
    )
    quiet = {"DVC_NO_ANALYTICS": "1", "DVC_TEST": "true", "SHELL": request.param}
    with running(tmp_path, "-m", "dvc", "init", "--no-scm", "--quiet", **quiet) as program:
        assert program.end() == 0, program.said()
    with running(tmp_path, "-m", "dvc", "repro", OVSEG_WORKERS="2", **quiet) as program:
        program.wait_for(lambda: len(list(tmp_path.glob("at-work-*"))) == 2, "two workers")
        yield program


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stage_ends_with_the_dvc_that_runs_it(through_dvc, how):
    """Else a second `dvc repro` would find DVC's lock open and work in the same folder."""
    assert len(through_dvc.children()) >= 3
    end_with_all_below(through_dvc, lambda: through_dvc.process.send_signal(how))


def test_interrupted_under_dvc_the_stage_says_one_line(through_dvc):
    interrupt(through_dvc, all_processes=True)
    said = through_dvc.said()
    assert said.count("interrupted; a rerun goes on from what is finished") == 1
    assert not any("Traceback" in line for line in said)
