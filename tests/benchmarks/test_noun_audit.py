"""The count of errors among the nouns that a person read."""

import pytest

from tests.benchmarks.noun_audit import errors, sample, stamp

KEPT = {(1, "cat"), (1, "metal"), (2, "way")}


def test_errors_are_counted_by_kind_while_they_hold():
    rows = [(1, "metal", "describes"), (2, "way", "non-visual"), (2, "sit", "mis-tagged")]
    assert errors(KEPT, rows) == {"describes": 1, "non-visual": 1}


def test_a_missed_noun_counts_until_it_is_found():
    assert errors(KEPT, [(1, "cat", "missed"), (2, "cat", "missed")]) == {"missed": 1}


def test_no_rows_are_no_errors():
    assert errors(KEPT, []) == {}


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'odd' is no kind of error; known: non-visual"):
        errors(KEPT, [(1, "cat", "odd")])


def test_a_sample_is_the_same_each_time_and_so_is_its_stamp():
    captions = {number: f"caption {number}" for number in range(1000)}
    assert sample(captions, 3) == sample(captions, 3) != sample(captions, 4)
    assert stamp(KEPT) == stamp(set(sorted(KEPT))) != stamp(KEPT | {(3, "dog")})
