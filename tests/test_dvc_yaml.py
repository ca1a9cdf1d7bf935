"""dvc.yaml keeps its promises: every stage can be read, rerun alone and trusted."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core import fingerprint
from pipeline.core.fingerprint import code_of
from pipeline.params.presets import DEFAULT, params_of
from pipeline.params.sections import Params
from pipeline.provenance import collect as provenance
from tests import shipped

ROOT = Path(__file__).resolve().parents[1]
DAG = yaml.safe_load((ROOT / "dvc.yaml").read_text())
RAW = DAG["stages"]
PARAMS = yaml.safe_load(shipped.PARAMS.read_text())


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
    deps, outs = paths(stage.get("deps", [])), paths(stage["outs"])
    data = [dep for dep in deps if dep.startswith("data/") and "provenance" not in dep]
    metrics = paths(stage.get("metrics", []))
    words = set(stage["cmd"].split())
    for path in (*data, *outs, *metrics):
        folders = {str(folder) for folder in Path(path).parents} if path in outs else set()
        assert words & {path, *folders}, f"{path} does not show in the command line"
    for dep in deps:
        assert dep.startswith("data/") or (ROOT / dep).exists(), dep
    if not stage.get("frozen") and not stage.get("always_changed"):
        assert metrics, "every stage counts something"


def test_the_models_are_named_as_artifacts():
    made = {out for stage in STAGES.values() for out in paths(stage["outs"])}
    artifacts = DAG["artifacts"]
    assert {a["path"] for a in artifacts.values()} == {"data/segmenter", "data/finetune/second"}
    assert all(a["path"] in made and a["type"] == "model" for a in artifacts.values())


def test_every_stage_depends_on_its_code_through_its_provenance():
    """No code, library or word list is listed by hand, so none can be forgotten."""
    assert STAGES["provenance"]["always_changed"] and "deps" not in STAGES["provenance"]
    found = set()
    for name, stage in STAGES.items():
        if name == "provenance":
            continue
        own = f"data/provenance/{name.partition('@')[0]}.json"
        deps = paths(stage["deps"])
        assert [dep for dep in deps if "provenance" in dep] == [own], name
        assert not [dep for dep in deps if dep.endswith(".py")], name
        file = provenance.FILES.get(name, name.partition("@")[0])
        assert re.search(r"stages\.(\w+)", stage["cmd"])[1] == file
        found.add(name.partition("@")[0])
    assert found == set(provenance.STAGES)


def test_every_library_is_said_to_decide_results_or_not_to():
    files = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]
    used = {package for file in files for package in fingerprint._imports(file)[1]}
    outside = used - set(sys.stdlib_module_names)
    unknown = outside - set(fingerprint.LIBRARIES) - fingerprint.NEUTRAL_LIBRARIES
    assert not unknown, "add them to LIBRARIES or NEUTRAL_LIBRARIES in pipeline/core/fingerprint.py"
    assert not set(fingerprint.LIBRARIES) & fingerprint.NEUTRAL_LIBRARIES
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")
    for distribution in {d for group in fingerprint.LIBRARIES.values() for d in group}:
        if distribution not in ("detectron2", "sal-detectron2"):  # see .ci/install_detectron2.py
            assert re.search(rf"^{distribution.lower().replace('_', '-')}==", locked, re.M)
    releases = fingerprint.libraries(code_of(ROOT / "stages/segmenter.py"))
    assert {"torch", "numpy"} < set(releases) and {"detectron2", "sal-detectron2"} & set(releases)


def test_neutral_modules_are_there():
    for name in fingerprint.NEUTRAL:
        place = ROOT / "pipeline" / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name


@pytest.mark.parametrize("name", provenance.STAGES)
def test_a_stage_loads_the_parameters_that_dvc_watches(name):
    """One more section read, and not listed in dvc.yaml, would leave a stale result."""
    file = ROOT / "stages" / f"{provenance.FILES.get(name, name)}.py"
    read = re.findall(r'load_params\(params, f?"([\w.]+)', file.read_text())
    assert read
    for each, stage in STAGES.items():
        if each.partition("@")[0] != name:
            continue
        for section in read:
            if section.startswith("pretrain_") and section != name:
                continue  # of its frozen twin
            if section == "finetune.":  # the step is an argument
                section += each.partition("@")[2]
            listed = stage["params"]
            if name == "pretrain_segmenter":
                listed = [*listed, "segmenter"]  # its training's lengths are replaced
            if section == "evaluate":  # of all sets it takes its own
                assert listed == ["evaluate.common", f"evaluate.sets.{each.partition('@')[2]}"]
                continue
            assert any(f"{section}.".startswith(f"{key}.") for key in listed), section


def test_no_value_comes_from_a_neutral_module():
    """A constant there would decide results and not count; functions only carry values."""
    taken = set()
    for file in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("pipeline."):
                inside = list(file.relative_to(ROOT).with_suffix("").parts[1:])
                from_neutral = fingerprint._is_neutral(node.module.split(".")[1:])
                if from_neutral and not fingerprint._is_neutral(inside):
                    taken |= {alias.name for alias in node.names if alias.name.isupper()}
    assert taken <= {"LAUNCHER", "RERUN", "ROOT", "STORAGE_ERRORS"}  # names and messages


SHARDED = {
    "proposals": "pipeline/proposals/collect.py", "nouns": "pipeline/nouns/collect.py",
    "pairs": "pipeline/pairs/collect.py", "evaluate@world-open": "pipeline/evaluate/count.py",
}  # fmt: skip
"""Whose code decides whether shards of an earlier run are kept."""


@pytest.mark.parametrize("name", SHARDED)
def test_shards_are_stale_whenever_dvc_says_that_their_code_changed(name):
    """A module that a stage runs, but its shards' fingerprint overlooks, would leave stale shards
    that DVC records as the new code's result."""
    stage = ROOT / re.search(r"stages\.(\w+)", STAGES[name]["cmd"])[0].replace(".", "/")
    files = code_of(ROOT / SHARDED[name])
    assert len(files) > 5
    left = {str(f.relative_to(ROOT)) for f in code_of(stage.with_suffix(".py")) - files}
    own = {f for f in left if f.startswith("pipeline/") and not f.endswith("/__init__.py")}
    assert own <= AFTER


