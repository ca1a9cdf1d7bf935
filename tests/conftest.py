"""Tests run on a CPU with one thread a process, so that they are the same everywhere, and none is
failed for being slow: the machine may be busy. Nothing that a user may have set decides how they
end: neither the environment that says where things run, nor params.yaml."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from pipeline.core.program import set_up

WORKING_PARAMS = str(Path(__file__).resolve().parents[1] / "params.yaml")

for name in (
    "OVSEG_WORKERS", "OVSEG_TRAINING_PROCESSES", "OVSEG_ENGINE", "OVSEG_RAY_ADDRESS",
    "DETECTRON2_DATASETS",
):  # fmt: skip
    os.environ.pop(name, None)
os.environ["OVSEG_DEVICE"] = "cpu"
os.environ.setdefault("OMP_NUM_THREADS", "1")
set_up()
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def keep_from_working_params(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: a test that opens the repository's params.yaml fails, whatever is in it."""
    if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    path = os.fsdecode(arguments[0])
    if path.endswith("params.yaml") and os.path.realpath(path) == WORKING_PARAMS:
        raise AssertionError(
            "a test reads the working params.yaml, which is the user's to change; take "
            "tests.shipped.PARAMS"
        )


sys.addaudithook(keep_from_working_params)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which goldens were compared: without the original's, their tests are skipped."""
    from tests.goldens import at_hand  # it imports torch, which reads the variables above

    reports = [r for kind in terminalreporter.stats.values() for r in kind]
    if any("test_goldens" in getattr(report, "nodeid", "") for report in reports):
        terminalreporter.write_line(f"goldens: {at_hand()}")
