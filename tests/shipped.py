"""The parameters as they are shipped. A user's own params.yaml must not decide whether tests pass,
so no test reads it (tests/conftest.py sees to that)."""

from pipeline.params.presets import DEFAULT, FOLDER

PARAMS = FOLDER / f"{DEFAULT}.yaml"
