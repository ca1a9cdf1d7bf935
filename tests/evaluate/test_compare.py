"""The tables of one pass over a picture: the same in any batch, by every class list."""

from dataclasses import replace

import numpy as np
import torch

from pipeline.evaluate import variants as branch
from pipeline.evaluate.variants import Variant
from tests.evaluate.small_set import (
    SETTINGS,
    outcomes,
    pictures,
)


def test_results_do_not_depend_on_batch_sizes(eval_set, monkeypatch):
    whole = outcomes(eval_set, pictures(eval_set))
    monkeypatch.setattr("pipeline.evaluate.compare.CROP_BATCH", 1)
    singles = [outcomes(eval_set, [p])[0] for p in pictures(eval_set)]
    for together, alone in zip(whole, singles, strict=True):
        assert together.probabilities.keys() == alone.probabilities.keys()
        for variant, probabilities in together.probabilities.items():
            torch.testing.assert_close(
                probabilities, alone.probabilities[variant], atol=1e-5, rtol=0
            )
        torch.testing.assert_close(together.masks, alone.masks, atol=1e-5, rtol=0)


def test_true_masks_get_one_name_each(eval_set):
    picture = pictures(eval_set)[0]
    [found] = outcomes(eval_set, [picture])
    for labels in found.labels.values():
        assert (labels[picture.truths[0] == 255] == -1).all()
        for class_id in (0, 1, 2, 3):
            assert len(np.unique(labels[picture.truths[0] == class_id])) == 1


def test_a_picture_that_is_all_ignored_counts_nothing(eval_set):
    picture = pictures(eval_set)[0]
    blank = replace(picture, truths=(np.full_like(picture.truths[0], 255),))
    [found] = outcomes(eval_set, [blank])
    assert all((labels == -1).all() for labels in found.labels.values())


def test_bfloat16_moves_clips_probabilities_a_little(eval_set, monkeypatch):
    monkeypatch.setattr("pipeline.core.precision.has_bfloat16", lambda device: True)
    batch = pictures(eval_set)[:2]
    half = outcomes(eval_set, batch, settings=SETTINGS.model_copy(update={"bfloat16": True}))
    variant = Variant(branch.ENSEMBLE, "second", 0.5, 1.0)
    for exact, rough in zip(outcomes(eval_set, batch), half, strict=True):
        ours, theirs = exact.probabilities[variant], rough.probabilities[variant]
        assert theirs.dtype == torch.float32
        assert not torch.equal(ours, theirs)
        torch.testing.assert_close(ours, theirs, atol=0.2, rtol=0)
        assert torch.equal(exact.masks, rough.masks)
