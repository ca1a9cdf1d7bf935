import pytest

from pipeline.data.sets import EvalSet
from tests.evaluate.small_set import small_set


@pytest.fixture(scope="module")
def eval_set(tmp_path_factory) -> EvalSet:
    return small_set(tmp_path_factory.mktemp("small"))
