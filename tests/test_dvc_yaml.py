"""dvc.yaml keeps its promises: every stage can be read, rerun alone and trusted."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.fingerprint import code_of
from pipeline.params import Params
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


@pytest.mark.parametrize("name", [n for n, stage in STAGES.items() if not stage.get("frozen")])
def test_all_code_that_decides_a_result_is_a_dependency(name):
    """Else a change there would leave a stale result in the cache."""
    deps = [ROOT / dep for dep in paths(STAGES[name]["deps"])]
    start = ROOT / re.search(r"stages\.(\w+)", STAGES[name]["cmd"])[0].replace(".", "/")
    forgotten = {
        str(file.relative_to(ROOT))
        for file in code_of(start.with_suffix(".py"))
        if not any(file == dep or dep in file.parents for dep in deps)
    }
    assert not {path for path in forgotten if path.count("/") == 1 or "__init__" not in path}


SHARDED = {
    "proposals": "pipeline/proposals.py", "nouns": "pipeline/text/collect.py",
    "pairs": "pipeline/pairs/collect.py", "evaluate@world-open": "pipeline/evaluation/count.py",
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
    assert own <= ABOVE | AFTER


AFTER = {
    f"pipeline/{path}.py" for path in (
        "evaluation/report", "evaluation/sheets", "evaluation/metrics", "ovseg/panel",
        "ovseg/overlay", "ovseg/lettering",
    )
}  # fmt: skip
"""What is done anew with the shards' counts at every run: tables and drawings."""
ABOVE = {
    "pipeline/clip/templates.py", "pipeline/data/classes.py", "pipeline/segmenter/config.py",
    "pipeline/segmenter/store.py",
}  # fmt: skip
"""What a stage reads its parameters with: their values are in the fingerprint."""


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
    for number, line in enumerate(shipped.PARAMS.read_text().splitlines(), start=1):
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
