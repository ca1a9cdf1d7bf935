"""Our reference (tests/reference) against the original's numbers, where they are at hand: what
stands in tests/golden_data is then what the original would have written.

Only the files of the kinds that the reference has: a Swin segmenter, not a ResNet.
"""

import re

import numpy as np
import pytest
import torch

from tests.golden_checks.clip import pictures
from tests.goldens import ABSENT, FOLDER, Golden, assert_close, assert_numbers_close, index
from tests.reference import clip, losses, opinions, regions, segmenter
from tests.reference.layers import State, resize
from tests.reference.make import metrics_of, tokenize

ABOUT = index(FOLDER)
AT_HAND = pytest.mark.skipif(not ABOUT, reason=ABSENT)


def having(key: str) -> list[str]:
    return [name for name, about in ABOUT.items() if key in about]


def swins(key: str) -> list[str]:
    return [name for name in having(key) if "backbone.norm0.bias" in weights_of(name)]


def weights_of(name: str) -> Golden:
    return Golden(ABOUT[name]["weights"][0].split()[0], FOLDER)


def in_double(golden: Golden, prefix: str = "") -> State:
    state = {key: golden.tensor(key) for key in golden if key.startswith(prefix)}
    return {
        key.removeprefix(prefix): value.double() if value.is_floating_point() else value
        for key, value in state.items()
    }


@AT_HAND
@pytest.mark.parametrize("name", having("mask_cases"))
def test_towers(name):
    golden = Golden(name, FOLDER)
    weights = weights_of(name)
    w, config = in_double(weights), weights.about["config"]
    images, masks = pictures(golden)
    for key in golden:
        if not (found := re.fullmatch(r"feat_(with|no)_mask(?:_depth(\d))?", key)):
            continue
        depth = int(found[2] or config["mask_prompt_depth"])
        features = [
            clip.image_feature(
                image.double(), mask[0] if found[1] == "with" else None, w,
                config["vision_heads"], depth,
            )
            for image, mask in zip(images, masks, strict=True)
        ]  # fmt: skip
        assert_close(torch.stack(features), golden.tensor(key), key)


@AT_HAND
@pytest.mark.parametrize("name", having("configs"))
def test_regions(name):
    golden = Golden(name, FOLDER)
    image, soft = golden.tensor("image_u8"), golden.tensor("soft_masks")
    mean, std = (golden.about["constants"][key] for key in ("pixel_mean", "pixel_std"))
    for kind, how in golden.about["configs"].items():
        valid = [regions.is_valid(mask, how["mask_thr"]) for mask in soft]
        assert valid == golden[f"{kind}.valid"].tolist()
        for i, mask in enumerate(soft[valid]):
            cut = regions.cut(
                image, mask, how["mask_thr"], 224, mean, std,
                how["mask_fill"], how["mask_expand_ratio"], how["mask_matting"],
            )  # fmt: skip
            assert list(cut.tight) == golden[f"{kind}.bbox_xyxy"][i].tolist()
            assert list(cut.box) == golden[f"{kind}.crop_ltrb"][i].tolist()
            plain = golden.tensor(f"{kind}.unnorm_sub")[i]
            assert_close(cut.plain[:, 3::7, 3::7], plain, f"{kind}.unnorm_sub")


@AT_HAND
@pytest.mark.parametrize("name", having("templates"))
def test_text(name):
    golden = Golden(name, FOLDER)
    assert golden.about["templates"] == clip.TEMPLATES
    config, w = weights_of(name).about["config"], in_double(weights_of(name))

    def stored(sentences: list[str]) -> torch.Tensor:
        length = golden["tokens"].shape[-1]
        tokens = torch.zeros(len(sentences), length, dtype=torch.int64)
        short = tokenize(sentences)
        tokens[:, : short.shape[1]] = short
        return tokens

    names = golden.about["class_names"]
    features = clip.class_features(names, w, config["transformer_heads"], stored)
    assert_close(features, golden.tensor("class_features"), "class_features")


