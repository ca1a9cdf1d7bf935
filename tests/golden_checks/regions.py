"""Masks cut out of a picture (g2)."""

import re

import numpy as np
import torch

from pipeline.clip.regions import cut_regions, masks_to_boxes
from pipeline.clip.view import RegionView
from tests.goldens import Golden, assert_close


def check_regions(golden: Golden) -> None:
    """Valid flags, boxes and crops exactly, pictures and masks of every way to cut."""
    image, probabilities = golden.tensor("image_u8"), golden.tensor("soft_masks")
    constants = golden.about["constants"]
    colours = [
        torch.tensor(constants[key], device=golden.device) for key in ("pixel_mean", "pixel_std")
    ]
    mean, std = (colour.view(3, 1, 1) for colour in colours)
    size = int(re.search(r"resized \(V,3,(\d+),", golden.about["outputs"])[1])
    first, step = map(int, re.search(r"(\d+)::(\d+)", golden.about["outputs"]).groups())
    for kind, how in golden.about["configs"].items():
        threshold = how["mask_thr"]
        if how["mask_matting"]:
            golden.leave_out(f"{kind}.")  # blends by probability
            continue
        view = RegionView(
            fill=how["mask_fill"], expand=how["mask_expand_ratio"], threshold=threshold
        )
        regions = cut_regions(image, probabilities, view, size, *colours)
        assert np.array_equal(regions.valid.cpu().numpy(), golden[f"{kind}.valid"])
        tight = masks_to_boxes(probabilities[regions.valid] > threshold)
        assert np.array_equal(tight.cpu().numpy(), golden[f"{kind}.bbox_xyxy"])
        assert np.array_equal(regions.boxes_xyxy.cpu().numpy(), golden[f"{kind}.crop_ltrb"])

        for key, ours in (("regions", regions.images), ("region_masks", regions.masks[:, None])):
            if f"{kind}.{key}" in golden:
                assert_close(ours, golden.tensor(f"{kind}.{key}"), f"{kind}.{key}")
            if f"{kind}.{key}_sub" in golden:
                part = ours[..., first::step, first::step]
                assert_close(part, golden.tensor(f"{kind}.{key}_sub"), f"{kind}.{key}_sub")
        part = regions.images[..., first::step, first::step].double()
        plain = (part * std + mean) * constants["scale"]  # 0..255, from float32 of about -2..2
        assert_close(plain, golden.tensor(f"{kind}.unnorm_sub"), f"{kind}.unnorm_sub")

        pixels = regions.images.double()
        mean_of, length = pixels.mean(dim=(2, 3)), pixels.square().mean(dim=(2, 3)).sqrt()
        assert_close(mean_of, golden.tensor(f"{kind}.regions_mean"), f"{kind}.regions_mean")
        assert_close(length, golden.tensor(f"{kind}.regions_l2"), f"{kind}.regions_l2")
