import pytest

from pipeline.core.records import PairRecord
from pipeline.pairs.measure import PairStatistics

GROUPS = {"dog": "closed", "owl": "never_labelled", "cat": "closed"}


def pair(noun: str, similarity: float, covers: bool | None) -> PairRecord:
    return PairRecord("k", "s", 1, 1, noun, (0, 0, 1, 1), 1, similarity, 0, covers)


@pytest.fixture
def statistics():
    found = PairStatistics(GROUPS)
    for one in [
        pair("dog", 0.21, True), pair("dog", 0.23, False), pair("dog", 0.35, True),
        pair("owl", 0.20, False), pair("joy", 0.11, None),
    ]:  # fmt: skip
        found.add(one)
    return found


def test_hand_worked_metrics(statistics):
    metrics = statistics.metrics()
    assert metrics.pop("similarity_mean") == pytest.approx(0.22)
    assert metrics.pop("precision_closed") == pytest.approx(2 / 3)
    assert metrics == {
        "pairs": 5, "unique_nouns": 3, "judged": 4, "precision": 0.5,
        "judged_closed": 3, "judged_never_labelled": 1, "precision_never_labelled": 0.0,
    }  # fmt: skip


def test_histogram_of_pairs_per_noun_has_no_gaps(statistics):
    for _ in range(8):
        statistics.add(pair("cat", 0.3, None))
    assert statistics.pairs_per_noun() == [
        {"pairs_per_noun": "1", "nouns": 2, "pairs": 2},
        {"pairs_per_noun": "2", "nouns": 0, "pairs": 0},
        {"pairs_per_noun": "3-4", "nouns": 1, "pairs": 3},
        {"pairs_per_noun": "5-8", "nouns": 1, "pairs": 8},
    ]


def test_precision_by_similarity(statistics):
    assert statistics.precision_by_similarity() == [
        {"similarity": 0.11, "pairs": 1, "precision": ""},
        {"similarity": 0.21, "pairs": 2, "precision": 0.5},
        {"similarity": 0.23, "pairs": 1, "precision": 0.0},
        {"similarity": 0.35, "pairs": 1, "precision": 1.0},
    ]


def test_the_commonest_noun_comes_first(statistics):
    assert [row["noun"] for row in statistics.nouns()] == ["dog", "joy", "owl"]
    assert statistics.nouns()[0] == {
        "noun": "dog", "group": "closed", "pairs": 3, "precision": 0.6667, "similarity": 0.2633
    }  # fmt: skip


def test_no_pairs():
    empty = PairStatistics({})
    assert empty.metrics()["pairs"] == 0 and empty.metrics()["precision"] is None
    assert empty.pairs_per_noun() == empty.precision_by_similarity() == empty.nouns() == []
