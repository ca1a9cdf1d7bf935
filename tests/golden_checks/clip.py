"""Image tower with mask prompts, the training side's tower, text features (g1, g6, g3)."""

import re

import numpy as np
import torch

from pipeline.clip.store import MEAN, PROMPT_KEY, STD
from pipeline.clip.text import VILD_TEMPLATES, class_features
from pipeline.clip.tower import MaskClip, patch_mask
from tests.golden_checks.original import clip_of
from tests.golden_checks.original_crops import original_view, recovered_mask
from tests.goldens import Golden, assert_close


def clip_from(golden: Golden, quick_gelu: bool = True) -> MaskClip:
    """The CLIP of a file of weights."""
    state = {key: golden.tensor(key) for key in golden}
    return clip_of(state, golden.about["config"], quick_gelu)


def check_weights(golden: Golden) -> None:
    """Every key of a CLIP's weights has its place."""
    clip = clip_from(golden)
    assert len(list(golden)) == golden.about["n_keys"]
    assert clip.prompt_depth == golden.about["config"]["mask_prompt_depth"]


def pictures(golden: Golden) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and masks `(B, 1, S, S)` as the towers got them."""
    shift, scale = map(float, re.search(r"- (\d+)\) / (\d+)", golden.about["input"]).groups())
    return (golden.tensor("images_u8").float() - shift) / scale, golden.tensor("masks").float()


@torch.no_grad()
def check_tower(golden: Golden) -> None:
    """Features with and without masks, at every prompt depth, of every tower."""
    images, masks = pictures(golden)
    for key in [key for key in golden if key.endswith("feat_no_mask")]:
        prefix = key.removesuffix("feat_no_mask")
        [weights] = [w for w in golden.about["weights"] if _prefix_of(w) == prefix]
        clip = clip_from(golden.other(weights.split()[0]))
        prompts = clip.prompts.detach().clone()
        keep = patch_mask(masks, clip.patch_size)
        assert np.array_equal(keep.float().cpu().numpy(), golden[f"{prefix}mask_grid"])
        assert_close(clip.encode_image(images), golden.tensor(key), key)
        masked = f"{prefix}feat_with_mask"
        assert_close(clip.encode_image(images, masks), golden.tensor(masked), masked)
        for other in golden:
            if depth := re.fullmatch(rf"{prefix}feat_with_mask_depth(\d+)", other):
                clip.set_prompts(prompts[: int(depth[1])])
                assert_close(clip.encode_image(images, masks), golden.tensor(other), other)


def _prefix_of(weights: str) -> str:
    """Of the arrays that an entry of `weights` is for; most are for those without a prefix."""
    found = re.search(r"for the (\w+_)\*", weights)
    return found[1] if found else ""


@torch.no_grad()
def check_training_side(golden: Golden) -> None:
    """The tower in training, with both activations; masks recovered from crops."""
    images, masks = pictures(golden.other(re.search(r"of (\w+)", golden.about["input"])[1]))
    weights = golden.other(golden.about["weights"][0].split()[0])
    clips = {gelu: clip_from(weights, gelu == "quickgelu") for gelu in ("quickgelu", "gelu")}
    for key in golden:
        if not (kind := re.fullmatch(r"feat_(with|no)_mask_(quickgelu|gelu)(_\w+)?", key)):
            continue
        expected = golden.tensor(key)
        shown = masks[:, 0] if kind[3] else masks  # both forms of a batch of masks are taken
        count = len(expected)
        given = shown[:count] if kind[1] == "with" else None
        assert_close(clips[kind[2]].encode_image(images[:count], given), expected, key)

    fill, crop = tuple(golden.about["mask_rule"]["fill_rgb"]), golden["crop_rgb_hwc_u8"]
    assert np.array_equal(recovered_mask(crop, fill), golden["mask_before_resize"])
    size = len(golden["val.mask"])
    view, mask = original_view(crop, size, MEAN, STD, fill)
    assert np.array_equal(mask.numpy(), golden["val.mask"])
    first, step = map(int, re.search(r":, (\d+)::(\d+)", golden.about["notes"]).groups())
    shown = view[:, first::step, first::step]
    assert_close(shown, golden.tensor("val.image_sub"), "val.image_sub")
    mean, std = (np.array(c, np.float32).reshape(3, 1, 1) for c in (MEAN, STD))
    pixels = (view.numpy() * std + mean) * 255
    assert np.array_equal(pixels.round().transpose(1, 2, 0), golden["val.resized_u8_hwc"])


@torch.no_grad()
def check_text(golden: Golden) -> None:
    """Tokens exactly, features per template, class features."""
    names, templates = golden.about["class_names"], golden.about["templates"]
    assert tuple(templates) == VILD_TEMPLATES
    weights = golden.other(golden.about["weights"][0].split()[0])
    assert PROMPT_KEY in weights
    clip = clip_from(weights)
    per_template = golden.tensor("text_feat_per_template_unnormalised")
    for i, template in enumerate(templates):
        tokens = clip.tokenize([template.format(name) for name in names])
        assert np.array_equal(tokens.numpy(), golden["tokens"][i])
        assert_close(clip.encode_text(tokens.to(golden.device)), per_template[i], template)
    features = class_features(clip, names, templates)
    assert_close(features, golden.tensor("class_features"), "class_features")
