from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.clip.view import RegionView
from pipeline.data.images import read_image
from pipeline.data.sets import EvalSet, read_label
from pipeline.evaluate import variants as branch
from pipeline.evaluate.compare import Comparison, LabelledPicture, Outcomes
from pipeline.evaluate.confusion import confusion_matrix, empty_confusion
from pipeline.evaluate.params import EvaluateCommon
from pipeline.evaluate.run import Evaluation, evaluate
from pipeline.evaluate.variants import Variant, main_variants, sweep_variants
from pipeline.ovseg import OVSeg
from pipeline.ovseg.predictor import Predictor
from tests.evaluate.small_set import add_faults, small_set
from tests.ovseg.tiny import tiny_clip, tiny_segmenter
from tests.shipped import section

SETTINGS = section(
    "evaluate.common",
    ensemble_weight=0.6,
    mask_threshold=0.5,
    sweep_weights=(0.0, 0.6, 1.0),
    sweep_thresholds=(0.45,),
)


def comparison(*sets: EvalSet, settings: EvaluateCommon = SETTINGS) -> Comparison:
    clips = {"base": tiny_clip(0), "second": tiny_clip(1, prompt_depth=2)}
    return Comparison(tiny_segmenter(), clips, sets, settings)


def evaluated(*sets: EvalSet, settings: EvaluateCommon = SETTINGS) -> list[Evaluation]:
    entries = list(zip(*(eval_set.images for eval_set in sets), strict=True))
    return evaluate(comparison(*sets, settings=settings), entries)


def outcomes(eval_set: EvalSet, pictures: list[LabelledPicture], **options) -> list[Outcomes]:
    return [found for [found] in comparison(eval_set, **options)(pictures)]


@pytest.fixture(scope="module")
def eval_set(tmp_path_factory) -> EvalSet:
    return small_set(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def evaluation(eval_set) -> Evaluation:
    [evaluation] = evaluated(eval_set)
    return evaluation


def pictures(eval_set: EvalSet) -> list[LabelledPicture]:
    return [
        LabelledPicture(
            entry.image_id,
            read_image(eval_set.root / entry.path),
            (read_label(eval_set.root / entry.label_path),),
        )
        for entry in eval_set.images
    ]


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
