"""Write the goldens of our own reference: the folder tests/golden_data, in the form of the
original's.

    python -m tests.reference.make

Everything is drawn from a fixed seed and calculated in float64, then stored as float32 (losses and
metrics as float64). Run it after a change of the reference; a test compares file and script.
"""

import json
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor

from tests.reference import clip, losses, metrics, opinions, regions, segmenter, weights
from tests.reference.layers import State, gelu, quick_gelu, unit

FOLDER = Path(__file__).parents[1] / "golden_data"
NAMES = ["fox", "saturn V", "sand", "lamp post"]
OTHERS = "others"
SIDE = weights.SIDE
DRAWN = np.random.RandomState  # its stream never changes between versions of numpy
COLOURS = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
PAINT = (124, 116, 103)
OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_STD = [0.26862954, 0.26130258, 0.27577711]
THRESHOLD = 0.5
SURE, FILL, EXPAND = 0.975, "zero", 1.2
"""How the whole model cuts masks: a threshold that some masks do not reach."""
MARGIN = 2e-5
"""No mask may be as near its threshold as float32 errs: which side it falls on is then no rule."""


def main() -> None:
    write(FOLDER)
    total = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{FOLDER}: {len(list(FOLDER.glob('*.npz')))} files, {total / 1024:.0f} KiB")


