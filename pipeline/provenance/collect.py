"""What every stage depends on besides the outputs of earlier stages and its parameters.

DVC sees files and parameters that stand in dvc.yaml. It does not see which code a stage imports,
which releases of the libraries that code calculates with, what is in the files that params.yaml
names, or in a data set that it does not track. For each stage one small JSON file says that, and
the stage depends on it:

    {"code": {"pipeline/pairs/make.py": hash, ...}, "libraries": {"torch": "2.14.1", ...},
     "files": {"weights.pth": sha256, ...}, "watched": {"own": {"files": 100, ...}}}

The rule behind `code` and `libraries` is in `pipeline.core.fingerprint`.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.core.errors import MissingFileError
from pipeline.core.files.atomic import write_text
from pipeline.core.fingerprint import ROOT, code_hashes, code_of, libraries
from pipeline.params.sections import Params
from pipeline.provenance.digests import Digests
from pipeline.provenance.watch import survey

STAGES = (
    "pretrain_clip", "dataset", "base_clip", "pretrain_segmenter", "segmenter", "proposals",
    "nouns", "pairs", "finetune", "evaluate",
)  # fmt: skip
"""Stages by the name of their file in stages/, in the order of the DAG."""
FILES = {"pretrain_segmenter": "segmenter"}
"""Stages whose file has another name."""


def write_provenance(out: Path, params: Params, digests: Path) -> list[Path]:
    """Write `out/<stage>.json` for every stage.

    digests: remembers hashes of large files, see `digests.py`. Returns the files.
    """
    written = []
    with Digests(digests) as known:
        for stage in STAGES:
            content = of_code(stage) | {
                "files": named_files(stage, params, known),
                "watched": watched(params, known) if stage == "dataset" else {},
            }
            path = out / f"{stage}.json"
            write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
            written.append(path)
    return written


def of_code(stage: str) -> dict[str, dict[str, str]]:
    """Return hashes of the code and releases of the libraries that a stage's result depends on."""
    closure = code_of(ROOT / "stages" / f"{FILES.get(stage, stage)}.py")
    return {"code": code_hashes(closure), "libraries": libraries(closure)}


def named_files(stage: str, params: Params, digests: Digests) -> dict[str, str | None]:
    """Return the files that a stage's parameters name, with the sha256 of what is in them; None for
    one that is missing, which the stage itself reports."""
    names = {
        "base_clip": [params.base_clip.checkpoint],
        "segmenter": [params.segmenter.checkpoint, params.segmenter.warm_start],
    }.get(stage, [])
    return {
        name: digests.of(Path(name)) if Path(name).is_file() else None for name in names if name
    }


def watched(params: Params, digests: Digests) -> dict[str, Any]:
    """Return what is in the data sets that `dataset.watch` names, by name."""
    about = params.dataset
    return {name: asdict(survey(name, about.root, about.source, digests)) for name in about.watch}


def read_watched(provenance: Path) -> dict[str, Any]:
    """Return what `watched` found, from the file of stage `dataset`. MissingFileError says which
    stage writes it."""
    if not provenance.is_file():
        raise MissingFileError(
            f"{provenance}: not there; `dvc repro dataset` makes it first, by hand it is "
            f"python -m stages.provenance --out {provenance.parent}"
        )
    return json.loads(provenance.read_text(encoding="utf-8"))["watched"]
