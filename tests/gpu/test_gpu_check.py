"""The check for a GPU, as far as it goes without one: on the CPU, on a device that is pretended,
and its own bookkeeping."""

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import torch

from pipeline.core.errors import UserError
from pipeline.core.precision import in_precision
from pipeline.core.processes import distributed, runtime
from tests.goldens import OWN, index
from tests.gpu import check
from tests.gpu.prepare import COMPILED, DETECTRON2, PURE, THERE, tell
from tests.gpu.rows import Part, Setting, holds, measured, within

ROOT = Path(check.__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def goldens(tmp_path_factory) -> Path:
    """A small folder of goldens: towers and regions, of our own reference."""
    folder = tmp_path_factory.mktemp("goldens")
    names = ("weights_words", "weights_pixels", "a_towers", "c_regions")
    for name in names:
        shutil.copy(OWN / f"{name}.npz", folder)
    (folder / "goldens.json").write_text(json.dumps({name: index(OWN)[name] for name in names}))
    return folder


def run(out: Path, goldens: Path, parts: str, *flags: str) -> dict:
    """The check as a process of its own, from another folder."""
    command = [sys.executable, str(ROOT / "tests/gpu/check.py"), "--small", "--parts", parts]
    environment = {k: v for k, v in os.environ.items() if k not in ("OUT", "PYTHONPATH")}
    done = subprocess.run(
        [*command, "--out", str(out), "--goldens", str(goldens), *flags], cwd=out,
        env=environment | {"OVSEG_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads((out / "gpu-check.json").read_text())
    assert (out / "gpu-check.txt").read_text().rstrip() in done.stdout
    assert found["failed"] == 0
    return found


def states(found: dict, part: str) -> list[str]:
    return [row["state"] for row in found["rows"] if row["part"] == part]


def test_the_parts_run_here(tmp_path, goldens):
    """Those that the pretended device cannot show; the others run there."""
    names = "torchrun,precision,full-r101c-vitb16,full-swinb-vitl14"
    found = run(tmp_path, goldens, names)
    for part in names.split(","):
        assert "skipped" not in states(found, part) and states(found, part).count("ok") >= 2


def test_nothing_is_on_the_wrong_device(tmp_path, goldens):
    """Goldens, both models, evaluation, losses, gradients and trainings on a device that is not the
    CPU, and refuses its tensors."""
    found = run(tmp_path, goldens, "goldens,agreement,fine-tuning,segmenter", "--pretend")
    assert found["device"].startswith("pretended")
    assert states(found, "goldens").count("ok") == 4
    for part in ("agreement", "fine-tuning", "segmenter"):
        assert states(found, part).count("ok") >= 2 and "skipped" not in states(found, part)


def test_devices_do_not_mix():
    """In a process of its own: torch keeps a device that was registered."""
    code = """
import numpy as np, torch
from tests.gpu.pretend import pretended_device
with pretended_device() as device:
    there, here = torch.ones(3, device=device), torch.ones(3)
    assert there.device == device and (there * 2 + torch.tensor(1)).tolist() == [3, 3, 3]
    assert there[torch.tensor([0])].device == device and there[[0, 1]].device == device
    assert there.cpu().numpy().sum() == 3
    wrong = {
        "sum": lambda: there + here, "index": lambda: here[there.long()],
        "numpy": lambda: there.numpy(), "cat": lambda: torch.cat([there, here]),
        "array": lambda: np.asarray(there), "put": lambda: there.index_put_((here.long(),), here),
        "linear": lambda: torch.nn.Linear(3, 1).to(device)(here),
    }
    for name, run in wrong.items():
        try:
            run()
        except (RuntimeError, TypeError):
            continue
        raise SystemExit(f"{name} went through")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_part_that_breaks_hides_no_other(tmp_path, capsys):
    def breaks(on):
        yield within("close", 1.0, 2.0, "px")
        raise ValueError("no such kernel")

    def goes(on):
        yield within("far", 3.0, 2.0)
        yield within("no number", float("nan"), 2.0)
        yield holds("true", True, "never told")
        yield holds("false", False, "told")
        yield measured("speed", 5.0, "crops/s")

    every = {"a": Part(breaks, 1, True), "b": Part(goes, 1, False)}
    found = check.run(["a", "b"], every, Setting(torch.device("cpu"), tmp_path))
    assert [row["state"] for row in found] == [
        "ok", "failed", "measured", "failed", "failed", "ok", "failed", "measured", "measured",
    ]  # fmt: skip
    text = check.table(found)
    assert "ValueError: no such kernel" in text and "told" in text and "never told" not in text
    assert "Traceback" in capsys.readouterr().err


def test_a_failed_check_is_exit_status_1(tmp_path, monkeypatch):
    def wrong(on):
        yield holds("it works", False, "it does not")

    monkeypatch.setattr(check, "parts", lambda: {"wrong": Part(wrong, 1, True)})
    monkeypatch.setenv("OVSEG_DEVICE", "cpu")
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    assert check.main(["--parts", "core"]) == 1
    assert json.loads((tmp_path / "out/gpu-check.json").read_text())["failed"] == 1


def test_parts_by_name():
    every = check.parts()
    core = check.chosen("core", every)
    assert sum(every[name].seconds for name in core) <= 240
    assert check.chosen("core,precision", every) == [*core, "precision"]
    assert check.chosen("all", every) == list(every)
    with pytest.raises(SystemExit, match="no part speed; there are core, all, machine"):
        check.chosen("speed,machine", every)


def test_every_import_is_there_or_travels():
    """What our own files import, from those of the check on: it must come with torch on the
    machine, or in a wheel, or have a stand-in."""
    owners = packages_distributions()
    known = {same(name) for name in (*PURE, *COMPILED, *DETECTRON2, *THERE)}
    stand_ins = {path.stem for path in check.STAND_INS.glob("*.py")}
    used = imported_by([ROOT / f"tests/gpu/{name}.py" for name in ("check", "spread", "pretend")])
    others = used - set(sys.stdlib_module_names) - stand_ins - {"pipeline", "tests"}
    others.remove("ray")  # for OVSEG_ENGINE=ray alone
    assert {"torch", "open_clip", "detectron2", "pydantic"} <= others
    lacking = {name for name in others if not {same(o) for o in owners[name]} & known}
    assert not lacking


def imported_by(files: list[Path]) -> set[str]:
    """Top-level names that files import, and the files of this repository that they import."""
    names, seen, waiting = set(), set(), list(files)
    while waiting:
        if (file := waiting.pop()) in seen:
            continue
        seen.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for module in modules:
                names.add(module.split(".")[0])
                path = ROOT / module.replace(".", "/")
                waiting += filter(Path.is_file, (path.with_suffix(".py"), path / "__init__.py"))
    return names


def same(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_the_sum_of_what_travels_is_told(tmp_path, capsys, monkeypatch):
    for part in ("goldens", "wheels"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.whl").write_bytes(b"0" * 2**20)
    assert tell(ROOT, tmp_path) == 0
    said = capsys.readouterr().out
    assert "goldens     1.00 MiB" in said and "together" in said
    monkeypatch.setattr("tests.gpu.prepare.LIMIT", 2**20)
    assert tell(ROOT, tmp_path) == 1
    assert "MiB too much" in capsys.readouterr().out


def test_float32_on_a_card_is_float32():
    """torch lets convolutions of a card calculate float32 in TF32, of ten bits, unless told."""
    in_precision(runtime.device(), "float32")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_more_processes_than_cards_is_one_line(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one of them")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="at least 2 training processes.*1 CUDA device.*NCCL"):
        with distributed.process_group(torch.device("cuda")):
            pass
