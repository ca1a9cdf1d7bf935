"""Programs of ours set what results depend on; importing the package sets nothing."""

import os
import subprocess
import sys

import pytest

from pipeline.core.processes.workers import Pool

UNTOUCHED = """
import os, sys, warnings
environment, filters = dict(os.environ), list(warnings.filters)
import pipeline
assert dict(os.environ) == environment and "torch" not in sys.modules
import pipeline.ovseg
changed = {name for name, _ in os.environ.items() ^ environment.items()}
assert changed <= OF_LIBRARIES, changed
assert warnings.filters == filters, warnings.filters
"""
OF_LIBRARIES = {
    "LD_LIBRARY_PATH",  # OpenCV
    "OPENCV_OPENCL_RUNTIME",  # detectron2
    "TOKENIZERS_PARALLELISM",  # open_clip
    "TORCHINDUCTOR_CACHE_DIR",  # torch
}
"""Variables that our dependencies set when they are imported."""


def python(code: str, **variables: str) -> str:
    """What a fresh process says, errors included."""
    environment = {k: v for k, v in os.environ.items() if k != "MKL_CBWR"} | variables
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    return (run.stdout + run.stderr).strip()


def test_importing_changes_nothing_in_the_users_program():
    said = python(f"OF_LIBRARIES = {OF_LIBRARIES}{UNTOUCHED}")
    assert "Error" not in said and "jit.script" not in said, said


@pytest.mark.parametrize(
    "start",
    (
        "import stages",
        "from pipeline.commands.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from pipeline.core.program import set_up; set_up()",
    ),
)
@pytest.mark.parametrize("given", ({}, {"MKL_CBWR": "COMPATIBLE"}))
def test_mkl_is_told_before_it_is_asked_unless_the_user_has_chosen(start, given):
    said = python(f"{start}\nimport os; print(os.environ['MKL_CBWR'])", **given)
    assert said.splitlines()[-1] == given.get("MKL_CBWR", "AUTO,STRICT"), said


def test_workers_of_a_users_program_are_programs_of_ours(monkeypatch):
    monkeypatch.delenv("MKL_CBWR", raising=False)
    with Pool(1) as pool:
        assert pool.submit(os.getenv, "MKL_CBWR").result() == "AUTO,STRICT"