def write(folder: Path) -> None:
    """Write a whole folder."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {}
    for name, (about, arrays) in goldens().items():
        np.savez_compressed(folder / f"{name}.npz", **{k: stored(v) for k, v in arrays.items()})
        described[name] = about
    text = json.dumps(described, indent=1, allow_nan=False)
    (folder / "goldens.json").write_text(text + "\n", encoding="utf-8")


def stored(value: Tensor | np.ndarray) -> np.ndarray:
    array = value.detach().numpy() if torch.is_tensor(value) else np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def goldens() -> dict[str, tuple[dict, dict]]:
    """Every file: its description and its arrays."""
    words = words_clip()
    tower = weights.image_tower(24, 8, 2, 1, 20)
    pixels = weights.drawn(tower, DRAWN(2))
    both = whole_model(words)
    model = {"config": {"MODEL": weights.MODEL}, "n_keys": len(both)}
    files = {
        "weights_words": ({"config": weights.CLIP, "n_keys": len(words)}, words),
        "weights_pixels": ({"config": weights.TOWER, "n_keys": len(pixels)}, pixels),
        "weights_both_tiny": (model, both),
        "a_towers": towers(words, pixels),
        "b_training": training_side(words),
        "c_regions": cut_outs(),
        "d_text": text(words),
        "e_both_tiny": maps(words, both),
        "f_demo": demo(words, both),
        "g_training": training_step(words, both),
        "h_metrics": counted(),
    }
    return files


def tokenize(sentences: list[str]) -> Tensor:
    return open_clip.SimpleTokenizer(context_length=weights.CLIP["context_length"])(sentences)


def words_clip() -> State:
    """A CLIP whose token embedding is 0 but for the tokens that are read."""
    random = DRAWN(1)
    c = weights.CLIP
    shapes = weights.image_tower(
        c["vision_width"], c["vision_patch_size"], c["vision_layers"], c["mask_prompt_depth"],
        c["embed_dim"],
    )  # fmt: skip
    w = weights.drawn(shapes | weights.text_tower(c), random)
    read = tokenize([t.format(name) for t in clip.TEMPLATES for name in [*NAMES, OTHERS]])
    table = torch.zeros(c["vocab_size"], c["transformer_width"], dtype=torch.float64)
    for token in sorted(set(read.flatten().tolist())):
        table[token] = torch.from_numpy(np.round(random.standard_normal(table.shape[1]) * 64) / 128)
    return w | {"token_embedding.weight": table}


def whole_model(words: State) -> State:
    """Segmenter and CLIP as one released checkpoint."""
    w = weights.drawn(weights.segmenter(weights.MODEL), DRAWN(7))
    for key in [key for key in w if key.endswith("relative_position_bias_table")]:
        index = segmenter.places(weights.MODEL["SWIN"]["WINDOW_SIZE"])
        w[key.replace("bias_table", "index")] = index
    w["criterion.empty_weight"] = torch.tensor([1.0] * len(NAMES) + [0.1], dtype=torch.float64)
    for key, colour in COLOURS.items():
        w[f"clip_adapter.pixel_{key}"] = torch.tensor(colour).double().view(1, 3, 1, 1) * 255
    return w | {f"clip_adapter.clip_model.{key}": value for key, value in words.items()}


def picture(random: np.random.RandomState, height: int, width: int) -> np.ndarray:
    """uint8 (3, H, W): a few flat rectangles with noise, so that masks have something to find."""
    image = np.empty((3, height, width))
    image[:] = random.randint(0, 256, (3, 1, 1))
    for _ in range(5):
        y, x = random.randint(0, height - 8), random.randint(0, width - 8)
        bottom, right = y + random.randint(8, height), x + random.randint(8, width)
        image[:, y:bottom, x:right] = random.randint(0, 256, (3, 1, 1))
    return np.clip(image + random.randint(-20, 21, image.shape), 0, 255).astype(np.uint8)


def tower_inputs() -> tuple[np.ndarray, np.ndarray, Tensor, Tensor]:
    """Pictures and masks as they are stored, and as the towers get them."""
    random = DRAWN(10)
    images = np.stack([picture(random, SIDE, SIDE) for _ in range(4)])
    masks = np.zeros((4, 1, SIDE, SIDE), np.uint8)
    masks[0, 0, 10:31, 5:26] = 1  # part of some patches, all of others
    masks[1, 0, 47, 0] = 1  # a single pixel
    masks[2] = 1  # nothing is replaced; the last one is empty: everything is
    x = (torch.from_numpy(images).double() - 64) / 32
    return images, masks, x, torch.from_numpy(masks)[:, 0]


def towers(words: State, pixels: State) -> tuple[dict, dict]:
    """Image towers with masks and without (paper, 3.3)."""
    images, masks, x, m = tower_inputs()
    arrays = {"images_u8": images, "masks": masks}
    for prefix, w, heads, depth in (("", words, 4, 2), ("small_", pixels, 3, 1)):
        side = w["visual.conv1.weight"].shape[-1]
        grid = [clip.shown_patches(mask, side) for mask in m]
        arrays |= {
            f"{prefix}feat_with_mask": all_features(x, m, w, heads, depth),
            f"{prefix}feat_no_mask": all_features(x, None, w, heads, depth),
            f"{prefix}mask_grid": torch.tensor(grid).float(),
        }
    arrays["feat_with_mask_depth1"] = all_features(x, m, words, 4, 1)
    about = {
        "weights": ["weights_words (visual.*)", "weights_pixels for the small_* arrays"],
        "input": "x = (images_u8.astype(float32) - 64) / 32",
        "mask_cases": ["rectangle", "single pixel", "all foreground", "all background"],
    }
    return about, arrays


def all_features(x, masks, w: State, heads: int, depth: int, activation=quick_gelu) -> Tensor:
    masks = [None] * len(x) if masks is None else masks
    return torch.stack(
        [
            clip.image_feature(image, mask, w, heads, depth, activation)
            for image, mask in zip(x, masks, strict=True)
        ]
    )


def training_side(words: State) -> tuple[dict, dict]:
    """Both activations, and the mask that is read back from a painted crop. PIL resizes it."""
    _, _, x, m = tower_inputs()
    random = DRAWN(11)
    crop = np.ascontiguousarray(picture(random, 60, 78).transpose(1, 2, 0))
    crop[random.rand(60, 78) < 0.5] = PAINT
    wide = Image.fromarray(crop).resize((round(78 * SIDE / 60), SIDE), Image.Resampling.BICUBIC)
    left = round((wide.width - SIDE) / 2)
    resized = np.array(wide)[:, left : left + SIDE]
    unpainted = [(pixels != np.array(PAINT)).any(-1) for pixels in (crop, resized)]
    view = torch.from_numpy(resized).double().permute(2, 0, 1) / 255
    for channel in range(3):
        view[channel] = (view[channel] - OPENAI_MEAN[channel]) / OPENAI_STD[channel]
    arrays = {
        "feat_with_mask_quickgelu": all_features(x, m, words, 4, 2),
        "feat_no_mask_gelu": all_features(x, None, words, 4, 2, gelu),
        "feat_with_mask_gelu_mask_3d": all_features(x, m, words, 4, 2, gelu),
        "feat_with_mask_quickgelu_single": all_features(x[:1], m[:1], words, 4, 2),
        "crop_rgb_hwc_u8": crop, "mask_before_resize": unpainted[0], "val.mask": unpainted[1],
        "val.resized_u8_hwc": resized, "val.image_sub": view[:, 1::5, 1::5],
    }  # fmt: skip
    about = {
        "weights": ["weights_words (visual.*)"],
        "input": "images and masks of a_towers (x = (u8 - 64) / 32)",
        "mask_rule": {"fill_rgb": list(PAINT)}, "notes": "val.image_sub = image[:, 1::5, 1::5]",
    }  # fmt: skip
    return about, arrays


def cut_outs() -> tuple[dict, dict]:
    """Regions (conventions 2, 3 and 4). Pixels that are exactly at the threshold are outside."""
    random = DRAWN(12)
    image = picture(random, 50, 41)
    soft = np.round(random.rand(5, 50, 41) * 64) / 128
    soft[0, 7:29, 3:17] += 0.5
    soft[1, 30:41, 20:39] += 0.4
    soft[2] = np.minimum(soft[2], 0.5)  # nothing above 0.5, some at it
    soft[3, 49, 40] = 0.9  # one pixel in the corner
    soft[4, :, 11:30] += 0.3
    ways = {
        "plain": {"mask_fill": "mean", "mask_expand_ratio": 1.0, "mask_matting": False},
        "wide": {"mask_fill": "zero", "mask_expand_ratio": 1.3, "mask_matting": False},
        "soft": {"mask_fill": "mean", "mask_expand_ratio": 1.5, "mask_matting": True},
    }
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    arrays = {"image_u8": image, "soft_masks": soft}
    for kind, how in ways.items():
        how["mask_thr"] = THRESHOLD
        valid = [regions.is_valid(torch.from_numpy(p), THRESHOLD) for p in soft]
        cuts = [
            regions.cut(
                torch.from_numpy(image), torch.from_numpy(p), THRESHOLD, SIDE, mean, std,
                how["mask_fill"], how["mask_expand_ratio"], how["mask_matting"],
            )
            for p, ok in zip(soft, valid, strict=True) if ok
        ]  # fmt: skip
        pictures = torch.stack([c.picture for c in cuts])
        arrays |= {
            f"{kind}.valid": np.array(valid),
            f"{kind}.bbox_xyxy": np.array([c.tight for c in cuts], np.float32),
            f"{kind}.crop_ltrb": np.array([c.box for c in cuts]),
            f"{kind}.regions_sub": pictures[..., 2::4, 2::4],
            f"{kind}.region_masks_sub": torch.stack([c.mask[None, 2::4, 2::4] for c in cuts]),
            f"{kind}.unnorm_sub": torch.stack([c.plain[:, 2::4, 2::4] for c in cuts]),
            f"{kind}.regions_mean": pictures.mean(dim=(2, 3)),
            f"{kind}.regions_l2": pictures.square().mean(dim=(2, 3)).sqrt(),
        }
    about = {
        "configs": ways,
        "outputs": f"resized (V,3,{SIDE},{SIDE}); *_sub = [..., 2::4, 2::4]",
        "constants": {"pixel_mean": mean, "pixel_std": std, "scale": 255.0},
    }
    return about, arrays


def text(words: State) -> tuple[dict, dict]:
    """Tokens, the feature of every sentence, class features."""
    tokens = torch.stack([tokenize([t.format(n) for n in NAMES]) for t in clip.TEMPLATES])
    features = [[clip.text_feature(row, words, 2) for row in rows] for rows in tokens]
    arrays = {
        "tokens": tokens.int(),
        "text_feat_per_template_unnormalised": torch.stack([torch.stack(r) for r in features]),
        "class_features": class_features(words),
    }
    about = {"weights": ["weights_words"], "class_names": NAMES, "templates": clip.TEMPLATES}
    return about, arrays


def class_features(words: State, names: list[str] = NAMES) -> Tensor:
    return clip.class_features(names, words, 2, tokenize)


def seen_by_both(
    image: np.ndarray, text: Tensor, words: State, both: State
) -> tuple[segmenter.Seen, Tensor, list[bool], list[regions.Cut]]:
    """Segmenter's view, mask probabilities (Q, H, W), which are valid, what CLIP gets of those."""
    shown = torch.from_numpy(image)
    seen = segmenter.look([shown], text, both, weights.MODEL)
    masks = opinions.mask_probabilities(
        seen.layers[-1].masks[0], seen.padded_hw, tuple(image.shape[1:])
    )
    assert (masks - SURE).abs().min() > MARGIN, "choose another seed"
    valid = [regions.is_valid(mask, SURE) for mask in masks]
    cuts = [
        regions.cut(shown, mask, SURE, SIDE, *COLOURS.values(), FILL, EXPAND)
        for mask, ok in zip(masks, valid, strict=True)
        if ok
    ]
    return seen, masks, valid, cuts


