"""The segmenter's features, and its training step (g4, g5)."""

import copy
import re

import torch

from pipeline.clip.text import class_features
from pipeline.maskformer.maskformer import LayerOutput, SegmenterOutput
from pipeline.segmenter.criterion import losses, weighted
from pipeline.segmenter.matcher import Target, match, pad
from pipeline.segmenter.params import LossWeights
from tests.golden_checks.original import load_original, parts_of
from tests.goldens import Golden, assert_close, assert_numbers_close


def check_weights(golden: Golden) -> None:
    """Every key of a whole model's weights has its place."""
    parts_of(golden)
    load_original(golden.folder, golden.name)  # raises on a missing or unknown key
    assert len(list(golden)) == golden.about["n_keys"]


@torch.inference_mode()
def check_features(golden: Golden) -> None:
    """Backbone, pixel decoder, embeddings and logits of every picture."""
    segmenter, clip = load_original(golden.folder, golden.about["weights"][0])
    segmenter.eval()
    *_, nothing = text = golden.tensor("text_features")  # last row: no object
    assert_close(class_features(clip, golden.about["class_names"]), text[:-1], "text_features")
    own = segmenter.clip_adapter.non_object_embedding[0]
    assert_close(torch.nn.functional.normalize(own, dim=0), nothing, "no object")
    for case, about in golden.about["cases"].items():
        image = golden.tensor(f"{case}.image_u8")
        assert list(image.shape[1:]) == about["image_hw"]
        batch = segmenter.prepare([image])
        assert list(batch.shape) == about["padded"]
        features = segmenter.backbone(batch)
        output = segmenter([image], text[:-1])
        ours = {f"backbone.{key}": value for key, value in features.items()} | {
            "mask_features": segmenter.sem_seg_head.pixel_decoder(features),
            "class_embed_out": output.class_embed,
            "pred_logits": output.pred_logits,
            "pred_masks": output.pred_masks,
        }
        for key, value in ours.items():
            if f"{case}.{key}" in golden:
                assert_close(value, golden.tensor(f"{case}.{key}"), f"{case}.{key}")


def check_training_step(golden: Golden) -> None:
    """Assignments exactly; every loss, of the stored predictions and of our own; gradients."""
    about = golden.about
    costs = about["matcher_costs"]
    weights = LossWeights(
        class_weight=costs["cls"],
        mask_weight=costs["mask"],
        dice_weight=costs["dice"],
        no_object_weight=about["eos_coef"],
    )
    letters = sorted(found[1] for key in golden if (found := re.fullmatch(r"image(\w+)_u8", key)))
    targets = {
        letter: Target(golden.tensor(f"gt_classes_{letter}"), golden.tensor(f"gt_masks_{letter}"))
        for letter in letters
    }
    stored = _stored(golden)
    for key in golden:
        if found := re.fullmatch(r"target_masks_padded_(\w+)_shape", key):
            padded = pad(targets[found[1]].masks, stored.padded_hw)
            assert list(padded.shape) == golden[key].tolist()
    _check_assignments(golden, stored, targets, weights)

    everything = list(targets.values())
    _check_losses(losses(stored, everything, weights), about, weights)
    emptied = re.search(r"image (\w+) with zero", about["empty_target_image"]["what"])[1]
    without = {
        letter: Target(t.labels[:0], t.masks[:0]) if letter == emptied else t
        for letter, t in targets.items()
    }
    raw = losses(stored, list(without.values()), weights)
    assert_numbers_close(_numbers(raw), about["empty_target_image"]["losses_raw"], "one emptied")

    segmenter, clip = load_original(golden.folder, about["weights"][0])
    segmenter = copy.deepcopy(segmenter).train()  # training may move batch-norm statistics
    images = [golden.tensor(f"image{letter}_u8") for letter in letters]
    output = segmenter(images, class_features(clip, about["class_names"]))
    assert output.padded_hw == stored.padded_hw
    layers = zip([output, *output.aux], [stored, *stored.aux], strict=True)
    for number, (ours, theirs) in enumerate(layers):
        assert_close(ours.pred_logits, theirs.pred_logits, f"pred_logits, layer {number}")
        assert_close(ours.pred_masks, theirs.pred_masks, f"pred_masks, layer {number}")
    raw = losses(output, everything, weights)
    _check_losses(raw, about, weights)
    sum(weighted(raw, weights).values()).backward()
    parameters = dict(segmenter.named_parameters())
    silent = {k for k, p in parameters.items() if p.requires_grad and p.grad is None}
    assert silent == set(about["trainable_without_grad"])
    for key in golden:
        if key.startswith("grad."):
            expected = golden.tensor(key)
            ours = parameters[key.removeprefix("grad.")].grad
            assert_close(ours, expected, key, unit=False)


def _stored(golden: Golden) -> SegmenterOutput:
    """The original's own predictions as ours; masks are at a quarter of the padded size."""
    logits, masks = golden.tensor("pred_logits"), golden.tensor("pred_masks")
    height, width = masks.shape[-2:]
    count = len({key.split(".")[0] for key in golden if key.startswith("aux")})
    aux = [
        LayerOutput(golden.tensor(f"aux{i}.pred_logits"), golden.tensor(f"aux{i}.pred_masks"))
        for i in range(count)
    ]
    return SegmenterOutput(logits, masks, logits[..., :1], (4 * height, 4 * width), aux)


def _check_assignments(
    golden: Golden, stored: SegmenterOutput, targets: dict[str, Target], weights: LossWeights
) -> None:
    layers = {"last": stored} | {f"aux{i}": layer for i, layer in enumerate(stored.aux)}
    for layer, predicted in layers.items():
        matches = match(
            predicted.pred_logits, predicted.pred_masks, list(targets.values()),
            stored.padded_hw, weights,
        )  # fmt: skip
        for letter, (query, truth) in zip(targets, matches, strict=True):
            assert query.tolist() == golden[f"match.{layer}.{letter}.query"].tolist()
            assert truth.tolist() == golden[f"match.{layer}.{letter}.gt"].tolist()


def _check_losses(raw: dict[str, torch.Tensor], about: dict, weights: LossWeights) -> None:
    total = _numbers(weighted(raw, weights))
    assert_numbers_close(_numbers(raw), about["losses_raw"], "raw")
    assert_numbers_close(total, about["losses_weighted"], "weighted")
    everything = {"loss": sum(total.values())}
    assert_numbers_close(everything, {"loss": about["total_weighted"]}, "total")
    ours = {key: weighted({key: 1.0}, weights)[key] for key in raw}
    assert ours == about["loss_weights"]


def _numbers(values: dict[str, torch.Tensor]) -> dict[str, float]:
    return {key: value.item() for key, value in values.items()}
