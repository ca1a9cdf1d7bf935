"""The command line as a whole: locales, what it imports, how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import cli
from pipeline.core.errors import UserError
from tests.data.folders import make_own, save_picture


def test_a_system_without_utf8_is_served(tmp_path):
    """LC_ALL=C with UTF-8 mode off: texts are UTF-8 still, and what is printed is escaped."""
    root = make_own(tmp_path / "own")
    (root / "classes.txt").write_text("Käfer\nsofa\n", encoding="utf-8")
    with open(root / "captions.jsonl", "a", encoding="utf-8") as file:
        file.write('{"image": "Käse.jpg", "caption": "Ein Käse."}\n')
    save_picture(root / "images" / "über.txt.png", height=6)
    (root / "images" / "Grüße.pdf").write_bytes(b"x")
    environment = os.environ | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    environment.pop("PYTHONIOENCODING", None)
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", "--own", str(root)],
        env=environment,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    assert b"Traceback" not in ran.stderr and b"K\\xe4fer" in ran.stdout, ran
    assert ran.returncode in (0, 1)


LOCALES = {
    "utf-8": {"PYTHONUTF8": "1"},
    "ascii": {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
}


def test_names_and_texts_are_read_alike_under_every_locale(tmp_path):
    """Under LC_ALL=C without UTF-8 mode every "Käse.jpg" was called "not UTF-8"."""
    root = make_own(tmp_path / "own")
    save_picture(root / "images" / "Käse.jpg")
    with open(root / "captions.jsonl", "ab") as file:
        file.write('{"image": "Käse.jpg", "caption": "Ein Käse."}\n'.encode())
        file.write('{"image": "Küche.jpg", "caption": "A kitchen."}\n'.encode())
        file.write('{"image": "Käse.jpg", "caption": "café"}\n'.encode("latin-1"))
    said = {}
    for name, locale in LOCALES.items():
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline", "check", "--own", str(root)],
            env={k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | locale,
            capture_output=True,
            cwd=Path(__file__).parents[2],
        )
        assert ran.returncode == 1, ran.stderr
        shown = ran.stdout.decode().encode("ascii", "backslashreplace").decode()
        said[name] = [line for line in shown.splitlines() if line.startswith(str(root))]
    assert said["ascii"] == said["utf-8"]
    reasons = [line.split(": ")[1].split(";")[0] for line in said["utf-8"]]
    assert reasons == ["not UTF-8", "no such picture"]


def test_the_command_line_needs_no_torch():
    """`ovseg check` answers in seconds; importing torch alone takes ten on a slow machine."""
    code = (
        "import sys, pipeline.commands.cli, pipeline.data.check; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_reader_that_has_seen_enough_is_no_stack_trace(tmp_path):
    """As in `ovseg check | head -1`, the reader already gone."""
    reading, writing = os.pipe()
    os.close(reading)
    code = "from pipeline.commands.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "check", str(tmp_path)], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (1, b"")


def test_an_interruption_is_one_line_and_its_exit_code(monkeypatch, capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "check", interrupted)
    with pytest.raises(SystemExit) as stop:
        cli.main(["check"])
    assert (stop.value.code, capsys.readouterr().err) == (130, "ovseg: interrupted\n")


def test_an_error_of_the_users_is_one_line_and_any_other_keeps_its_trace(monkeypatch, capsys):
    def wrong(fault: str) -> None:
        raise UserError(fault) if fault != "ours" else RuntimeError(fault)

    monkeypatch.setitem(cli.COMMANDS, "check", wrong)
    with pytest.raises(SystemExit) as stop:
        cli.main(["check", "--fault", "a.txt: wrong"])
    assert (stop.value.code, capsys.readouterr().err) == (2, "ovseg: a.txt: wrong\n")
    with pytest.raises(RuntimeError, match="ours"):
        cli.main(["check", "--fault", "ours"])
