"""The golden tensors of the original implementation, wherever `OVSEG_GOLDENS` says they are.

Nothing about a case stands in the tests: they run on whatever the folder describes.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(os.environ.get("OVSEG_GOLDENS", Path(__file__).parents[2] / "shared/reference"))


def describing(*keys: str) -> list:
    """pytest parameters: every (name, description) in goldens.json that has all of `keys`.

    Without the folder, one parameter that skips with the reason.
    """
    index = FOLDER / "goldens.json"
    if not index.is_file():
        why = f"no goldens at {FOLDER}: set OVSEG_GOLDENS to their folder"
        return [pytest.param(None, None, marks=pytest.mark.skip(reason=why), id="no goldens")]
    cases = json.loads(index.read_text(encoding="utf-8"))
    return [
        pytest.param(name, case, id=name)
        for name, case in cases.items()
        if all(key in case for key in keys)
    ]


def description(name: str) -> dict:
    """One entry of goldens.json."""
    return json.loads((FOLDER / "goldens.json").read_text(encoding="utf-8"))[name]


def arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of `<name>.npz`."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)
