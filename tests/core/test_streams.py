"""What is said reaches whoever listens, and stops nobody where none does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shipped import PARAMS

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from rich.console import Console
from rich.table import Table
from rich.text import Text
from pipeline.core import progress
from pipeline.core.streams import ready_streams
ready_streams()
print("apple[/i] caf\\xe9 \\udce9 :smile:")
table = Table("class")
table.add_row(Text("key [enter] caf\\xe9 \\udce9 :smile:"))
Console().print(table)
progress.report("\\u72ac")
for _ in progress.track(range(1), 1, "[/x] \\xe9 \\udce9"):
    print("odd \\udce9")
open(sys.argv[1], "w").write("done")
"""


def run(done: Path, shell: str = "", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """PROGRAM with its output where `shell` says; it writes the file `done` at its end."""
    done.unlink(missing_ok=True)
    return subprocess.run(
        [
            "bash",
            "-c",
            f'set -o pipefail; "$0" -c "$1" "$2" {shell}',
            sys.executable,
            PROGRAM,
            done,
        ],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "utf-8"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda variables: "-".join(variables.values()),
)
def test_any_text_is_printed_on_any_terminal(tmp_path, variables):
    ended = run(tmp_path / "done", **variables)
    assert (ended.returncode, (tmp_path / "done").exists()) == (0, True), ended.stderr.decode()
    shown = ended.stdout.decode("latin-1")
    assert "apple[/i] caf" in shown and "\\udce9 :smile:" in shown
    assert "key [enter] caf" in shown and "odd \\udce9" in shown
    assert b"[/x] " in ended.stderr and b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "shell", [">&-", "2>&-", "<&- >&- 2>&-", "| head -c 1", "| true", "2>&1 >&- | true"]
)
def test_work_goes_on_where_nobody_listens(tmp_path, shell):
    ended = run(tmp_path / "done", shell)
    assert (ended.returncode, (tmp_path / "done").exists()) == (0, True), ended.stderr.decode()
    assert b"Traceback" not in ended.stderr and b"Exception" not in ended.stderr


@pytest.mark.parametrize("shell", [">&-", "| true"])
@pytest.mark.parametrize("command", ["pipeline preset own", "stages.provenance --out provenance"])
def test_commands_and_stages_end_well_without_a_listener(tmp_path, command, shell):
    (tmp_path / "params.yaml").write_bytes(PARAMS.read_bytes())
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m {command} {shell}"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_bar_shows_what_it_is_told_and_reads_no_markup(monkeypatch, capsys):
    from pipeline.core import progress

    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.counting(1, "reading my[/i] folder") as advance:
        advance(1)
    assert "my[/i] folder" in capsys.readouterr().err
