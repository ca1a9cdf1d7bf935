"""Tests run on a CPU with one thread a process, so that they are the same everywhere, and none is
failed for being slow: the machine may be busy."""

import os

import pytest
from hypothesis import settings

os.environ["OVSEG_DEVICE"] = "cpu"
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which goldens were compared: without the original's, their tests are skipped."""
    from tests.goldens import at_hand  # it imports torch, which reads the variables above

    reports = [r for kind in terminalreporter.stats.values() for r in kind]
    if any("test_goldens" in getattr(report, "nodeid", "") for report in reports):
        terminalreporter.write_line(f"goldens: {at_hand()}")