def cut_features(cuts: list[regions.Cut], words: State, prompts: bool = True) -> Tensor:
    """(V, D)"""
    masks = torch.stack([c.mask for c in cuts]) if prompts else None
    return all_features(torch.stack([c.picture for c in cuts]), masks, words, 4, 2)


def two_pictures() -> dict[str, np.ndarray]:
    """One that fills whole cells of 32 in neither direction, one that does in one."""
    random = DRAWN(20)
    return {"first": picture(random, 38, 46), "second": picture(random, 33, 64)}


def maps(words: State, both: State) -> tuple[dict, dict]:
    """The whole model: features, logits, maps in every mode (conventions 1 to 7)."""
    text = class_features(words)
    nothing = unit(both["clip_adapter.non_object_embedding"])
    everything = torch.cat([text, nothing])
    modes = {
        "mixed": "CLIP_ENSEMBLE True, weight 0.35", "alone": "CLIP_ENSEMBLE False",
        "clip": "CLIP_ENSEMBLE True, weight 0",
        "mixed_bare": "as mixed with MASK_PROMPT_FWD False",
    }  # fmt: skip
    arrays, cases = {"text_features": everything}, {}
    for case, image in two_pictures().items():
        out_hw = tuple(image.shape[1:]) if case == "first" else (25, 20)
        seen, masks, valid, cuts = seen_by_both(image, text, words, both)
        assert len(set(valid)) == 2 or case == "second", "choose a seed with masks of both kinds"
        with_column, bare = (
            opinions.clip_logits(cut_features(cuts, words, prompts), everything)
            for prompts in (True, False)
        )
        last = seen.layers[-1]
        own = opinions.segmenter_opinion(last.logits[0])
        prompted, plain, alone = (
            opinions.clip_opinion(logits[:, :-1], valid, invalid)  # without "no object" (6)
            for logits, invalid in ((with_column, 1.0), (bare, 1.0), (with_column, 0.0))
        )
        by_mode = {
            "mixed": opinions.ensemble(own, prompted, 0.35), "alone": own, "clip": alone,
            "mixed_bare": opinions.ensemble(own, plain, 0.35),
        }  # fmt: skip
        arrays |= {
            f"{case}.image_u8": image, f"{case}.valid": np.array(valid),
            f"{case}.backbone.res3": seen.features["res3"], f"{case}.mask_features": seen.pixels,
            f"{case}.class_embed_out": last.class_embed, f"{case}.pred_logits": last.logits,
            f"{case}.pred_masks": last.masks, f"{case}.clip_logits": with_column,
            f"{case}.clip_logits_noprompt": bare,
        }  # fmt: skip
        for mode, classes in by_mode.items():
            arrays[f"{case}.sem_seg.{mode}"] = opinions.semantic_map(classes, masks, out_hw)
        cases[case] = {
            "image_hw": list(image.shape[1:]), "output_hw": list(out_hw), "n_valid": sum(valid),
            "padded": [1, 3, *seen.padded_hw],
        }  # fmt: skip
    about = {
        "cases": cases, "weights": ["weights_both_tiny"], "class_names": NAMES, "modes": modes,
        "mask_thr": SURE, "mask_fill": FILL, "mask_expand_ratio": EXPAND,
    }  # fmt: skip
    return about, arrays


