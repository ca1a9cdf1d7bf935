import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.ovseg import result
from pipeline.ovseg.result import Segmentation

RESULT = Segmentation(
    names=("cat", "dog", "sofa"),
    labels=np.array([[0, 0, 2], [2, 2, -1]], dtype=np.int32),
    scores=np.array([0.5, 0.1, 0.9], dtype=np.float32),
    looked_at=(4, 6),
)


def test_areas_and_shares_of_every_name():
    assert [(r.name, r.pixels) for r in RESULT.regions] == [("cat", 2), ("dog", 0), ("sofa", 3)]
    assert RESULT.regions[2].share == pytest.approx(0.5)


def test_the_summary_is_json_largest_first():
    summary = json.loads(json.dumps(RESULT.summary()))
    assert [entry["name"] for entry in summary["classes"]] == ["sofa", "cat", "dog"]
    assert (summary["height"], summary["width"], summary["unnamed_pixels"]) == (2, 3, 1)
    assert summary["looked_at"] == {"height": 4, "width": 6}


def test_a_sentence_says_at_which_size_the_picture_was_looked_at():
    said = "looked at 6 x 4 pixels; the picture has 3 x 2, and so has the label map"
    assert RESULT.resized == said
    assert replace(RESULT, looked_at=(2, 3)).resized is None


def test_areas_are_the_same_counted_in_pieces(monkeypatch):
    monkeypatch.setattr(result, "_COUNTED", 2)
    assert replace(RESULT).regions == RESULT.regions


def test_the_mask_of_a_name():
    assert RESULT.mask("cat").tolist() == [[True, True, False], [False, False, False]]
    with pytest.raises(ValueError, match="cow.*cat, dog, sofa"):
        RESULT.mask("cow")
