"""Install detectron2 into the environment of the Python that runs this, unless it has one.

    .venv/bin/python .ci/install_detectron2.py

No index carries an official build. `sal-detectron2` 0.7.2 is official commit a59f0563 with three
trivial edits, but its wheel says that it is for CPython 3.10 and needs numpy below 2, black and
tensorboard. Here none of this is so: its Python runs on newer ones and with numpy 2, its compiled
module and what imports the other two are not used. Installed as it is, pip would call the
environment broken at every later installation. So the wheel is downloaded, checked against its hash
and installed as 0.7.2+ovseg, without the compiled module and with the needs that it has here. A
build of your own that is already there is left alone.
"""

import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

NAME, ORIGINAL, OURS = "sal-detectron2", "0.7.2", "0.7.2+ovseg"
SHA256 = "491af0c7f79bdb2d178e46f6cb16a97c4ac968d45c41ea3f6b6435d59bbee561"
TAGS = ("--python-version=3.10", "--implementation=cp", "--abi=none", "--platform=any")
NEEDS = (
    "Pillow>=7.1", "cloudpickle", "fvcore<0.1.6,>=0.1.5", "hydra-core>=1.1",
    "iopath<0.1.10,>=0.1.7", "matplotlib", "numpy", "omegaconf<2.4,>=2.1",
    "opencv-python-headless", "packaging",
    "pycocotools>=2.0.2", "setuptools<81", "tabulate", "termcolor>=1.1", "torch", "torchvision",
    "tqdm>4.29.0", "yacs>=0.1.8",
)  # fmt: skip
"""What the official setup.py asks for and what is imported besides; setuptools 81 has no more
pkg_resources."""


def main() -> None:
    installed = _version()
    if installed == OURS:
        return
    if installed is None and find_spec("detectron2") is not None:
        print("detectron2: the build that is here stays")
        return
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder) / "requirement.txt"
        requirement.write_text(f"{NAME}=={ORIGINAL} --hash=sha256:{SHA256}\n")
        where = ("--dest", folder, "--requirement", str(requirement))
        _pip("download", "--no-deps", "--require-hashes", "--only-binary=:all:", *TAGS, *where)
        [wheel] = Path(folder).glob("*.whl")
        _pip("install", "--no-deps", str(repack(wheel)))


def repack(wheel: Path) -> Path:
    """Write the wheel anew beside the old one: our version and needs, Python alone."""
    name = NAME.replace("-", "_")
    old, new = f"{name}-{ORIGINAL}.dist-info/", f"{name}-{OURS}.dist-info/"
    target = wheel.with_name(f"{name}-{OURS}-py3-none-any.whl")
    record = []
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w") as out:
        for path in source.namelist():
            if path.endswith(("/", ".so")) or path == f"{old}RECORD":
                continue
            content = source.read(path)
            if path == f"{old}METADATA":
                content = _metadata(content.decode()).encode()
            elif path == f"{old}WHEEL":
                content = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            path = path.replace(old, new)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{path},sha256={digest.decode()},{len(content)}\n")
            out.writestr(path, content)
        out.writestr(f"{new}RECORD", "".join([*record, f"{new}RECORD,,\n"]))
    return target


def _metadata(text: str) -> str:
    """METADATA with our version and requirements in place of the wheel's; the rest stays."""
    head, gap, description = text.partition("\n\n")
    kept = [
        line for line in head.splitlines()
        if not line.startswith(("Version:", "Requires-Dist:", "Provides-Extra:"))
    ]  # fmt: skip
    ours = [f"Version: {OURS}", *(f"Requires-Dist: {need}" for need in NEEDS)]
    return "\n".join([*kept, *ours]) + (gap or "\n") + description


def _version() -> str | None:
    try:
        return version(NAME)
    except PackageNotFoundError:
        return None


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
