"""The second folder's files on CLIP and its regions."""

import numpy as np
import torch

from pipeline.clip.regions import masks_to_boxes, prepare_regions
from pipeline.clip.store import MEAN, STD
from pipeline.clip.text import VILD_TEMPLATES, class_features
from pipeline.clip.tower import MaskClip, patch_mask
from tests.golden_checks.folder import CLIP, NAMES, SIDE, Writer, random_clip
from tests.golden_checks.original_crops import FILL_RGB, original_view, recovered_mask
from tests.goldens import Golden


def write_towers(out: Writer, clip: MaskClip, tower: MaskClip) -> None:
    images, masks = out.pixels(3, 3, SIDE, SIDE), out.random.random((3, 1, SIDE, SIDE)) < 0.005
    x, m = (torch.from_numpy(images).float() - 64) / 32, torch.from_numpy(masks).float()
    arrays = {"images_u8": images, "masks": masks.astype(np.uint8)}
    for prefix, model in (("", clip), ("small_", tower)):
        arrays |= {
            f"{prefix}feat_with_mask": model.encode_image(x, m),
            f"{prefix}feat_no_mask": model.encode_image(x),
            f"{prefix}mask_grid": patch_mask(m, model.patch_size).float(),
        }
    shallow = random_clip(CLIP)
    shallow.set_prompts(shallow.prompts[:1])
    arrays["feat_with_mask_depth1"] = shallow.encode_image(x, m)
    about = {
        "weights": ["weights_words (visual.*)", "weights_pixels for the small_* arrays"],
        "input": "x = (images_u8.astype(float32) - 64) / 32", "mask_cases": ["specks"] * 3,
    }  # fmt: skip
    out.add("a_towers", about, arrays)


def write_training_side(out: Writer, clip: MaskClip) -> None:
    golden = Golden("a_towers", out.folder)
    x, m = (golden.tensor("images_u8").float() - 64) / 32, golden.tensor("masks").float()
    gelu = random_clip(CLIP, quick_gelu=False)
    crop, painted = out.pixels(70, 90, 3), out.random.random((70, 90)) < 0.5
    crop[painted] = FILL_RGB
    view, mask = original_view(crop, SIDE, MEAN, STD)
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in (MEAN, STD))
    resized = ((view * std + mean) * 255).round().byte().permute(1, 2, 0)
    arrays = {
        "feat_with_mask_quickgelu": clip.encode_image(x, m),
        "feat_no_mask_gelu": gelu.encode_image(x),
        "feat_with_mask_gelu_mask_3d": gelu.encode_image(x, m[:, 0]),
        "feat_with_mask_quickgelu_single": clip.encode_image(x[:1], m[:1]),
        "crop_rgb_hwc_u8": crop, "mask_before_resize": recovered_mask(crop),
        "val.mask": mask, "val.resized_u8_hwc": resized, "val.image_sub": view[:, 1::5, 1::5],
    }  # fmt: skip
    about = {
        "weights": ["weights_words (visual.*)"],
        "input": "images and masks of a_towers (x = (u8 - 64) / 32)",
        "mask_rule": {"fill_rgb": list(FILL_RGB)}, "notes": "val.image_sub = image[:, 1::5, 1::5]",
    }  # fmt: skip
    out.add("b_training", about, arrays)


def write_regions(out: Writer) -> None:
    image = out.pixels(3, 50, 41)
    soft = out.random.random((5, 50, 41), dtype=np.float32)
    soft[:, 30:] *= 0.3
    soft[2] *= 0.3
    ways = {
        "wide": {"mask_fill": "zero", "mask_expand_ratio": 1.3, "mask_matting": False},
        "soft": {"mask_fill": "mean", "mask_expand_ratio": 1.0, "mask_matting": True},
    }
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    arrays = {"image_u8": image, "soft_masks": soft}
    for kind, how in ways.items():
        how["mask_thr"] = 0.6
        cut = prepare_regions(
            torch.from_numpy(image), torch.from_numpy(soft), 0.6, SIDE, mean, std,
            how["mask_fill"], how["mask_expand_ratio"], how["mask_matting"],
        )  # fmt: skip
        sub = cut.images[..., 2::4, 2::4]
        valid = torch.from_numpy(soft)[cut.valid] > 0.6
        arrays |= {
            f"{kind}.valid": cut.valid, f"{kind}.bbox_xyxy": masks_to_boxes(valid).float(),
            f"{kind}.crop_ltrb": cut.boxes_xyxy, f"{kind}.regions_sub": sub,
            f"{kind}.region_masks_sub": cut.masks[:, None, 2::4, 2::4].float(),
            f"{kind}.unnorm_sub": (sub * std.view(3, 1, 1) + mean.view(3, 1, 1)) * 255,
            f"{kind}.regions_mean": cut.images.double().mean(dim=(2, 3)),
            f"{kind}.regions_l2": cut.images.double().square().mean(dim=(2, 3)).sqrt(),
        }  # fmt: skip
    about = {
        "configs": ways,
        "outputs": f"resized (V,3,{SIDE},{SIDE}); *_sub = [..., 2::4, 2::4]",
        "constants": {"pixel_mean": mean.tolist(), "pixel_std": std.tolist(), "scale": 255.0},
    }
    out.add("c_regions", about, arrays)


def write_text(out: Writer, clip: MaskClip) -> None:
    tokens = torch.stack([clip.tokenize([t.format(n) for n in NAMES]) for t in VILD_TEMPLATES])
    arrays = {
        "tokens": tokens.int(),
        "text_feat_per_template_unnormalised": torch.stack([clip.encode_text(t) for t in tokens]),
        "class_features": class_features(clip, NAMES),
    }
    about = {"weights": ["weights_words"], "class_names": NAMES, "templates": VILD_TEMPLATES}
    out.add("d_text", about, arrays)
