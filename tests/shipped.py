"""The parameters as they are shipped. A user's own params.yaml must not decide whether tests pass,
so no test reads it (tests/conftest.py sees to that)."""

from typing import Any

from pipeline.params.presets import DEFAULT, FOLDER
from pipeline.params.sections import load_params

PARAMS = FOLDER / f"{DEFAULT}.yaml"
"""The values alone; params.yaml as it is shipped, with its comments, is `params_of(DEFAULT)`."""


def section(name: str, **changes: Any) -> Any:
    """A section of the shipped parameters, as "pairs" or "finetune.first", with some replaced."""
    return load_params(PARAMS, name).model_copy(update=changes)


RULES = section("nouns")
"""All rules for nouns."""
