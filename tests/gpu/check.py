"""Does all of it work on a GPU? One table, one JSON, exit status 1 where a check fails.

    make gpu-check
    python tests/gpu/check.py --prepare                # here: wheels and goldens for a bare machine
    python tests/gpu/check.py --parts core             # there: 4 minutes on one modern card
    python tests/gpu/check.py --parts precision,full-r101c-vitb16,full-swinb-vitl14

It needs no installation of this project: what the machine lacks comes from `.gpu/`, where
`--prepare` (tests/gpu/prepare.py) has put it. docs/gpu.md says more.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARRIED = ROOT / ".gpu"
STAND_INS = ROOT / "tests/gpu/stand_ins"
OLDEST = (3, 11)


def find_packages() -> None:
    """Make this checkout importable, here and in processes started from here, and whatever the
    machine lacks from the carried wheels. This must come before any other import."""
    paths = [str(ROOT)]
    if wheels := sorted((CARRIED / "wheels").glob("*.whl")):
        from tests.gpu.prepare import missing, unpack

        if missing():
            paths.append(str(unpack(wheels, Path(tempfile.mkdtemp(prefix="ovseg-wheels-")))))
    sys.path[:0] = paths
    from importlib.util import find_spec

    if find_spec("dvclive") is None:
        paths.append(str(STAND_INS))
        sys.path.insert(len(paths) - 1, paths[-1])
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, *inherited])


def parts() -> dict:
    """Every part by its name, in the order they run in."""
    from functools import partial

    from tests.gpu import core, speed
    from tests.gpu.rows import Part

    return {
        "machine": Part(core.machine, 10, True),
        "goldens": Part(core.goldens, 50, True),
        "agreement": Part(core.agreement, 40, True),
        "fine-tuning": Part(core.fine_tuning, 40, True),
        "segmenter": Part(core.training_a_segmenter, 50, True),
        "torchrun": Part(core.torchrun, 50, True),
        "precision": Part(speed.precision, 150, False),
        "full-r101c-vitb16": Part(partial(speed.full_size, name="r101c-vitb16"), 120, False),
        "full-swinb-vitl14": Part(partial(speed.full_size, name="swinb-vitl14"), 150, False),
    }


def chosen(wanted: str, every: dict) -> list[str]:
    """Names of parts: "all", or names with commas between, of which "core" is all of the core."""
    if wanted == "all":
        return list(every)
    core = [name for name, part in every.items() if part.core]
    names = [n for word in wanted.split(",") for n in (core if word == "core" else [word])]
    unknown = [name for name in names if name not in every]
    if unknown:
        raise SystemExit(
            f"error: no part {', '.join(unknown)}; there are core, all, {', '.join(every)}"
        )
    return names


def run(names: list[str], every: dict, setting) -> list[dict]:
    """The rows of the parts, each with its part's name. A part that breaks gives one failed row,
    and the next runs all the same."""
    from tests.gpu.rows import Row, measured

    found: list[dict] = []
    for name in names:
        part, start = every[name], time.perf_counter()
        rows: list[Row] = []
        print(f"{name} (at most {part.seconds} s)", flush=True)
        try:
            rows.extend(_shown(row) for row in part.rows(setting))
        except Exception as error:
            traceback.print_exc()
            what = " ".join(f"{type(error).__name__}: {error}".split())
            rows.append(_shown(Row("runs to its end", None, "", None, "failed", what[:300])))
        taken = time.perf_counter() - start
        rows.append(measured("time", taken, "s", f"of {part.seconds}"
                             + ", OVER" * (taken > part.seconds)))  # fmt: skip
        found += [{"part": name} | vars(row) for row in rows]
    return found


def _shown(row):
    """Tell it at once: a run that is cut off has told what it found."""
    value = "" if row.value is None else f" {row.value:.4g} {row.unit}"
    limit = "" if row.limit is None else f" (at most {row.limit:.2g})"
    print(f"  {row.state}: {row.name}{value}{limit} {row.reason}".rstrip(), flush=True)
    return row


def table(found: list[dict]) -> str:
    """All rows, aligned."""
    head = ("part", "what", "value", "unit", "at most", "", "")
    lines = [head] + [
        (
            row["part"],
            row["name"],
            "" if row["value"] is None else f"{row['value']:.4g}",
            row["unit"],
            "" if row["limit"] is None else f"{row['limit']:.2g}",
            row["state"],
            row["reason"][:120],
        )
        for row in found
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="core", help="core, all, or names with commas")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="where $OUT is unset")
    parser.add_argument("--small", action="store_true", help="sizes for a test")
    parser.add_argument("--pretend", action="store_true", help="on a device that is not there")
    parser.add_argument("--goldens", type=Path, action="append", help="folders; default: all known")
    parser.add_argument("--prepare", action="store_true", help="fetch what a bare machine lacks")
    parser.add_argument("--python", default="3.12", help="with --prepare: of that machine")
    options = parser.parse_args(arguments)
    if options.prepare:
        from tests.gpu.prepare import prepare

        return prepare(ROOT, CARRIED, options.python)

    from contextlib import ExitStack

    import torch

    from pipeline.core.precision import keep_float32
    from pipeline.core.processes import runtime
    from pipeline.core.program import set_up
    from tests.gpu.rows import Setting

    set_up()
    keep_float32()

    every = parts()
    names = chosen(options.parts, every)
    out = Path(os.environ.get("OUT") or options.out)
    out.mkdir(parents=True, exist_ok=True)
    known = [CARRIED / "goldens", ROOT.parent / "shared/reference", ROOT / "tests/golden_data"]
    folders = options.goldens or [f for f in known if (f / "goldens.json").is_file()][:2]
    with ExitStack() as stack:
        device = runtime.device()
        if options.pretend:
            from tests.gpu.pretend import pretended_device

            device = stack.enter_context(pretended_device())
        elif device.type == "cuda":
            device = torch.device("cuda", device.index or 0)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ovseg-gpu-")))
        start = time.perf_counter()
        found = run(names, every, Setting(device, work, tuple(folders), options.small))
        total = time.perf_counter() - start
    failed = [row for row in found if row["state"] == "failed"]
    about = {
        "commit": _commit(), "python": platform.python_version(), "torch": torch.__version__,
        "device": str(device), "small": options.small, "parts": names, "seconds": total,
        "failed": len(failed), "rows": found,
    }  # fmt: skip
    (out / "gpu-check.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    text = table(found)
    (out / "gpu-check.txt").write_text(text + "\n", encoding="utf-8")
    states = [row["state"] for row in found]
    counts = ", ".join(f"{states.count(s)} {s}" for s in ("ok", "failed", "skipped", "measured"))
    print(f"\n{text}\n\n{device}, {total:.0f} s: {counts}; {out / 'gpu-check.json'}")
    return 1 if failed else 0


def _commit() -> str | None:
    """The checkout's commit, None where there is no git."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        found, needed = platform.python_version(), ".".join(map(str, OLDEST))
        raise SystemExit(f"error: this is Python {found}, the code needs {needed} or newer")
    sys.path.insert(0, str(ROOT))
    find_packages()
    raise SystemExit(main())
