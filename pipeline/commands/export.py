"""`ovseg export`: take what was trained here elsewhere."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipeline.core.files.places import OutFolder


def export(
    out: Positional[OutFolder],
    model: Path = Path("data"),
    clip: str = "finetune/second",
    what: Literal["all", "clip", "model"] = "all",
    classes: int | None = None,
) -> None:
    """Write files that open_clip and the original OVSeg load, and print how to use them.

    clip.safetensors and prompts.safetensors: the adapted CLIP for open_clip, its mask prompts
    beside it. ovseg.pth: segmenter and CLIP in the original's layout; `ovseg import` reads it back
    bit for bit.

    Args:
        out: folder to write to.
        model: folder that the pipeline wrote (segmenter/, finetune/, base_clip/).
        clip: which CLIP inside it: finetune/second, finetune/first or base_clip.
        what: clip, model (the one file with both) or all.
        classes: how many classes the segmenter was trained on; sizes one constant of ovseg.pth.
            Default: as the segmenter's folder records, 171 (COCO-Stuff) where it does not.
    """
    from pipeline.checkpoints.export import (
        CLIP_FILE,
        MODEL_FILE,
        PROMPTS_FILE,
        export_clip,
        export_model,
    )
    from pipeline.clip.store import load_clip
    from pipeline.maskformer.store import load_segmenter

    adapted = load_clip(model / clip)
    if what != "model":
        name, known = export_clip(out, adapted)
        print("The CLIP, for whole pictures:\n")
        print("    import open_clip")
        if not known:
            print(f'    open_clip.add_model_config("{out / name}.json")')
        print(f"    {_creation(name, out / CLIP_FILE, adapted)}\n")
        if adapted.prompts is not None:
            print("Its mask prompts, for masked crops; masks (B, S, S) are true on the object:\n")
            print("    from pipeline.checkpoints.prompts import with_prompts")
            print(f'    clip = with_prompts(model, "{out / PROMPTS_FILE}")')
            print("    features = clip.encode_image(images, masks)\n")
    if what != "clip":
        segmenter = load_segmenter(model / "segmenter")
        tensors = export_model(out / MODEL_FILE, segmenter, adapted, classes)
        print(
            f"The whole model in the original's layout, {len(tensors)} tensors: {out / MODEL_FILE}"
        )
        if segmenter.config.query_kind != "learned":
            print(
                f"(Its {segmenter.config.query_kind} queries are this project's own: the "
                "original's code cannot run it, `ovseg import` can.)"
            )


def _creation(name: str, file: Path, clip) -> str:
    """Return the line that builds the model. `open_clip` uses OpenAI's mean and std unless others
    are passed in."""
    import open_clip
    import torch

    colours = torch.stack([clip.mean, clip.std]).cpu()
    usual = torch.tensor([open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD])
    if torch.equal(colours, usual):
        return f'model = open_clip.create_model("{name}", pretrained="{file}")'
    mean, std = (tuple(round(value, 8) for value in colour) for colour in colours.tolist())
    return (
        f'model, _, preprocess = open_clip.create_model_and_transforms("{name}", '
        f'pretrained="{file}", image_mean={mean}, image_std={std})'
    )
