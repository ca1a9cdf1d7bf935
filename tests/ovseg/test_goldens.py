"""The whole model against the original's tensors: every case of every golden that has them."""

import re
from functools import cache

import numpy as np
import pytest
import torch

from pipeline.ovseg import OVSeg
from pipeline.ovseg.clip_branch import RegionStyle, cut_regions, region_logits
from pipeline.ovseg.segmenter_branch import at_test_size, propose
from pipeline.segmenter.maskformer import SegmenterOutput
from tests.goldens import arrays, describing, description
from tests.ovseg.original import load_original

TOLERANCE = 1e-4
load_original = cache(load_original)


def close(ours: torch.Tensor, golden: np.ndarray) -> None:
    torch.testing.assert_close(ours, torch.from_numpy(golden), atol=TOLERANCE, rtol=0)


def picture(image_u8: np.ndarray) -> np.ndarray:
    """`(3, H, W)` of the golden to `(H, W, 3)` of our interface."""
    return np.ascontiguousarray(image_u8.transpose(1, 2, 0))


def model_of(golden: dict, mode: str = "") -> OVSeg:
    """Our model as the golden describes it. A mode is "noclip", "cliponly" or "ens0p7", each
    perhaps with "_noprompt"."""
    [weights] = golden["weights"]
    weight = re.match(r"ens(\d+)p(\d+)", mode)
    return OVSeg(
        *load_original(weights),
        weight=float(f"{weight[1]}.{weight[2]}") if weight else 0.5,
        prompts=not mode.endswith("_noprompt"),
        style=RegionStyle(
            threshold=golden["mask_thr"],
            fill=golden["mask_fill"],
            expand=golden["mask_expand_ratio"],
        ),
    )


def branch_of(mode: str) -> str:
    return {"noclip": "segmenter", "cliponly": "clip"}.get(mode.split("_")[0], "ensemble")


WHOLE_MODEL = describing("cases", "class_names", "modes", "mask_thr")


@pytest.mark.parametrize(("name", "golden"), WHOLE_MODEL)
def test_semantic_maps_in_every_mode(name, golden):
    data = arrays(name)
    checked = 0
    for key in data:
        if not (found := re.fullmatch(r"(\w+)\.sem_seg\.(\w+)", key)):
            continue
        case, mode = found.groups()
        ours = model_of(golden, mode).scores(
            picture(data[f"{case}.image_u8"]),
            golden["class_names"],
            branch_of(mode),
            tuple(golden["cases"][case]["output_hw"]),
        )
        close(ours, data[key])
        checked += 1
    assert checked >= len(golden["cases"])


@pytest.mark.parametrize(("name", "golden"), WHOLE_MODEL)
def test_segmenter_and_clip_logits(name, golden):
    data, model = arrays(name), model_of(golden)
    names = golden["class_names"]
    text = torch.from_numpy(data["text_features"])  # last row: the no-object embedding
    close(model._clip_text(names), data["text_features"][:-1])
    for case in golden["cases"]:
        image = at_test_size(picture(data[f"{case}.image_u8"]), None)
        with torch.inference_mode():
            output: SegmenterOutput = model.segmenter([image], text[:-1])
        close(output.pred_logits, data[f"{case}.pred_logits"])
        close(output.pred_masks, data[f"{case}.pred_masks"])

        [proposals] = propose(model.segmenter, [image], text[:-1])
        regions = cut_regions(model.clip, image, proposals.masks, model.style)
        assert (regions.valid.numpy() == data[f"{case}.valid"]).all()
        for key, prompts in (("clip_logits", True), ("clip_logits_noprompt", False)):
            if f"{case}.{key}" in data:
                [logits] = region_logits(model.clip, [regions], text, prompts=prompts)
                close(logits, data[f"{case}.{key}"])


@pytest.mark.parametrize(("name", "golden"), describing("weights", "class_names", "notes"))
def test_the_free_text_demo(name, golden):
    data = arrays(name)
    single = {
        key.split(".")[0]: names
        for key, names in golden["notes"].items()
        if key.endswith("caller_list_after_call")
    }
    case, prefix = re.search(r"image of case (\w+) in (\w+)_<kind>", golden["input"]).groups()
    for weights in golden["weights"]:
        kind = weights.rsplit("_", 1)[1]
        described = description(f"{prefix}_{kind}") | {"weights": [weights]}
        image = picture(arrays(f"{prefix}_{kind}")[f"{case}.image_u8"])
        for key, names in (
            (f"{kind}.cliponly.{len(golden['class_names'])}names", golden["class_names"]),
            (f"{kind}.cliponly.1name", single[kind][:1]),
        ):
            ours = model_of(described).scores(image, names, "free-text")
            close(ours, data[key])
