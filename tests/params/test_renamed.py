from copy import deepcopy
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.params.file import read_yaml
from pipeline.params.renamed import RENAMED
from pipeline.params.sections import check_all
from tests.shipped import PARAMS

FILE = Path("params.yaml")
SHIPPED = read_yaml(PARAMS)


def section(content: dict, place: str) -> dict:
    for key in place.split(".")[:-1]:
        content = content[key]
    return content


@pytest.mark.parametrize("both", [False, True], ids=["renamed", "old key beside the new one"])
@pytest.mark.parametrize("old", RENAMED)
def test_an_old_key_is_reported_with_its_new_name(old, both):
    """Both are there after `dvc exp run -S +section.old=value`."""
    content = deepcopy(SHIPPED)
    node, key, new = section(content, old), old.rpartition(".")[2], RENAMED[old]
    node[key] = node[new] if both else node.pop(new)
    with pytest.raises(UserError) as error:
        check_all(content, FILE)
    assert str(error.value) == f"params.yaml: {old} is now {new}"


def test_every_old_key_of_a_file_is_in_one_message():
    content = deepcopy(SHIPPED)
    content["pears"] = 1  # unknown keys are for later
    for key in ("masks", "names"):
        content["pairs"][key] = content["pairs"].pop(RENAMED[f"pairs.{key}"])
    with pytest.raises(UserError) as error:
        check_all(content, FILE)
    assert str(error.value) == (
        "params.yaml: pairs.masks is now mask_source; pairs.names is now name_source"
    )
