"""Architectures that cannot be are refused by the key that is wrong."""

import pytest
from pydantic import ValidationError

from pipeline.maskformer.config import SegmenterConfig
from tests.segmenter.tiny import config, resnet


def test_impossible_architectures_are_refused():
    with pytest.raises(ValidationError, match="heads = 5 does not divide hidden_dim = 32"):
        config(heads=5)
    with pytest.raises(ValidationError, match="conv_dim"):
        config(conv_dim=40)
    with pytest.raises(ValidationError, match='unknown key "colour"'):
        SegmenterConfig(colour=3)


def test_contradictions_are_named():
    with pytest.raises(ValidationError, match="there are 3 res5 blocks"):
        resnet(depth=50, res5_multi_grid=(1, 2))
    for change in ({"res5_dilation": 2}, {"res5_multi_grid": (1, 2, 4)}, {"groups": 2}):
        with pytest.raises(ValidationError, match="depth = 18 has basic blocks"):
            resnet(depth=18, **change)
    with pytest.raises(ValidationError, match="res4_dilation = 2 it must be 4"):
        resnet(depth=50, res4_dilation=2, res5_dilation=1)


def test_queries_must_form_a_square():
    with pytest.raises(ValidationError, match="queries = 20.*square"):
        config(query_kind="anchored", queries=20)
