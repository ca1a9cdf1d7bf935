import pytest

from tests.pairs.inputs import make_inputs


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return make_inputs(tmp_path_factory.mktemp("inputs"))
