"""What a bare machine with a GPU lacks, put into `.gpu/` to travel beside the checkout.

The wheels have the versions of requirements.lock. Two are compiled, for one version of Python;
the others are pure. Tree, goldens and wheels together stay under the limit of the machine's tool.
"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

LIMIT = 62 * 2**20
PURE = {
    "open_clip_torch": "open_clip", "ftfy": "ftfy", "wcwidth": "wcwidth", "fvcore": "fvcore",
    "iopath": "iopath", "yacs": "yacs", "termcolor": "termcolor", "omegaconf": "omegaconf",
    "antlr4-python3-runtime": "antlr4", "pydantic": "pydantic",
    "annotated-types": "annotated_types", "typing-inspection": "typing_inspection",
    "ruamel.yaml": "ruamel.yaml", "setuptools": "pkg_resources",
}  # fmt: skip
"""Distribution -> what it is imported as. detectron2 needs setuptools' pkg_resources."""
COMPILED = {"pydantic_core": "pydantic_core", "pycocotools": "pycocotools"}
DETECTRON2 = {"sal-detectron2": "detectron2"}
THERE = {
    "torch", "torchvision", "numpy", "scipy", "pillow", "opencv-python-headless", "matplotlib",
    "pyarrow", "safetensors", "timm", "huggingface-hub", "hf-xet", "regex", "tqdm", "rich",
    "pyyaml", "cloudpickle", "tabulate", "portalocker", "packaging", "typing-extensions", "pytest",
    "psutil", "filelock", "fsspec", "jinja2", "networkx", "sympy", "mpmath", "requests", "triton",
}  # fmt: skip
"""What the parts take from the machine itself, a usual installation of torch."""
NEEDED: dict[str, Callable[[str], bool]] = {
    "setuptools": lambda name: name.startswith(("pkg_resources/", "setuptools/_vendor/")),
    "sal_detectron2": lambda name: name.endswith(".py"),
}
"""Of these wheels only some files travel: the rest builds packages, or is compiled for others."""
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 17, 12, 5)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux1_x86_64"]


def missing() -> list[str]:
    """The distributions of `PURE`, `COMPILED` and `DETECTRON2` that this Python cannot import."""
    carried = PURE | COMPILED | DETECTRON2
    return [name for name, module in carried.items() if not _importable(module)]


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package it is in
        return False


def unpack(wheels: list[Path], folder: Path) -> Path:
    """Put wheels into a folder for the path. (A wheel is a zip of what belongs there.)"""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(folder)
    return folder


def prepare(root: Path, carried: Path, python: str) -> int:
    """Fetch the wheels and copy the goldens; tell the sizes; 1 where they are above the limit."""
    shutil.rmtree(carried, ignore_errors=True)
    wheels = carried / "wheels"
    wheels.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    pinned = {name: f"{name}=={version(name)}" for name in PURE | COMPILED | DETECTRON2}
    _run([*pip, "wheel", "--no-deps", "-w", wheels, *(pinned[name] for name in PURE)])
    fetch = [*pip, "download", "--no-deps", "--only-binary=:all:", "-d", wheels]
    fetch += ["--implementation", "cp"]
    platforms = [flag for name in PLATFORMS for flag in ("--platform", name)]
    _run([*fetch, "--python-version", python, *platforms, *(pinned[n] for n in COMPILED)])
    _run([*fetch, "--python-version", "3.10", "--abi", "none", "--platform", "any",
          *(pinned[n] for n in DETECTRON2)])  # fmt: skip
    for name, needed in NEEDED.items():
        [wheel] = wheels.glob(f"{name}-*.whl")
        _keep(wheel, needed)
    goldens = root.parent / "shared/reference"
    if (goldens / "goldens.json").is_file():
        (carried / "goldens").mkdir()
        for file in [*goldens.glob("*.npz"), goldens / "goldens.json"]:
            shutil.copyfile(file, carried / "goldens" / file.name)
    return tell(root, carried)


def _keep(wheel: Path, needed: Callable[[str], bool]) -> None:
    """A wheel with these of its files."""
    smaller = wheel.with_suffix(".part")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            if needed(item.filename):
                new.writestr(item, old.read(item))
    smaller.replace(wheel)


def tell(root: Path, carried: Path) -> int:
    """Print what travels, and how large it is; 1 above the limit."""
    listed = [
        "git",
        "-C",
        str(root),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(listed, capture_output=True, check=True).stdout.decode().split("\0")
    sizes = {"tree": sum((root / n).stat().st_size for n in names if n and (root / n).is_file())}
    for part in ("goldens", "wheels"):
        sizes[part] = sum(f.stat().st_size for f in (carried / part).glob("*"))
    for wheel in sorted((carried / "wheels").glob("*.whl")):
        print(f"  {wheel.stat().st_size / 2**20:5.2f} MiB  {wheel.name}")
    total = sum(sizes.values())
    for part, size in (sizes | {"together": total, "allowed": LIMIT}).items():
        print(f"{part:10}{size / 2**20:6.2f} MiB")
    if not sizes["goldens"]:
        print("no goldens: shared/reference is not there, its part will be skipped")
    if total > LIMIT:
        print(f"error: {(total - LIMIT) / 2**20:.2f} MiB too much: leave goldens out of {carried}")
    return int(total > LIMIT)


def _run(command: list) -> None:
    subprocess.run([str(part) for part in command], check=True)
