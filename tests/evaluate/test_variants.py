"""What is compared, each once."""

from pipeline.evaluate.variants import (
    CLIP,
    ENSEMBLE,
    ORACLE_MASKS,
    ORACLE_NAMES,
    SEGMENTER,
    Variant,
    all_variants,
    boundaries_of,
    main_variants,
    thresholds_of,
    weights_of,
)
from tests.evaluate.small_set import SETTINGS

MAIN = [
    Variant(SEGMENTER),
    Variant(ORACLE_NAMES, threshold=0.5),
    Variant(ORACLE_MASKS, "base"),
    Variant(CLIP, "base", 0.5),
    Variant(ENSEMBLE, "base", 0.5, 0.6),
]


def test_the_results_table():
    assert main_variants(["base"], 0.5, 0.6) == MAIN
    assert len(main_variants(["base", "first", "second"], 0.5, 0.6)) == 2 + 3 * 3


def test_the_main_threshold_and_weight_are_of_the_sweep_once():
    assert thresholds_of(SETTINGS) == [0.45, 0.5]
    assert weights_of(SETTINGS) == [0.0, 0.6, 1.0]


def test_everything_is_counted_once():
    found = all_variants(["base"], SETTINGS)
    assert found[:5] == MAIN and len(found) == len(set(found))
    sweep = {Variant(ENSEMBLE, "base", t, w) for t in (0.45, 0.5) for w in (0.0, 0.6, 1.0)}
    assert set(found) == {*MAIN, *sweep}


def test_boundaries_are_counted_where_asked_for():
    assert boundaries_of(MAIN, SETTINGS) == {}
    asked = SETTINGS.model_copy(update={"boundary_iou": True})
    boundaries = boundaries_of(MAIN, asked)
    assert boundaries[MAIN[3]] == Variant(CLIP, "base", 0.5, boundary=True)
    assert set(all_variants(["base"], asked)) >= set(boundaries.values())
    assert len(all_variants(["base"], asked)) == len(all_variants(["base"], SETTINGS)) + 5
