"""The whole model: semantic maps in every mode, CLIP's logits, the free-text demo (g4)."""

import re
from dataclasses import dataclass, replace

import numpy as np

from pipeline.clip.encode import encode_regions
from pipeline.clip.view import RegionView
from pipeline.maskformer.propose import propose, resize_input
from pipeline.ovseg import OVSeg
from pipeline.ovseg.ensemble import cosine_logits
from tests.golden_checks.original import load_original
from tests.goldens import Golden, assert_close


@dataclass(frozen=True)
class Ways:
    """How the branches go together in one mode of a golden."""

    branch: str = "ensemble"
    weight: float = 0.5
    prompts: bool = True

    @classmethod
    def of(cls, mode: str, described: dict[str, str]) -> "Ways":
        """From the words of the description. (The original calls CLIP alone "weight 0".)"""
        words = described[mode]
        if base := re.match(r"as (\w+) with MASK_PROMPT_FWD False", words):
            like = cls.of(base[1], described)
            return cls(like.branch, like.weight, prompts=False)
        if "CLIP_ENSEMBLE False" in words:
            return cls("segmenter")
        weight = float(re.search(r"weight ([\d.]+)", words)[1])
        return cls("ensemble", weight) if weight else cls("clip")


def model_of(golden: Golden, ways: Ways = Ways()) -> OVSeg:  # noqa: B008
    """Our model as the golden describes it."""
    about = golden.about
    return OVSeg(
        *load_original(golden.folder, about["weights"][0]),
        weight=ways.weight,
        prompts=ways.prompts,
        view=RegionView(
            threshold=about["mask_thr"], fill=about["mask_fill"], expand=about["mask_expand_ratio"]
        ),
    )


def picture(golden: Golden, case: str) -> np.ndarray:
    """`(3, H, W)` of the golden to `(H, W, 3)` of our interface."""
    return np.ascontiguousarray(golden[f"{case}.image_u8"].transpose(1, 2, 0))


def check_maps(golden: Golden) -> None:
    """The semantic map of every picture in every mode."""
    for key in golden:
        if not (found := re.fullmatch(r"(\w+)\.sem_seg\.(\w+)", key)):
            continue
        case, mode = found.groups()
        ways = Ways.of(mode, golden.about["modes"])
        size = tuple(golden.about["cases"][case]["output_hw"])
        ours = model_of(golden, ways).scores(
            picture(golden, case), golden.about["class_names"], ways.branch, size
        )
        assert_close(ours, golden.tensor(key), key)


def check_clip_logits(golden: Golden) -> None:
    """Valid masks exactly, and what CLIP says of them, with prompts and without."""
    model, text = model_of(golden), golden.tensor("text_features")
    for case, about in golden.about["cases"].items():
        image = resize_input(picture(golden, case), None)
        [proposals] = propose(model.segmenter, [image])
        for key, prompts in (("clip_logits", True), ("clip_logits_noprompt", False)):
            view = replace(model.view, prompts=prompts)
            [seen] = encode_regions(model.clip, [(image, proposals.masks)], view)
            assert seen.valid.tolist() == golden[f"{case}.valid"].tolist()
            assert int(seen.valid.sum()) == about["n_valid"]
            if f"{case}.{key}" in golden:
                logits = cosine_logits(seen.features, text)
                assert_close(logits, golden.tensor(f"{case}.{key}"), f"{case}.{key}")


def check_demo(golden: Golden) -> None:
    """Free text: one query a name, masks cut, "others" beside a single name."""
    about = golden.about
    case, file = re.search(r"image of case (\w+) in ([\w<>]+)", about["input"]).groups()
    for key in golden:
        kind, _, count = re.fullmatch(r"(\w+)\.(\w+)\.(\d+)names?", key).groups()
        whole = golden.other(file.replace("<kind>", kind))
        names = about["class_names"]
        if int(count) == 1:  # the original added "others" to its caller's own list
            names = about["notes"][f"{kind}.caller_list_after_call"][:1]
        assert len(names) == int(count)
        ours = model_of(whole).scores(picture(whole, case), names, "free-text")
        assert_close(ours, golden.tensor(key), key)
