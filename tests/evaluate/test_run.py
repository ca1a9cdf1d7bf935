from dataclasses import replace

import numpy as np
import pytest

from pipeline.clip.view import RegionView
from pipeline.evaluate import variants as branch
from pipeline.evaluate.confusion import confusion_matrix, empty_confusion
from pipeline.evaluate.run import Evaluation
from pipeline.evaluate.variants import Variant, main_variants, sweep_variants
from pipeline.ovseg import OVSeg
from pipeline.ovseg.predictor import Predictor
from tests.evaluate.small_set import (
    add_faults,
    evaluated,
    pictures,
)
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


@pytest.fixture(scope="module")
def evaluation(eval_set) -> Evaluation:
    [evaluation] = evaluated(eval_set)
    return evaluation


def test_all_variants_are_counted_over_all_labelled_pixels(eval_set, evaluation):
    expected = {
        *main_variants(["base", "second"], 0.5, 0.6),
        *sweep_variants(["base", "second"], (0.45, 0.5), (0.0, 0.6, 1.0)),
    }
    assert set(evaluation.confusions) == expected
    labelled = sum(int((p.truths[0] != 255).sum()) for p in pictures(eval_set))
    assert {int(c.sum()) for c in evaluation.confusions.values()} == {labelled}
    assert (evaluation.images, evaluation.rejects) == (5, [])


@pytest.mark.parametrize(
    ("mode", "variant"),
    [
        ("segmenter", Variant(branch.SEGMENTER)),
        ("clip", Variant(branch.CLIP, "second", 0.5)),
        ("ensemble", Variant(branch.ENSEMBLE, "second", 0.5, 0.6)),
    ],
)
def test_the_one_pass_equals_segmenting_picture_by_picture(eval_set, evaluation, mode, variant):
    model = OVSeg(
        tiny_segmenter(),
        tiny_clip(1, prompt_depth=2),
        weight=0.6,
        view=RegionView(threshold=0.5),
    )
    slow = empty_confusion(5)
    for picture in pictures(eval_set):
        labels = model.segment(picture.image, eval_set.classes, mode).labels
        slow += confusion_matrix(labels, picture.truths[0], 5, 255)
    assert np.abs(evaluation.confusions[variant] - slow).sum() <= 4  # near-ties between kernels


def test_weight_0_is_the_segmenter_alone(evaluation):
    alone = evaluation.confusions[Variant(branch.SEGMENTER)]
    assert (evaluation.confusions[Variant(branch.ENSEMBLE, "base", 0.5, 0.0)] == alone).all()


def test_faulty_pictures_are_left_out_with_a_reason(eval_set, evaluation, tmp_path):
    faulty = add_faults(eval_set)
    [result] = evaluated(faulty)
    assert [(reject.item, reject.reason) for reject in result.rejects] == [
        ("torn.png", "unreadable picture"),
        ("unlabelled-label.png", "unreadable label map"),
        ("too-small-label.png", "size mismatch"),
        ("unknown-label.png", "unknown label"),
    ]
    for variant, confusion in evaluation.confusions.items():
        assert np.abs(result.confusions[variant] - confusion).sum() <= 4


def test_a_set_without_pictures_counts_nothing(eval_set):
    assert evaluated(replace(eval_set, images=[])) == [Evaluation()]


def test_sets_of_the_same_pictures_are_counted_in_one_pass_as_each_alone(eval_set, monkeypatch):
    """The second list has other names, another ignore label and fewer classes; its maps differ."""
    other = replace(
        eval_set, name="other", classes=["sky", "sea", *eval_set.classes[2:4]], ignore_label=254,
        label_map={0: 1, 1: 0, 2: 2, 3: 3},
    )  # fmt: skip
    alone = [evaluated(each)[0] for each in (eval_set, other)]
    looked = []
    run = Predictor.predict
    monkeypatch.setattr(
        Predictor, "predict", lambda self, images: looked.extend(images) or run(self, images)
    )
    together = evaluated(eval_set, other)
    assert len(looked) == len(eval_set.images)
    for ours, expected in zip(together, alone, strict=True):
        assert ours.images == expected.images
        assert ours.confusions.keys() == expected.confusions.keys()
        for variant, confusion in expected.confusions.items():
            assert np.abs(ours.confusions[variant] - confusion).sum() <= 4, variant


def test_a_map_that_fits_one_list_only_is_a_reject_of_the_other(eval_set):
    few = replace(eval_set, name="few", classes=eval_set.classes[:2])
    whole, part = evaluated(eval_set, few)
    assert (whole.images, whole.rejects) == (5, [])
    assert {reject.reason for reject in part.rejects} == {"unknown label"}
    assert part.images == 5 - len(part.rejects)
