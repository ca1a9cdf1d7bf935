"""dvc.yaml keeps its promises: every stage can be read, rerun alone and trusted."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from pipeline.params import Params

ROOT = Path(__file__).resolve().parents[1]
DAG = yaml.safe_load((ROOT / "dvc.yaml").read_text())
RAW = DAG["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def expand() -> dict[str, dict]:
    """The stages with their foreach templates filled in, as DVC names them."""
    stages = {}
    for name, stage in RAW.items():
        if "foreach" not in stage:
            stages[name] = stage
            continue
        items = stage["foreach"]
        if isinstance(items, str):
            section, key = re.fullmatch(r"\$\{(\w+)\.(\w+)\}", items).groups()
            items = PARAMS[section][key]
        if isinstance(items, list):  # the default watches nothing
            for item in items or ["own"]:
                text = yaml.safe_dump(stage["do"]).replace("${item}", item)
                stages[f"{name}@{item}"] = yaml.safe_load(text)
            continue
        for key, item in items.items():
            text = yaml.safe_dump(stage["do"]).replace("${key}", key)
            for field, value in (item or {}).items():
                text = text.replace(f"${{item.{field}}}", str(value))
            stages[f"{name}@{key}"] = yaml.safe_load(text)
    return stages


STAGES = expand()


def paths(entries: list) -> list[str]:
    return [next(iter(e)) if isinstance(e, dict) else e for e in entries]


@pytest.mark.parametrize("name", STAGES)
def test_stage(name):
    stage = STAGES[name]
    module = re.match(r"python -m stages\.(\w+) ", stage["cmd"])
    assert module, stage["cmd"]
    assert len(stage["desc"]) > 20
    deps, outs = paths(stage["deps"]), paths(stage["outs"])
    assert f"stages/{module[1]}.py" in deps
    assert any(dep.startswith("pipeline/") for dep in deps), "its code package is a dependency"
    data = [dep for dep in deps if dep.startswith("data/")]
    metrics = paths(stage.get("metrics", []))
    words = set(stage["cmd"].split())
    for path in (*data, *outs, *metrics):
        folders = {str(folder) for folder in Path(path).parents} if path in outs else set()
        assert words & {path, *folders}, f"{path} does not show in the command line"
    for dep in deps:
        assert dep.startswith("data/") or (ROOT / dep).exists(), dep
    if not stage.get("frozen") and not stage.get("always_changed"):
        assert metrics, "every stage counts something"


PLUMBING = {
    "atomic", "cluster", "fingerprint", "lookup", "modes", "param_errors", "params", "params_file",
    "progress", "records", "runtime", "shards", "stage", "summary",
}  # fmt: skip
"""Modules of pipeline/ that decide how things are read, run and written, not what comes out."""


@cache
def imports(file: Path) -> frozenset[Path]:
    """The project's files that one file imports, PLUMBING left out; a package is its __init__."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            place = ROOT / name.replace(".", "/")
            if top == "pipeline" and rest not in PLUMBING:
                found |= {
                    f for f in (place.with_suffix(".py"), place / "__init__.py") if f.exists()
                }
    return frozenset(found)


@pytest.mark.parametrize("name", [n for n, stage in STAGES.items() if not stage.get("frozen")])
def test_all_code_that_decides_a_result_is_a_dependency(name):
    """Else a change there would leave a stale result in the cache."""
    deps = [ROOT / dep for dep in paths(STAGES[name]["deps"])]
    start = ROOT / re.search(r"stages\.(\w+)", STAGES[name]["cmd"])[0].replace(".", "/")
    waiting, seen = [start.with_suffix(".py")], set()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += imports(file)
    forgotten = {
        str(file.relative_to(ROOT))
        for file in seen
        if not any(file == dep or dep in file.parents for dep in deps)
    }
    assert not {path for path in forgotten if not path.endswith("__init__.py")}


@pytest.mark.parametrize("name", STAGES)
def test_params_are_narrow_and_exist(name):
    for key in STAGES[name]["params"]:
        value = PARAMS
        for part in key.split("."):
            assert part in value, f"{key} is not in params.yaml"
            value = value[part]
    own = name.partition("@")[0].replace("watch", "dataset")
    sections = {key.split(".")[0] for key in STAGES[name]["params"]}
    assert own in sections and sections <= {own, "segmenter"}


def test_every_data_dependency_is_made_by_a_stage():
    made = {out for stage in STAGES.values() for out in paths(stage["outs"])}
    made |= {str(Path(out).parent) for out in made}  # DVC follows a folder to what is made in it
    for name, stage in STAGES.items():
        for dep in paths(stage["deps"]):
            assert not dep.startswith("data/") or dep in made, f"{name}: {dep}"


def test_metrics_are_kept_in_git():
    for stage in STAGES.values():
        for entry in stage.get("metrics", []):
            assert entry[next(iter(entry))] == {"cache": False}


def test_every_params_section_has_a_stage_and_comments():
    own = {name.partition("@")[0] for name in STAGES} - {"watch"}  # it reads section dataset
    assert set(PARAMS) == own == set(Params.model_fields)
    for number, line in enumerate((ROOT / "params.yaml").read_text().splitlines(), start=1):
        leaf = re.match(r"\s+[\w-]+: .*\S", line)
        if leaf and not line.strip().endswith("{}"):
            assert "#" in line, f"params.yaml:{number} explains nothing: {line}"


def test_every_plot_is_drawn_from_what_a_stage_leaves():
    outs = {out for stage in STAGES.values() for out in paths(stage["outs"])}
    for entry in DAG["plots"]:
        [(name, how)] = entry.items()
        for file in how["y"] if isinstance(how["y"], dict) else [name]:
            assert any(file.startswith(f"{out}/") for out in outs), file
    for name, stage in STAGES.items():
        for entry in stage.get("plots", []):
            [(path, how)] = entry.items()
            assert str(Path(path).parent) in stage["cmd"].split(), path
            assert {"title", "x", "y", "template"} <= how.keys(), f"{name}: {path}"
