"""The second folder's files on the whole model, its training step and the metrics."""

import numpy as np
import torch
from torch.nn.functional import normalize

from pipeline.clip.text import class_features
from pipeline.clip.tower import MaskClip
from pipeline.evaluation.boundary import boundary_confusion, boundary_iou, least_iou
from pipeline.evaluation.confusion import confusion_matrix
from pipeline.evaluation.metrics import class_accuracy, class_iou, segmentation_metrics
from pipeline.segmenter.criterion import losses, weighted
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.matcher import LossWeights, Target, match, pad
from pipeline.segmenter.propose import propose
from tests.golden_checks.folder import NAMES, Writer
from tests.golden_checks.model import Ways, model_of, picture
from tests.goldens import Golden


def write_model(out: Writer, segmenter: MaskFormer, clip: MaskClip) -> Golden:
    text = class_features(clip, NAMES)
    own = normalize(segmenter.clip_adapter.non_object_embedding, dim=-1)
    modes = {
        "mixed": "CLIP_ENSEMBLE True, weight 0.35", "alone": "CLIP_ENSEMBLE False",
        "clip": "CLIP_ENSEMBLE True, weight 0",
        "mixed_bare": "as mixed with MASK_PROMPT_FWD False",
    }  # fmt: skip
    sizes = {"first": ((70, 90), (70, 90)), "second": ((33, 64), (50, 40))}
    arrays, cases = {"text_features": torch.cat([text, own])}, {}
    for case, (size, output) in sizes.items():
        image = arrays[f"{case}.image_u8"] = out.pixels(3, *size)
        image = torch.from_numpy(image)
        seen = segmenter([image], text)
        arrays |= {f"{case}.pred_logits": seen.pred_logits, f"{case}.pred_masks": seen.pred_masks}
        batch = segmenter.prepare([image])
        arrays[f"{case}.backbone.res3"] = segmenter.backbone(batch)["res3"]
        [found] = propose(segmenter, [image], text)
        threshold = 0.5
        valid = (found.masks > threshold).flatten(1).any(dim=1)
        arrays[f"{case}.valid"] = valid
        cases[case] = {"image_hw": size, "output_hw": output, "padded": list(batch.shape),
                       "n_valid": int(valid.sum())}  # fmt: skip
    about = {
        "cases": cases, "weights": ["weights_both_tiny"], "class_names": NAMES, "modes": modes,
        "mask_thr": threshold, "mask_fill": "zero", "mask_expand_ratio": 1.2,
    }  # fmt: skip
    golden = out.add("e_both_tiny", about, arrays)
    for case in sizes:
        for mode in modes:
            ways = Ways.of(mode, modes)
            arrays[f"{case}.sem_seg.{mode}"] = model_of(golden, ways).scores(
                picture(golden, case), NAMES, ways.branch, sizes[case][1]
            )
    return out.add("e_both_tiny", about, arrays)


def write_demo(out: Writer, golden: Golden) -> None:
    shown = picture(golden, "second")
    scores = {
        f"tiny.free.{len(names)}name{'s' * (len(names) > 1)}": model_of(golden).scores(
            shown, names, "free-text"
        )
        for names in (NAMES, NAMES[1:2])
    }
    about = {
        "weights": ["weights_both_tiny"], "class_names": NAMES,
        "notes": {"tiny.caller_list_after_call": [NAMES[1], "others"]},
        "input": "image of case second in e_both_<kind>",
    }  # fmt: skip
    out.add("f_demo", about, scores)


