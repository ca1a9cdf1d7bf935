"""The segmenter and its training step against the original's tensors."""

import re
from functools import cache

import numpy as np
import pytest
import torch

from pipeline.clip.text import class_features
from pipeline.segmenter.criterion import losses, weighted
from pipeline.segmenter.maskformer import LayerOutput, SegmenterOutput
from pipeline.segmenter.matcher import LossWeights, Target, match
from tests.goldens import arrays, describing
from tests.ovseg.original import load_original

FEATURES = 1e-4  # largest absolute error of features and logits
LOSSES = 1e-5  # largest relative error of losses and gradients
load_original = cache(load_original)


def weights_of(golden: dict) -> LossWeights:
    costs = golden["matcher_costs"]
    return LossWeights(costs["cls"], costs["mask"], costs["dice"], golden["eos_coef"])


def targets_of(data: dict[str, np.ndarray]) -> dict[str, Target]:
    """By picture letter, in order."""
    letters = sorted(m[1] for key in data if (m := re.fullmatch(r"image(\w+)_u8", key)))
    return {
        letter: Target(
            torch.from_numpy(data[f"gt_classes_{letter}"]),
            torch.from_numpy(data[f"gt_masks_{letter}"]),
        )
        for letter in letters
    }


def stored_output(data: dict[str, np.ndarray]) -> SegmenterOutput:
    """The original's own predictions as ours."""
    logits, masks = (torch.from_numpy(data[k]) for k in ("pred_logits", "pred_masks"))
    count = len({key.split(".")[0] for key in data if key.startswith("aux")})
    hw = tuple(4 * side for side in masks.shape[-2:])
    aux = [
        LayerOutput(
            *(torch.from_numpy(data[f"aux{i}.pred_{what}"]) for what in ("logits", "masks"))
        )
        for i in range(count)
    ]
    return SegmenterOutput(logits, masks, logits[..., :1], hw, aux)


@pytest.mark.parametrize(("name", "golden"), describing("cases", "weights", "class_names"))
def test_backbone_pixel_decoder_and_embedding(name, golden):
    data = arrays(name)
    segmenter, _ = load_original(golden["weights"][0])
    segmenter.eval()
    text = torch.from_numpy(data["text_features"][:-1])
    for case in golden["cases"]:
        image = torch.from_numpy(data[f"{case}.image_u8"])
        with torch.inference_mode():
            batch = segmenter.prepare([image])
            features = segmenter.backbone(batch)
            output = segmenter([image], text)
            ours = {f"backbone.{key}": value for key, value in features.items()} | {
                "mask_features": segmenter.sem_seg_head.pixel_decoder(features),
                "class_embed_out": output.class_embed,
                "pred_logits": output.pred_logits,
                "pred_masks": output.pred_masks,
            }
        assert list(batch.shape) == golden["cases"][case]["padded"]
        for key, value in ours.items():
            if f"{case}.{key}" in data:
                golden_value = torch.from_numpy(data[f"{case}.{key}"])
                torch.testing.assert_close(value, golden_value, atol=FEATURES, rtol=0)


CRITERION = describing("losses_raw", "matcher_costs", "eos_coef")


@pytest.mark.parametrize(("name", "golden"), CRITERION)
def test_assignments_are_the_same(name, golden):
    data = arrays(name)
    output, targets = stored_output(data), targets_of(data)
    layers = {"last": output} | {f"aux{i}": layer for i, layer in enumerate(output.aux)}
    for layer, predicted in layers.items():
        matches = match(
            predicted.pred_logits,
            predicted.pred_masks,
            list(targets.values()),
            output.padded_hw,
            weights_of(golden),
        )
        for letter, (query, truth) in zip(targets, matches, strict=True):
            assert query.tolist() == data[f"match.{layer}.{letter}.query"].tolist()
            assert truth.tolist() == data[f"match.{layer}.{letter}.gt"].tolist()


@pytest.mark.parametrize(("name", "golden"), CRITERION)
def test_losses_of_stored_predictions(name, golden):
    data = arrays(name)
    output, targets, weights = stored_output(data), targets_of(data), weights_of(golden)
    raw = losses(output, list(targets.values()), weights)
    assert {k: v.item() for k, v in raw.items()} == pytest.approx(golden["losses_raw"], rel=LOSSES)
    total = {k: v.item() for k, v in weighted(raw, weights).items()}
    assert total == pytest.approx(golden["losses_weighted"], rel=LOSSES)
    assert sum(total.values()) == pytest.approx(golden["total_weighted"], rel=LOSSES)

    *full, last = targets.values()
    without = Target(last.labels[:0], last.masks[:0])
    raw = losses(output, [*full, without], weights)
    expected = golden["empty_target_image"]["losses_raw"]
    assert {k: v.item() for k, v in raw.items()} == pytest.approx(expected, rel=LOSSES)


@pytest.mark.parametrize(("name", "golden"), CRITERION)
def test_losses_and_gradients_from_the_pictures(name, golden):
    data = arrays(name)
    segmenter, clip = load_original(golden["weights"][0])
    targets, weights = targets_of(data), weights_of(golden)
    images = [torch.from_numpy(data[f"image{letter}_u8"]) for letter in targets]
    segmenter.train().zero_grad()
    output = segmenter(images, class_features(clip, golden["class_names"]))
    raw = losses(output, list(targets.values()), weights)
    assert {k: v.item() for k, v in raw.items()} == pytest.approx(golden["losses_raw"], rel=LOSSES)
    sum(weighted(raw, weights).values()).backward()
    parameters = dict(segmenter.named_parameters())
    silent = {k for k, p in parameters.items() if p.requires_grad and p.grad is None}
    assert silent == set(golden["trainable_without_grad"])
    for key, expected in data.items():
        if key.startswith("grad."):
            ours = parameters[key.removeprefix("grad.")].grad.numpy()
            assert np.abs(ours - expected).max() <= LOSSES * np.abs(expected).max(), key
