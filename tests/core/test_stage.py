import sys
from pathlib import Path

import pytest

from pipeline.core.stage import run_stage
from pipeline.params.sections import load_params


def with_flags(monkeypatch, *flags):
    monkeypatch.setattr(sys, "argv", ["stage", *flags])


def test_flags_reach_the_stage_with_their_types(monkeypatch):
    seen = []

    def main(out: Path, params: Path = Path("params.yaml")) -> None:
        """A stage."""
        seen.append((out, params))

    with_flags(monkeypatch, "--out", "data/x")
    run_stage(main)
    assert seen == [(Path("data/x"), Path("params.yaml"))]


def test_a_fault_of_the_user_is_one_line_and_status_2(monkeypatch, capsys, tmp_path):
    def main(params: Path) -> None:
        """A stage."""
        load_params(params, "pairs")

    with_flags(monkeypatch, "--params", str(tmp_path / "absent.yaml"))
    with pytest.raises(SystemExit) as exit_:
        run_stage(main)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "absent.yaml: not found" in error
    assert error.count("\n") == 1


def test_a_fault_of_the_program_keeps_its_stack_trace(monkeypatch):
    def main() -> None:
        """A stage."""
        int("x")

    with_flags(monkeypatch)
    with pytest.raises(ValueError, match="invalid literal"):
        run_stage(main)
