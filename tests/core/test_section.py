"""Sections take known keys and values of the right kind only."""

import pytest
from pydantic import ValidationError

from pipeline.core.errors import UserError
from pipeline.core.section import Count, Rate, Section, need


class Tea(Section):
    cups: Count
    """at least 1"""
    sugar: Rate = 0.5


def test_what_is_right_is_kept_and_cannot_be_changed():
    tea = Tea(cups=2)
    assert (tea.cups, tea.sugar) == (2, 0.5)
    assert Tea.model_fields["cups"].description == "at least 1"  # the comment in params.yaml
    with pytest.raises(ValidationError, match="frozen"):
        tea.cups = 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"cups": "2"}, {"cups": 2.0}, {"cups": 0}, {"cups": 10**8}, {"cups": 2, "milk": 1}, {},
        {"cups": 2, "sugar": float("nan")}, {"cups": 2, "sugar": float("inf")},
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(wrong):
    with pytest.raises(ValidationError):
        Tea(**wrong)


def test_a_key_that_is_null_though_it_is_needed_is_named():
    need("root", "/data", "dataset.source is own")
    with pytest.raises(UserError, match="root = null: must be given when dataset.source is own"):
        need("root", None, "dataset.source is own")
