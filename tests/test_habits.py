"""What is written in two places says the same: hooks, `make lint`, CI, citation, ranges."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXACT = {"mypy", "ruff"}
"""Another version of these formats otherwise or finds other faults."""


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    lines = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)[1].splitlines()
    return [line.strip().replace("$(BIN)/", ".venv/bin/") for line in lines]


def test_the_hooks_run_what_make_lint_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]  # nothing is downloaded
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == recipe("lint")
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


def test_ci_lints_and_tests():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if re.match("(exec )?make ", line)] == [
        "make lint",
        "make test",
    ]


def test_dependencies_are_ranges_with_a_reason():
    """The lock file has the versions: the Python API must install beside other things."""
    extras = PROJECT["project"]["optional-dependencies"]
    needs = [*PROJECT["project"]["dependencies"], *(n for part in extras.values() for n in part)]
    for need in map(Requirement, needs):
        exact = any(specifier.operator in ("==", "===") for specifier in need.specifier)
        assert exact == (need.name in EXACT), f"{need}: a range, whose pin is in the lock file"
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if re.match(r' +"[\w.-]+[<>=]=?\d.*",', line):
            assert "#" in line, f"{line.strip()} without a reason"


@pytest.mark.parametrize("name", ["py.typed", "params/presets/openmoji.yaml"])
def test_data_is_packaged(name):
    file = ROOT / "pipeline" / name
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    assert file.is_file() and any(file.match(pattern) for pattern in patterns)


def test_the_citation_is_of_this_software_and_of_ovseg():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    [paper] = citation["references"]
    assert paper["title"].startswith("Open-Vocabulary Semantic Segmentation with Mask-adapted")
    assert paper["authors"][0]["family-names"] == "Liang" and paper["year"] == 2023


def test_contributing_names_commands_and_places_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(text.splitlines()) <= 60
    for target in set(re.findall(r"(?m)(?:^|`)make ([\w-]+)", text)):
        assert recipe(target), target
    for place in re.findall(r"`([\w./-]+/[\w.-]*|[\w./-]+\.(?:md|py|yaml|toml|lock))`", text):
        known = subprocess.run(["git", "ls-files", place], cwd=ROOT, capture_output=True, text=True)
        assert known.stdout or place in ("utils.py", "cli.py"), f"{place} is not in the repository"


def test_every_ignored_fault_has_its_code_and_a_reason():
    """The reason stands behind it or in the line above."""
    for file in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]:
        lines = file.read_text(encoding="utf-8").splitlines()
        for above, line in zip(["", *lines], lines, strict=False):
            if "# type: ignore" in line:
                ignored = re.search(r"# type: ignore\[[\w-]+\](?:  # noqa: \w+)?(.*)", line)
                assert ignored, f"{file}: {line.strip()} without a code"
                assert ignored[1] or above.lstrip().startswith("#"), f"{file}: {line.strip()}"