def write_training_step(out: Writer, segmenter: MaskFormer, clip: MaskClip) -> None:
    sizes, arrays, targets, images = {"K": (40, 60), "L": (64, 32), "M": (30, 30)}, {}, {}, []
    for letter, size in sizes.items():
        count = len(targets) + 1
        arrays[f"image{letter}_u8"] = out.pixels(3, *size)
        arrays[f"gt_classes_{letter}"] = out.random.permutation(len(NAMES))[:count]
        arrays[f"gt_masks_{letter}"] = out.random.random((count, *size)) < 0.3
        targets[letter] = Target(
            torch.from_numpy(arrays[f"gt_classes_{letter}"]),
            torch.from_numpy(arrays[f"gt_masks_{letter}"]),
        )
        images.append(torch.from_numpy(arrays[f"image{letter}_u8"]))
    weights = LossWeights(1.0, 5.0, 2.0, 0.3)
    segmenter.train()
    output = segmenter(images, class_features(clip, NAMES))
    raw = losses(output, list(targets.values()), weights)
    total = weighted(raw, weights)
    sum(total.values()).backward()
    for name in ("clip_adapter.non_object_embedding", "backbone.patch_embed.proj.bias"):
        arrays[f"grad.{name}"] = segmenter.get_parameter(name).grad
    arrays["target_masks_padded_M_shape"] = np.array(
        pad(targets["M"].masks, output.padded_hw).shape
    )
    for layer, predicted in {"last": output, "aux0": output.aux[0]}.items():
        prefix = "" if layer == "last" else "aux0."
        arrays[f"{prefix}pred_logits"] = predicted.pred_logits
        arrays[f"{prefix}pred_masks"] = predicted.pred_masks
        matches = match(
            predicted.pred_logits, predicted.pred_masks, list(targets.values()),
            output.padded_hw, weights,
        )  # fmt: skip
        for letter, (query, truth) in zip(targets, matches, strict=True):
            arrays |= {f"match.{layer}.{letter}.query": query, f"match.{layer}.{letter}.gt": truth}
    silent = [k for k, p in segmenter.named_parameters() if p.requires_grad and p.grad is None]
    kept = targets | {"K": Target(targets["K"].labels[:0], targets["K"].masks[:0])}
    without = losses(output, list(kept.values()), weights)
    factor = {"ce": 1.0, "mask": 5.0, "dice": 2.0}
    about = {
        "weights": ["weights_both_tiny"], "class_names": NAMES, "eos_coef": 0.3,
        "matcher_costs": {"cls": 1.0, "mask": 5.0, "dice": 2.0},
        "loss_weights": {key: factor[key.split("_")[1]] for key in raw},
        "losses_raw": {k: v.item() for k, v in raw.items()},
        "losses_weighted": {k: v.item() for k, v in total.items()},
        "total_weighted": sum(v.item() for v in total.values()),
        "trainable_without_grad": silent,
        "empty_target_image": {
            "what": "same batch, image K with zero instances",
            "losses_raw": {k: v.item() for k, v in without.items()},
        },
    }  # fmt: skip
    out.add("g_training", about, arrays)


def write_metrics(out: Writer) -> None:
    classes, ignored = ["x", "y", "z"], 9
    truth = out.random.choice([0, 1, ignored], (2, 9, 7)).astype(np.uint8)
    guess = out.random.integers(0, 3, (2, 9, 7)).astype(np.uint8)
    confusion = confusion_matrix(guess, truth, 3, ignored)
    padded = np.zeros((4, 4), int)
    padded[:-1, :-1] = confusion[:, :-1].T
    padded[:-1, -1] = np.bincount(guess[truth == ignored], minlength=3)
    outlines = sum(boundary_confusion(*pair, 3, ignored) for pair in zip(guess, truth, strict=True))
    boundary = boundary_iou(outlines)
    least = least_iou(class_iou(confusion), boundary)
    metrics = segmentation_metrics(confusion, [0, 2])
    common = {"fwIoU": metrics["fwiou"], "pACC": metrics["pixel_accuracy"],
              "mACC": metrics["mean_accuracy"]}  # fmt: skip
    numbers = {
        "IoU": class_iou(confusion), "ACC": class_accuracy(confusion),
        "BoundaryIoU": boundary, "min(IoU, B-Iou)": least,
    }  # fmt: skip
    for key, values in numbers.items():
        for label, value in zip(classes, values, strict=True):
            common[f"{key}-{label}"] = None if np.isnan(value) else float(value)
    split = {
        "mIoU-odd": metrics["miou_seen_legacy"], "mIoU-unodd": metrics["miou_unseen_legacy"],
        "pAcc-odd": metrics["pixel_accuracy_seen"], "hIoU-odd": metrics["hiou_legacy"],
        "pAcc-unodd": metrics["pixel_accuracy_unseen"],
    }  # fmt: skip
    results = {
        "generalized": common | {"mIoU": metrics["miou_legacy"]} | split,
        "detectron2": common | {"mIoU": metrics["miou_current"]},
        "confusion_rows_pred_cols_gt_last_is_ignore": padded.tolist(),
        "evaluation_set": {"odd": [0, 2]},
    }
    about = {"classes": classes, "ignore_label": ignored, "results_percent": {"only": results}}
    out.add("h_metrics", about, {"only.gt": truth, "only.pred": guess})