AFTER = {
    f"pipeline/{path}.py" for path in (
        "evaluate/report", "evaluate/sheets", "evaluate/metrics", "viz/panel",
        "viz/overlay", "viz/lettering",
    )
}  # fmt: skip
"""What is done again with the shards' counts at every run: tables and drawings."""


@pytest.mark.parametrize("name", STAGES)
def test_params_are_narrow_and_exist(name):
    for key in STAGES[name].get("params", []):
        value = PARAMS
        for part in key.split("."):
            assert part in value, f"{key} is not in params.yaml"
            value = value[part]
    own = name.partition("@")[0]
    sections = {key.split(".")[0] for key in STAGES[name].get("params", [])}
    assert own == "provenance" or (own in sections and sections <= {own, "segmenter", "pairs"})


def test_every_data_dependency_is_made_by_a_stage():
    made = {out for stage in STAGES.values() for out in paths(stage["outs"])}
    for name, stage in STAGES.items():
        for dep in paths(stage.get("deps", [])):
            made_there = dep in made or str(Path(dep).parent) in made
            assert not dep.startswith("data/") or made_there, f"{name}: {dep}"


def test_what_a_run_makes_is_not_in_git():
    """It differs between processors: a run must not leave tracked files changed."""
    tracked = ["provenance", *(f"metrics/{name}.json" for name in ("pairs", "segmenter"))]
    for path in ("data/dataset", *(f"data/{name}" for name in tracked), "data/evaluate/x/a.csv"):
        done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT)
        assert done.returncode == 0, path
    for stage in STAGES.values():
        for entry in (*stage.get("metrics", []), *stage.get("plots", []), *stage["outs"]):
            if not stage.get("frozen") and isinstance(entry, dict):
                assert "cache" not in entry[next(iter(entry))]


def test_every_params_section_has_a_stage_and_comments():
    own = {name.partition("@")[0] for name in STAGES} - {"provenance"}  # it reads names of files
    assert set(PARAMS) == own == set(Params.model_fields)
    for number, line in enumerate(params_of(DEFAULT).splitlines(), start=1):
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