@AT_HAND
@pytest.mark.parametrize("name", swins("cases"))
def test_segmenter_and_maps(name):
    golden, weights = Golden(name, FOLDER), weights_of(name)
    w, model = in_double(weights), weights.about["config"]["MODEL"]
    text = golden.tensor("text_features").double()
    for case, about in golden.about["cases"].items():
        seen = segmenter.look([golden.tensor(f"{case}.image_u8")], text[:-1], w, model)
        last = seen.layers[-1]
        assert_close(last.logits, golden.tensor(f"{case}.pred_logits"), "pred_logits")
        assert_close(last.masks, golden.tensor(f"{case}.pred_masks"), "pred_masks")
        size, out = tuple(about["image_hw"]), tuple(about["output_hw"])
        masks = opinions.mask_probabilities(last.masks[0], seen.padded_hw, size)
        own = opinions.segmenter_opinion(last.logits[0])
        valid = golden[f"{case}.valid"].tolist()
        logits = golden.tensor(f"{case}.clip_logits").double()[:, :-1]
        both = opinions.ensemble(own, opinions.clip_opinion(logits, valid, 1.0), 0.7)
        alone = opinions.clip_opinion(logits, valid, 0.0)
        for mode, classes in {"noclip": own, "ens0p7": both, "cliponly": alone}.items():
            key = f"{case}.sem_seg.{mode}"
            assert_close(opinions.semantic_map(classes, masks, out), golden.tensor(key), key)


@AT_HAND
@pytest.mark.parametrize("name", having("losses_raw"))
def test_assignments_and_losses(name):
    """Of the stored predictions, so of any backbone."""
    golden = Golden(name, FOLDER)
    layers = [
        segmenter.Layer(
            None, golden.tensor(f"{prefix}pred_logits").double(),
            golden.tensor(f"{prefix}pred_masks").double(),
        )
        for prefix in ("aux0.", "aux1.", "")
    ]  # fmt: skip
    truth = [(golden.tensor(f"gt_classes_{x}"), golden.tensor(f"gt_masks_{x}")) for x in "AB"]
    padded = tuple(4 * side for side in layers[0].masks.shape[-2:])
    raw, matches = losses.losses(
        layers, truth, padded, golden.about["matcher_costs"], golden.about["eos_coef"]
    )
    values = {key: value.item() for key, value in raw.items()}
    assert_numbers_close(values, golden.about["losses_raw"])
    for layer, found in zip(("aux0", "aux1", "last"), matches, strict=True):
        for letter, (queries, masks) in zip("AB", found, strict=True):
            assert queries == golden[f"match.{layer}.{letter}.query"].tolist()
            assert masks == golden[f"match.{layer}.{letter}.gt"].tolist()


@AT_HAND
@pytest.mark.parametrize("name", having("results_percent"))
def test_metrics(name):
    golden = Golden(name, FOLDER)
    for case, expected in golden.about["results_percent"].items():
        [seen] = (expected["evaluation_set"] or {"base": [0]}).values()
        ours = metrics_of(
            golden[f"{case}.gt"].astype(int), golden[f"{case}.pred"].astype(int),
            golden.about["classes"], golden.about["ignore_label"], seen,
        )  # fmt: skip
        for source in ("generalized", "detectron2"):
            for key, value in expected[source].items():
                number = ours[source][key.replace("-unbase", "-unodd").replace("-base", "-odd")]
                assert number == (None if value is None else pytest.approx(value, abs=1e-9)), key


def test_resizing_is_torchs():
    """Upwards and downwards, and where a nearest neighbour falls between two cells."""
    random = torch.Generator().manual_seed(0)
    x = torch.rand(1, 2, 12, 20, generator=random, dtype=torch.float64)
    for size in ((48, 48), (5, 7), (12, 21)):
        for how in ("nearest", "bilinear", "bicubic"):
            expected = torch.nn.functional.interpolate(x, size, mode=how)
            assert np.allclose(resize(x, size, how), expected, atol=1e-12)
