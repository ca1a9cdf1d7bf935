"""Our CLIP, text features and regions against the numbers of the original (g1, g2, g3, g6)."""

import re

import numpy as np
import pytest
import torch

from pipeline.clip.regions import masks_to_boxes, prepare_regions
from pipeline.clip.store import PROMPT_KEY, build_from_config, fit_weights
from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip, patch_mask
from tests.goldens import arrays, describing, description

CLOSE = 1e-4


def original_clip(name: str, quick_gelu: bool = True) -> tuple[MaskClip, torch.Tensor]:
    """The CLIP of one `weights_*` entry (its text tower random where it has none), and its
    prompts."""
    config = description(name)["config"]
    embed = config["embed_dim"]
    vision = {
        "image_size": config["image_resolution"],
        "patch_size": config.get("vision_patch_size", config.get("patch")),
        "width": config.get("vision_width", config.get("width")),
        "layers": config.get("vision_layers", config.get("layers")),
    }
    vision["head_width"] = vision["width"] // config.get("vision_heads", config.get("heads"))
    text = {
        "context_length": config.get("context_length", 77),
        "vocab_size": config.get("vocab_size", 16),
        "width": config.get("transformer_width", 8),
        "heads": config.get("transformer_heads", 1),
        "layers": config.get("transformer_layers", 1),
    }
    clip = build_from_config(
        {"embed_dim": embed, "quick_gelu": quick_gelu, "vision_cfg": vision, "text_cfg": text}
    ).eval()
    weights = {key: torch.from_numpy(value) for key, value in arrays(name).items()}
    prompts = weights.pop(PROMPT_KEY)
    own = clip.clip.state_dict()
    text_tower = {k: v for k, v in own.items() if not k.startswith("visual.")}
    fit_weights(clip.clip, text_tower | weights, name)
    clip.set_prompts(prompts)
    return clip, prompts


def pictures(golden: dict[str, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    images = (torch.from_numpy(golden["images_u8"]).float() - 128) / 64
    return images, torch.from_numpy(golden["masks"]).float()


def assert_close(ours: torch.Tensor, golden: np.ndarray) -> None:
    assert tuple(ours.shape) == golden.shape
    assert np.abs(ours.numpy() - golden).max() <= CLOSE


@pytest.mark.parametrize(("name", "case"), describing("mask_cases"))
@torch.no_grad()
def test_mask_prompted_tower(name, case):
    golden = arrays(name)
    images, masks = pictures(golden)
    for entry in case["weights"]:
        prefix = (re.findall(r"for the (\w+_)\*", entry) or [""])[0]
        clip, prompts = original_clip(entry.split()[0])
        keep = patch_mask(masks, clip.patch_size)
        assert np.array_equal(keep.float().numpy(), golden[prefix + "mask_grid"])
        assert_close(clip.encode_image(images), golden[prefix + "feat_no_mask"])
        assert_close(clip.encode_image(images, masks), golden[prefix + "feat_with_mask"])
        for key in golden:
            if depth := re.fullmatch(rf"{prefix}feat_with_mask_depth(\d+)", key):
                clip.set_prompts(prompts[: int(depth[1])])
                assert_close(clip.encode_image(images, masks), golden[key])


@pytest.mark.parametrize(("name", "case"), describing("mask_rule"))
@torch.no_grad()
def test_training_side_tower(name, case):
    golden = arrays(name)
    images, masks = pictures(arrays(re.findall(r"of (\w+)", case["input"])[0]))
    for key, expected in golden.items():
        if not (kind := re.fullmatch(r"feat_(with|no)_mask_(quickgelu|gelu)(_\w+)?", key)):
            continue
        clip, _ = original_clip(case["weights"][0].split()[0], kind[2] == "quickgelu")
        count = len(expected)
        shown = masks[:, 0] if kind[3] else masks
        given = shown[:count] if kind[1] == "with" else None
        assert_close(clip.encode_image(images[:count], given), expected)


@pytest.mark.parametrize(("name", "case"), describing("class_names", "templates"))
@torch.no_grad()
def test_text_features(name, case):
    golden = arrays(name)
    clip, _ = original_clip(case["weights"][0])
    names, templates = case["class_names"], case["templates"]
    for i, template in enumerate(templates):
        tokens = clip.tokenize([template.format(n) for n in names])
        assert np.array_equal(tokens.numpy(), golden["tokens"][i])
        assert_close(clip.encode_text(tokens), golden["text_feat_per_template_unnormalised"][i])
    assert_close(class_features(clip, names, templates), golden["class_features"])


@pytest.mark.parametrize(("name", "case"), describing("configs", "constants"))
def test_regions(name, case):
    golden = arrays(name)
    image, probs = (torch.from_numpy(golden[key]) for key in ("image_u8", "soft_masks"))
    mean, std = (torch.tensor(case["constants"][key]) for key in ("pixel_mean", "pixel_std"))
    for kind, how in case["configs"].items():
        found = {k.split(".")[1]: v for k, v in golden.items() if k.startswith(kind + ".")}
        sub = next(v for k, v in found.items() if k in ("regions", "regions_sub"))
        size = 224 if sub.shape[-1] == 32 else sub.shape[-1]
        fill, grow, matting = (how[f"mask_{k}"] for k in ("fill", "expand_ratio", "matting"))
        regions = prepare_regions(
            image, probs, how["mask_thr"], size, mean, std, fill, grow, matting
        )
        assert np.array_equal(regions.valid.numpy(), found["valid"])
        tight = masks_to_boxes(probs[regions.valid] > how["mask_thr"])
        assert np.array_equal(tight.numpy(), found["bbox_xyxy"])
        assert np.array_equal(regions.boxes_xyxy.numpy(), found["crop_ltrb"])
        masks = regions.masks[:, None].numpy()
        for key, ours in (("regions", regions.images.numpy()), ("region_masks", masks)):
            if key in found:
                assert np.abs(ours.astype(np.float32) - found[key]).max() <= CLOSE
            else:
                part = ours[..., 3::7, 3::7].astype(np.float32)
                assert np.abs(part - found[key + "_sub"]).max() <= CLOSE
        pixels = regions.images.double().numpy()
        assert np.allclose(pixels.mean(axis=(2, 3)), found["regions_mean"], atol=CLOSE)
        length = np.sqrt((pixels**2).mean(axis=(2, 3)))
        assert np.allclose(length, found["regions_l2"], rtol=CLOSE)
