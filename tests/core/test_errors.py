"""Which errors speak to the user, and which are faults of the program."""

import errno
import pickle
import sys

import pytest

import pipeline.data.rle
from pipeline.core.errors import MissingFileError, UserError, user_message
from pipeline.core.stage import run_stage


def test_user_errors_are_said_and_others_are_not():
    assert user_message(UserError("a: found b")) == "a: found b"
    assert user_message(MissingFileError("a: not found")) == "a: not found"
    for error in (ValueError("x"), FileNotFoundError(2, "No such file", "x"), KeyError("x")):
        assert user_message(error) is None


def test_user_errors_are_caught_as_what_they_were_and_travel_between_processes():
    assert issubclass(UserError, ValueError)
    assert issubclass(MissingFileError, FileNotFoundError)
    for error in (UserError("a"), MissingFileError("b")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)


def test_a_full_or_read_only_place_is_the_users():
    full = OSError(errno.ENOSPC, "whatever", "/data/x")
    assert user_message(full) == "/data/x: No space left on device"
    assert user_message(PermissionError(errno.EACCES, "w", "/a", None, "/b")).startswith("/a -> /b")
    assert user_message(OSError(errno.ENOSPC, "w")) == "No space left on device"


def _in_our_file(line: str):
    """A function whose traceback ends in a file of pipeline/, as a bug of ours would."""
    namespace: dict = {}
    exec(compile(f"def mistake():\n    {line}", pipeline.data.rle.__file__, "exec"), namespace)
    return namespace["mistake"]


def test_a_mistake_of_ours_in_numpy_keeps_its_trace(monkeypatch, capsys):
    """A ValueError that numpy raises for our own line is no message to the user, wherever the line
    stands: here in one of this project's, which counted as a message to the user."""

    def main() -> None:
        """A stage."""
        mistake()

    mistake = _in_our_file('raise ValueError("axes don\'t match array")')

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(ValueError, match="axes don't match"):
        run_stage(main)
    assert capsys.readouterr().err == ""


def test_an_unwritable_out_is_one_line(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")

    def main() -> None:
        """A stage."""
        (tmp_path / "file" / "below").mkdir(parents=True)

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as exit_:
        run_stage(main)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "file/below" in error and error.count("\n") == 1
    assert "Not a directory" in error


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    def main() -> None:
        """A stage."""
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as exit_:
        run_stage(main)
    assert exit_.value.code == 130 and capsys.readouterr().err.count("\n") == 1
