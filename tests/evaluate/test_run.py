from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.data.images import read_image
from pipeline.data.sets import EvalSet, read_label
from pipeline.evaluate import variants as branch
from pipeline.evaluate.confusion import confusion_matrix, empty_confusion
from pipeline.evaluate.look import Looker, Picture
from pipeline.evaluate.run import Evaluation, evaluate
from pipeline.evaluate.settings import EvaluationSettings
from pipeline.evaluate.variants import Variant, main_variants, sweep_variants
from pipeline.ovseg import OVSeg
from pipeline.ovseg.clip_branch import RegionStyle
from tests.evaluate.small_set import add_faults, small_set
from tests.ovseg.tiny import tiny_clip, tiny_segmenter

SETTINGS = EvaluationSettings(
    ensemble_weight=0.6, mask_threshold=0.5, sweep_weights=(0.0, 0.6, 1.0), sweep_thresholds=(0.45,)
)


def looker(eval_set: EvalSet, settings: EvaluationSettings = SETTINGS) -> Looker:
    clips = {"base": tiny_clip(0), "second": tiny_clip(1, prompt_depth=2)}
    segmenter, names = tiny_segmenter(), eval_set.classes
    return Looker(segmenter, clips["base"], clips, names, eval_set.ignore_label, settings)


@pytest.fixture(scope="module")
def eval_set(tmp_path_factory) -> EvalSet:
    return small_set(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def evaluation(eval_set) -> Evaluation:
    return evaluate(looker(eval_set), eval_set)


def pictures(eval_set: EvalSet) -> list[Picture]:
    return [
        Picture(
            entry.image_id,
            read_image(eval_set.root / entry.path),
            read_label(eval_set.root / entry.label_path),
        )
        for entry in eval_set.images
    ]


def test_all_variants_are_counted_over_all_labelled_pixels(eval_set, evaluation):
    expected = {
        *main_variants(["base", "second"], 0.5, 0.6),
        *sweep_variants(["base", "second"], (0.45, 0.5), (0.0, 0.6, 1.0)),
    }
    assert set(evaluation.confusions) == expected
    labelled = sum(int((p.truth != 255).sum()) for p in pictures(eval_set))
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
        style=RegionStyle(threshold=0.5),
    )
    slow = empty_confusion(5)
    for picture in pictures(eval_set):
        labels = model.segment(picture.image, eval_set.classes, mode).labels
        slow += confusion_matrix(labels, picture.truth, 5, 255)
    assert np.abs(evaluation.confusions[variant] - slow).sum() <= 4  # near-ties between kernels


def test_weight_0_is_the_segmenter_alone(evaluation):
    alone = evaluation.confusions[Variant(branch.SEGMENTER)]
    assert (evaluation.confusions[Variant(branch.ENSEMBLE, "base", 0.5, 0.0)] == alone).all()


def test_results_do_not_depend_on_batch_sizes(eval_set):
    one = replace(SETTINGS, image_batch=1, crop_batch=1)
    views = looker(eval_set)(pictures(eval_set))
    singles = [looker(eval_set, one)([p])[0] for p in pictures(eval_set)]
    for together, alone in zip(views, singles, strict=True):
        assert together.probabilities.keys() == alone.probabilities.keys()
        for variant, probabilities in together.probabilities.items():
            torch.testing.assert_close(
                probabilities, alone.probabilities[variant], atol=1e-5, rtol=0
            )
        torch.testing.assert_close(together.masks, alone.masks, atol=1e-5, rtol=0)


def test_true_masks_get_one_name_each(eval_set):
    picture = pictures(eval_set)[0]
    [view] = looker(eval_set)([picture])
    for labels in view.labels.values():
        assert (labels[picture.truth == 255] == -1).all()
        for class_id in (0, 1, 2, 3):
            assert len(np.unique(labels[picture.truth == class_id])) == 1


def test_faulty_pictures_are_left_out_with_a_reason(eval_set, evaluation, tmp_path):
    faulty = add_faults(eval_set)
    result = evaluate(looker(faulty), faulty)
    assert [(reject.item, reject.reason) for reject in result.rejects] == [
        ("torn.png", "unreadable picture"),
        ("unlabelled-label.png", "unreadable label map"),
        ("too-small-label.png", "size mismatch"),
        ("unknown-label.png", "unknown label"),
    ]
    for variant, confusion in evaluation.confusions.items():
        assert np.abs(result.confusions[variant] - confusion).sum() <= 4


def test_a_set_without_pictures_counts_nothing(eval_set):
    assert evaluate(looker(eval_set), replace(eval_set, images=[])) == Evaluation()


def test_a_picture_that_is_all_ignored_counts_nothing(eval_set):
    picture = pictures(eval_set)[0]
    blank = replace(picture, truth=np.full_like(picture.truth, 255))
    [view] = looker(eval_set)([blank])
    assert all((labels == -1).all() for labels in view.labels.values())


def test_bfloat16_moves_clips_probabilities_a_little(eval_set, monkeypatch):
    monkeypatch.setattr("pipeline.evaluate.look.has_bfloat16", lambda device: True)
    batch = pictures(eval_set)[:2]
    half = looker(eval_set, replace(SETTINGS, bfloat16=True))
    variant = Variant(branch.ENSEMBLE, "second", 0.5, 1.0)
    for exact, rough in zip(looker(eval_set)(batch), half(batch), strict=True):
        ours, theirs = exact.probabilities[variant], rough.probabilities[variant]
        assert theirs.dtype == torch.float32
        assert not torch.equal(ours, theirs)
        torch.testing.assert_close(ours, theirs, atol=0.2, rtol=0)
        assert torch.equal(exact.masks, rough.masks)
