"""A training in two processes that is killed, interrupted, or loses one of them."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from pipeline.clip.sources import shipped_clip
from pipeline.clip.store import save_clip
from tests.clip.tiny import write_pairs
from tests.processes import Program, end_with_all_below, interrupt, running

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ("-m", "stages.finetune", "--step", "first", "--pairs", "pairs", "--clip", "base",
           "--out", "out", "--metrics", "out.json")  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """The shipped CLIP, 40 pairs, and params.yaml for an endless training of small steps."""
    folder = tmp_path_factory.mktemp("prepared")
    save_clip(folder / "base", shipped_clip(), "base")
    write_pairs(folder / "pairs", 40)
    content = yaml.safe_load((ROOT / "pipeline/params/presets/openmoji.yaml").read_text())
    content["finetune"]["first"] |= {"epochs": 1e4, "batch_size": 4, "bfloat16": False}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.fixture
def training(prepared, tmp_path):
    """A training whose two processes are at work, as torchrun and DVC see it."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    with running(tmp_path, *COMMAND, OVSEG_TRAINING_PROCESSES="2") as program:
        at_work = lambda: any("fine-tuning weights" in line for line in program.said())  # noqa: E731
        program.wait_for(at_work, "steps")
        assert len(ranks(program)) == 2
        yield program


def ranks(program: Program):
    """The training processes."""
    return [child for child in program.children() if "stages.finetune" in " ".join(child.cmdline())]


def messages(program: Program) -> list[str]:
    """What it printed beside its progress."""
    progress = ("fine-tuning weights: ", "training in ", "reading pairs: ")
    return [line for line in program.said() if not line.startswith(progress)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_all_processes_end_with_the_stage_however_it_ends(training, how):
    end_with_all_below(training, lambda: training.process.send_signal(how))
    assert messages(training) == []


@pytest.mark.parametrize("all_processes", [True, False])
def test_interrupted_it_says_one_line(training, all_processes):
    assert interrupt(training, all_processes) == 130
    assert messages(training) == ["interrupted; a rerun goes on from what is finished"]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_is_named_with_the_likely_reason(training, rank):
    [victim] = [w for w in ranks(training) if w.environ()["RANK"] == str(rank)]
    assert end_with_all_below(training, lambda: os.kill(victim.pid, signal.SIGKILL)) == 2
    [line] = messages(training)
    assert line.startswith(f"error: training process {rank} (pid {victim.pid}) was killed")
    assert "most likely the machine ran out of memory" in line


def test_an_error_of_the_users_is_one_line_though_all_processes_meet_it(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    with running(tmp_path, *COMMAND, OVSEG_TRAINING_PROCESSES="3") as program:
        assert program.end() == 2
        [line] = messages(program)
        assert line.startswith("error: batch_size = 4 cannot be split over 3 processes")


def test_a_fault_of_the_program_shows_its_stack_trace_once(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / "broken.py").write_text(
        "from pipeline.core.processes.distributed import start_all\n"
        "from pipeline.core.stage import run_stage\n"
        "def main() -> None:\n"
        "    [][1]\n"
        "if __name__ == '__main__':\n"
        "    run_stage(main, first=start_all)\n"
    )
    with running(tmp_path, "broken.py", OVSEG_TRAINING_PROCESSES="2") as program:
        assert program.end() == 1
        said = program.output.read_text()
        assert said.count("Traceback") == 1 and said.count("IndexError: list index") == 1
        assert "[][1]" in said
