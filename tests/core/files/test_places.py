"""Where nothing can be written, every command and stage says so at once, in one line."""

import errno
import importlib
import inspect
import socket
import sys
import tempfile
from pathlib import Path

import pytest

import stages
from pipeline.commands import cli
from pipeline.core.errors import UserError
from pipeline.core.files.places import OutFile, OutFolder, check_file, check_folder, checks_places
from pipeline.core.stage import run_stage

STAGES = sorted(
    path.stem for path in Path(stages.__path__[0]).glob("*.py") if path.stem != "__init__"
)
WRITTEN = [
    (stage, flag)
    for stage in STAGES
    for flag in inspect.signature(importlib.import_module(f"stages.{stage}").main).parameters
    if flag in ("out", "metrics")
]


@pytest.fixture
def places(tmp_path) -> dict[str, Path]:
    """Places where nothing can be written, also not by root."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    return {
        "below a file": tmp_path / "file" / "a" / "b",
        "below a device": Path("/dev/null/a"),
        "read-only": Path("/proc/a/b"),
        "below a link to nowhere": tmp_path / "link" / "a",
        "too long": tmp_path / ("a" * 300) / "b",
    }


KINDS = ["below a file", "below a device", "read-only", "below a link to nowhere", "too long"]


def said_by(run, capsys) -> str:
    with pytest.raises(SystemExit) as stop:
        run()
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1, said
    return said


def run_with(monkeypatch, stage: str, flags: dict[str, object]) -> None:
    """Run a stage with these flags; the others name what is not there."""
    module = importlib.import_module(f"stages.{stage}")
    given = {"set": "world-open", "name": "own", "step": "first"}
    line = []
    for name, parameter in inspect.signature(module.main).parameters.items():
        if name in flags or parameter.default is inspect.Parameter.empty:
            line += [f"--{name}", str(flags.get(name, given.get(name, "absent")))]
    monkeypatch.setattr(sys, "argv", [stage, *line])
    run_stage(module.main)


def test_every_stage_writes_somewhere():
    assert {stage for stage, _ in WRITTEN} == set(STAGES)
    assert len(STAGES) >= 10 and len(WRITTEN) >= 18


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage, flag", WRITTEN)
def test_a_stage_that_cannot_write_says_so_before_it_works(
    monkeypatch, capsys, tmp_path, places, stage, flag, kind
):
    """What it reads is not there either, which it would tell if it began to work."""
    monkeypatch.chdir(tmp_path)
    said = said_by(lambda: run_with(monkeypatch, stage, {flag: places[kind]}), capsys)
    assert said.startswith(f"error: --{flag} {places[kind]}: nothing can be written"), said
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder", "link"}


@pytest.mark.parametrize("stage, flag", WRITTEN)
def test_a_stage_is_told_a_file_from_a_folder(monkeypatch, capsys, tmp_path, places, stage, flag):
    monkeypatch.chdir(tmp_path)
    is_file = flag == "metrics"
    wrong, expected = ("folder", "file") if is_file else ("file", "folder")
    said = said_by(lambda: run_with(monkeypatch, stage, {flag: tmp_path / wrong}), capsys)
    assert said == f"error: {tmp_path / wrong}: a {wrong}; --{flag} expects a {expected}\n"


@pytest.mark.parametrize("params", ["absent.yaml", "folder", "/proc/self/mem", "/dev/null"])
@pytest.mark.parametrize("stage", STAGES)
def test_unreadable_parameters_are_one_line(monkeypatch, capsys, tmp_path, places, stage, params):
    monkeypatch.chdir(tmp_path)
    said = said_by(lambda: run_with(monkeypatch, stage, {"params": params}), capsys)
    assert said.startswith(f"error: {params}: "), said


COMMANDS = {
    "segment": (["picture.png", "--classes", "cat"], "--out"),
    "draw": ([], "--out"),
    "import": (["absent.pth"], "--out"),
    "export": ([], "out"),
    "preset": (["openmoji"], "--params"),
}
READS_ONLY = {"check", "demo"}


def test_every_command_is_tested_that_writes():
    assert set(cli.COMMANDS) == {*COMMANDS, *READS_ONLY}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_cannot_write_says_so_before_it_works(
    monkeypatch, capsys, tmp_path, places, command, kind
):
    monkeypatch.chdir(tmp_path)
    words, flag = COMMANDS[command]
    place = str(places[kind])
    line = [command, *words, *([place] if flag == "out" else [flag, place])]
    said = said_by(lambda: cli.main(line), capsys)
    assert f" {place}: nothing can be written" in said and "ovseg: " in said, said
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder", "link"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_told_a_file_from_a_folder(monkeypatch, capsys, tmp_path, places, command):
    monkeypatch.chdir(tmp_path)
    words, flag = COMMANDS[command]
    wrong = "folder" if command == "preset" else "file"
    place = str(tmp_path / wrong)
    line = [command, *words, *([place] if flag == "out" else [flag, place])]
    said = said_by(lambda: cli.main(line), capsys)
    assert said.startswith(f"ovseg: {place}: a {wrong}; --"), said


def test_what_can_be_written_is_left_alone(tmp_path):
    calls = []

    @checks_places
    def work(source: Path, out: OutFolder, metrics: OutFile = tmp_path / "c" / "m.json") -> None:
        calls.append((source, out, metrics))

    work(Path("/dev/null/x"), out=tmp_path / "a" / "b")
    assert calls == [(Path("/dev/null/x"), tmp_path / "a" / "b", tmp_path / "c" / "m.json")]
    check_folder(Path("."), "--out")
    check_file(tmp_path / "a.json", "--metrics")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_before_work(monkeypatch, tmp_path):
    def full(dir: Path):  # noqa: A002
        return open("/dev/full", "wb")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    message = f"^--out {tmp_path}/a: nothing can be written to {tmp_path}: No space left"
    with pytest.raises(UserError, match=message):
        check_folder(tmp_path / "a", "--out")


def test_a_read_only_disk_is_told_before_work(monkeypatch, tmp_path):
    def refused(dir: Path):  # noqa: A002
        raise OSError(errno.EROFS, "read-only", "secret.tmp")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    message = f"^--metrics {tmp_path}/a: nothing can be written to {tmp_path}: Read-only file sys"
    with pytest.raises(UserError, match=message):
        check_file(tmp_path / "a", "--metrics")


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--port", "99999"], "--port 99999: expected 1 to 65535"),
        (["--port", "0"], "--port 0: expected 1 to 65535"),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid --port 7860: cannot"),
    ],
)
def test_a_page_that_cannot_listen_is_one_line(capsys, flags, said):
    assert said in said_by(lambda: cli.main(["demo", "--model", "absent", *flags]), capsys)


def test_a_port_in_use_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = ["demo", "--model", "absent", "--port", port]
        assert f"--port {port}: cannot listen there (Address already in use)" in said_by(
            lambda: cli.main(line), capsys
        )
