"""How `make install` brings detectron2: an environment that `pip check` finds whole."""

import base64
import hashlib
import importlib.metadata
import importlib.util
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci/install_detectron2.py"
INFO = "sal_detectron2-0.7.2.dist-info"
METADATA = """Metadata-Version: 2.1
Name: sal-detectron2
Version: 0.7.2
Requires-Python: >=3.8
Requires-Dist: numpy<2
Requires-Dist: black
Provides-Extra: dev
Requires-Dist: black==23.3.0; extra == "dev"

Version: of the description
"""


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("install_detectron2", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.called = []
    monkeypatch.setattr(module, "_pip", lambda *arguments: module.called.append(arguments))
    return module


@pytest.fixture
def wheel(tmp_path) -> Path:
    path = tmp_path / "sal_detectron2-0.7.2-cp310-none-any.whl"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("detectron2/__init__.py", "x = 1\n")
        out.writestr("detectron2/_C.cpython-310-x86_64-linux-gnu.so", b"for 3.10 alone")
        out.writestr(f"{INFO}/METADATA", METADATA)
        out.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nTag: cp310-cp310-linux_x86_64\n")
        out.writestr(f"{INFO}/RECORD", "")
    return path


def test_the_wheel_says_what_it_needs_here(script, wheel):
    with zipfile.ZipFile(script.repack(wheel)) as made:
        assert made.filename.endswith("sal_detectron2-0.7.2+ovseg-py3-none-any.whl")
        content = {name: made.read(name) for name in made.namelist()}
    info = "sal_detectron2-0.7.2+ovseg.dist-info"
    names = ["METADATA", "WHEEL", "RECORD"]
    assert set(content) == {"detectron2/__init__.py", *(f"{info}/{name}" for name in names)}
    lines = content[f"{info}/METADATA"].decode().splitlines()
    assert [line for line in lines if "Version: " in line] == [
        "Metadata-Version: 2.1", "Version: 0.7.2+ovseg", "Version: of the description",
    ]  # fmt: skip
    needs = [line.removeprefix("Requires-Dist: ") for line in lines if "Requires-Dist" in line]
    assert needs == list(script.NEEDS) and not any("black" in line for line in lines)
    assert b"cp310" not in content[f"{info}/WHEEL"]
    for line in content[f"{info}/RECORD"].decode().splitlines()[:-1]:
        path, digest, size = line.split(",")
        assert len(content[path]) == int(size)
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(content[path]).digest()).decode()
        assert digest == f"sha256={sha256.rstrip('=')}"


def locked() -> dict[str, str]:
    """Versions in requirements.lock, by normalised name."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def assert_locked(needs: list[str]) -> None:
    """Every need that is in the lock file is met by it."""
    lock = locked()
    for need in map(Requirement, needs):
        version = lock.get(canonicalize_name(need.name))
        if version and (need.marker is None or need.marker.evaluate({"extra": ""})):
            assert need.specifier.contains(version), f"{need}, but {version} is locked"


def test_what_we_need_is_locked(script):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = [*project["dependencies"], *project["optional-dependencies"]["dev"], *script.NEEDS]
    assert {canonicalize_name(Requirement(need).name) for need in ours} <= set(locked())
    assert_locked(ours)


@pytest.mark.parametrize("package", ("gradio", "gradio_client", "ray"))
def test_installing_an_extra_changes_nothing_that_is_locked(package):
    """Else `make install` after `pip install -e .[demo]` would break the demo again."""
    try:
        needs = importlib.metadata.requires(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"no {package} here")
    assert_locked(needs)


@pytest.mark.parametrize(
    ("installed", "importable", "steps"),
    (
        (None, False, ["download"]),
        (None, True, []),  # an official build
        ("0.7.2", True, ["download"]),  # as the Makefile installed it before
        ("0.7.2+ovseg", True, []),
    ),
)
def test_only_what_is_missing_is_installed(script, monkeypatch, installed, importable, steps):
    monkeypatch.setattr(script, "_version", lambda: installed)
    monkeypatch.setattr(script, "find_spec", lambda name: importable or None)
    if steps:
        with pytest.raises(ValueError, match="not enough values"):  # nothing was downloaded
            script.main()
    else:
        script.main()
    assert [arguments[0] for arguments in script.called] == steps
