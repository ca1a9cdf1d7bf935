"""DVC itself, on a project in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path


def dvc(folder: Path, *arguments: str) -> str:
    """What `dvc ...` prints in a copy of the project; its stages run there too."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "OVSEG_WORKERS": "1",
        "OMP_NUM_THREADS": "2",
        "DVC_NO_ANALYTICS": "1",
        "DVC_TEST": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr
