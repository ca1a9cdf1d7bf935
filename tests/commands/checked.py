"""`ovseg check` of data with faults."""

import pytest

from pipeline.commands.check import check


def checked(capsys, **of) -> str:
    """What is printed of data with faults."""
    with pytest.raises(SystemExit, match="1"):
        check(**of)
    return capsys.readouterr().out