def demo(words: State, both: State) -> tuple[dict, dict]:
    """Free text, with several names and with one, which "others" stands beside."""
    image, arrays = two_pictures()["second"], {}
    for names, key in ((NAMES, "4names"), ([NAMES[1], OTHERS], "1name")):
        text = class_features(words, names)
        _, masks, valid, cuts = seen_by_both(image, text, words, both)
        logits = opinions.clip_logits(cut_features(cuts, words), text)
        cut = torch.stack([regions.foreground(mask, SURE) for mask in masks])
        arrays[f"tiny.free.{key}"] = opinions.free_text_map(
            opinions.clip_opinion(logits, valid, 1.0), valid, cut, 1 if OTHERS in names else 4
        )
    about = {
        "weights": ["weights_both_tiny"], "class_names": NAMES,
        "notes": {"tiny.caller_list_after_call": [NAMES[1], OTHERS]},
        "input": "image of case second in e_both_<kind>",
    }  # fmt: skip
    return about, arrays


def training_step(words: State, both: State) -> tuple[dict, dict]:
    """Assignments, losses of a batch of three sizes, some gradients (convention 8)."""
    random, sizes = DRAWN(30), {"K": (40, 60), "L": (64, 32), "M": (30, 30)}
    arrays, truth, images = {}, [], []
    for number, (letter, (height, width)) in enumerate(sizes.items(), start=1):
        image = arrays[f"image{letter}_u8"] = picture(random, height, width)
        classes = arrays[f"gt_classes_{letter}"] = random.permutation(len(NAMES))[:number]
        masks = np.zeros((number, height, width), bool)
        for mask in masks:
            y, x = random.randint(0, height // 2), random.randint(0, width // 2)
            mask[y : y + random.randint(5, height), x : x + random.randint(5, width)] = True
        arrays[f"gt_masks_{letter}"] = masks
        images.append(torch.from_numpy(image))
        truth.append((torch.from_numpy(classes), torch.from_numpy(masks)))
    learned = [
        key for key, value in both.items()
        if key.startswith(("backbone.", "sem_seg_head.", "clip_adapter.non_object"))
        and value.is_floating_point()
    ]  # fmt: skip
    w = both | {key: both[key].clone().requires_grad_() for key in learned}
    costs = {"cls": 1.0, "mask": 5.0, "dice": 2.0}
    factor = {"ce": 1.0, "mask": 5.0, "dice": 2.0}
    seen = segmenter.look(images, class_features(words), w, weights.MODEL)
    raw, matches = losses.losses(seen.layers, truth, seen.padded_hw, costs, 0.3)
    loss_weights = {key: factor[key.split("_")[1]] for key in raw}
    total = {key: value * loss_weights[key] for key, value in raw.items()}
    sum(total.values()).backward()
    for key in (
        "clip_adapter.non_object_embedding", "backbone.patch_embed.proj.bias",
        "backbone.layers.0.blocks.1.attn.relative_position_bias_table",
        "sem_seg_head.predictor.query_embed.weight", "sem_seg_head.pixel_decoder.adapter_2.weight",
    ):  # fmt: skip
        arrays[f"grad.{key}"] = w[key].grad
    arrays["target_masks_padded_M_shape"] = np.array([3, *seen.padded_hw])
    for name, layer, matched in zip(("aux0", "last"), seen.layers, matches, strict=True):
        prefix = "" if name == "last" else "aux0."
        arrays |= {f"{prefix}pred_logits": layer.logits, f"{prefix}pred_masks": layer.masks}
        for letter, (queries, masks) in zip(sizes, matched, strict=True):
            arrays |= {
                f"match.{name}.{letter}.query": np.array(queries),
                f"match.{name}.{letter}.gt": np.array(masks),
            }
    emptied = [(truth[0][0][:0], truth[0][1][:0]), *truth[1:]]
    without, _ = losses.losses(seen.layers, emptied, seen.padded_hw, costs, 0.3)
    about = {
        "weights": ["weights_both_tiny"], "class_names": NAMES, "eos_coef": 0.3,
        "matcher_costs": costs, "loss_weights": loss_weights,
        "losses_raw": numbers(raw), "losses_weighted": numbers(total),
        "total_weighted": sum(total.values()).item(),
        "trainable_without_grad": [key for key in learned if w[key].grad is None],
        "empty_target_image": {
            "what": "same batch, image K with zero instances", "losses_raw": numbers(without),
        },
    }  # fmt: skip
    return about, arrays


def numbers(values: dict[str, Tensor]) -> dict[str, float]:
    return {key: value.item() for key, value in values.items()}


def counted() -> tuple[dict, dict]:
    """Metrics of two sets: one lacks a class that is predicted, the other one that is not (9)."""
    classes, ignored, seen = ["x", "y", "z", "v"], 9, [0, 2]
    random, arrays, results = DRAWN(40), {}, {}
    for case, guessed in (("predicted", 4), ("not_predicted", 3)):
        truth = random.choice([0, 1, 2, ignored], (2, 9, 7)).astype(np.uint8)
        guess = np.where(random.rand(2, 9, 7) < 0.5, truth, random.randint(0, guessed, (2, 9, 7)))
        guess = np.where(guess == ignored, 1, guess).astype(np.uint8)
        arrays |= {f"{case}.gt": truth, f"{case}.pred": guess}
        results[case] = metrics_of(truth, guess, classes, ignored, seen)
    about = {"classes": classes, "ignore_label": ignored, "results_percent": results}
    return about, arrays


def metrics_of(truth, guess, classes: list[str], ignored: int, seen: list[int]) -> dict:
    number = len(classes)
    counts = metrics.count(truth.flatten(), guess.flatten(), number, ignored)
    outlines = [[0] * number for _ in range(number)]
    for t, p in zip(truth, guess, strict=True):  # ignored pixels take part as one more id
        edges = metrics.boundaries(np.where(t == ignored, number, t).tolist())
        flat = [sum(rows, []) for rows in (edges, metrics.boundaries(p.tolist()))]
        found = metrics.count(*flat, number, ignored=number)
        outlines = [
            [a + b for a, b in zip(*rows, strict=True)]
            for rows in zip(outlines, found, strict=True)
        ]
    common = metrics.summary(counts)
    for k, label in enumerate(classes):
        area, boundary = metrics.iou(counts, k), metrics.boundary_iou(outlines, k)
        both = area if area is None or boundary is None else min(area, boundary)
        common |= {
            f"IoU-{label}": area, f"ACC-{label}": metrics.accuracy(counts, k),
            f"BoundaryIoU-{label}": boundary, f"min(IoU, B-Iou)-{label}": both,
        }  # fmt: skip
    unseen = [k for k in range(number) if k not in seen]
    of_seen, of_unseen = (metrics.miou(counts, "legacy", part) for part in (seen, unseen))
    split = {
        "mIoU-odd": of_seen, "mIoU-unodd": of_unseen,
        "hIoU-odd": metrics.harmonic(of_seen, of_unseen),
        "pAcc-odd": metrics.pixel_accuracy(counts, seen),
        "pAcc-unodd": metrics.pixel_accuracy(counts, unseen),
    }  # fmt: skip
    legacy, current = (
        metrics.miou(counts, definition, range(number)) for definition in ("legacy", "current")
    )
    table = [[counts[t][p] for t in range(number)] for p in range(number)]
    ignored_as = [int(((truth == ignored) & (guess == p)).sum()) for p in range(number)]
    rows = [[*row, lost] for row, lost in zip(table, ignored_as, strict=True)]
    return {
        "generalized": common | {"mIoU": legacy} | split,
        "detectron2": common | {"mIoU": current},
        "confusion_rows_pred_cols_gt_last_is_ignore": [*rows, [0] * (number + 1)],
        "evaluation_set": {"odd": seen},
    }


if __name__ == "__main__":
    main()
