"""`ovseg import`: run a released checkpoint here."""

import json
from pathlib import Path

from tyro.conf import Positional

from pipeline.core.errors import MissingFileError, UserError
from pipeline.core.files.places import OutFolder


def import_(
    checkpoint: Positional[Path],
    out: OutFolder = Path("data"),
    into: str = "finetune/second",
    clip_name: str | None = None,
    clip_dim: int | None = None,
    config: str | None = None,
    prompts: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Turn a checkpoint of others into this project's folders.

    Reads a released OVSeg checkpoint (segmenter and CLIP), a mask-adapted CLIP in open_clip's
    layout, or a plain MaskFormer with its fixed classes (masks only). Says of every key of the
    file what became of it, and writes the same to import.json in each folder. Nothing in the file
    is executed.

    Args:
        checkpoint: .pth, .pt, .pkl or .safetensors.
        out: folder to write segmenter/ and the CLIP to.
        into: where under it the CLIP goes: finetune/second, finetune/first or base_clip.
        clip_name: open_clip's name of the CLIP, such as ViT-L-14-quickgelu; default: read off the
            weights, with the quick GELU of OpenAI's.
        clip_dim: width of the CLIP a plain MaskFormer shall go with (512 for ViT-B/16, 768 for
            ViT-L/14); default: that of the CLIP already in `out`. Others tell it themselves.
        config: architecture of a segmenter that is not recognised as a published one: R101c,
            Swin-B, the original's config.yaml or a segmenter.json of ours.
        prompts: mask prompts in a file of their own; default: prompts.safetensors beside a CLIP
            that `ovseg export` wrote.
        overwrite: replace what stands in these folders already.
    """
    from pipeline.checkpoints.architecture import PUBLISHED
    from pipeline.checkpoints.export import CLIP_FILE, PROMPTS_FILE
    from pipeline.checkpoints.import_ import import_checkpoint
    from pipeline.checkpoints.layout import has_fixed_classes
    from pipeline.checkpoints.prompts import read_prompts
    from pipeline.clip.store import CONFIG as CLIP_CONFIG
    from pipeline.clip.store import save_clip
    from pipeline.clip.tower import MaskClip
    from pipeline.maskformer.maskformer import MaskFormer
    from pipeline.maskformer.store import CONFIG as SEGMENTER_CONFIG
    from pipeline.maskformer.store import save_segmenter
    from pipeline.weights.read import read_tensors

    if into not in ("finetune/second", "finetune/first", "base_clip"):
        raise UserError(
            f"--into {into}: expected finetune/second, finetune/first or base_clip, where the "
            "other commands look for a CLIP"
        )
    file = read_tensors(checkpoint)
    beside = checkpoint.with_name(PROMPTS_FILE)
    exported = checkpoint.name == CLIP_FILE and "clip" in file.about and beside.is_file()
    prompts = prompts or (beside if exported else None)
    imported = import_checkpoint(
        file,
        checkpoint,
        clip_name=clip_name,
        clip_dim=clip_dim or (_clip_dim(out, into) if has_fixed_classes(file.tensors) else None),
        architecture=None if config is None else PUBLISHED.get(config) or _yaml(Path(config)),
        prompts=None if prompts is None else read_prompts(prompts),
    )
    if prompts is not None:
        imported.notes.append(f"mask prompts from {prompts}")
    targets: dict[Path, tuple[MaskFormer | MaskClip, str]] = {}
    if imported.segmenter is not None:
        targets[out / "segmenter"] = (imported.segmenter, SEGMENTER_CONFIG)
    if imported.clip is not None:
        targets[out / into] = (imported.clip, CLIP_CONFIG)
    there = [str(folder) for folder, (_, name) in targets.items() if (folder / name).exists()]
    if there and not overwrite:
        raise UserError(
            f"{' and '.join(there)} would be replaced; pass --overwrite, or another --out"
        )
    account = {
        "checkpoint": str(checkpoint),
        "notes": imported.notes,
        "filled": imported.filled,
        "left_over": imported.left_over,
        "used": imported.used,
    }
    for folder, (model, _) in targets.items():
        if isinstance(model, MaskClip):
            save_clip(folder, model, model.name)
        else:
            save_segmenter(folder, model)
        text = json.dumps(account, ensure_ascii=False, indent=1)
        (folder / "import.json").write_text(text + "\n", encoding="utf-8")
        print(f"wrote {folder}: {_what(model)}")
    _print(account)


def _what(model) -> str:
    from pipeline.clip.tower import MaskClip

    if isinstance(model, MaskClip):
        return (
            f"CLIP of {model.image_size} px, patch {model.patch_size}, {model.layers} layers, "
            f"width {model.prompt_shape[1]}, mask prompts of depth {model.prompt_depth}"
        )
    architecture = model.config
    backbone = architecture.backbone
    kind = f"ResNet-{backbone.depth}" if backbone.kind == "resnet" else f"Swin {backbone.embed_dim}"
    return (
        f"MaskFormer on {kind}, {architecture.queries} queries, {architecture.decoder_layers} "
        f"decoder layers, for a CLIP of width {architecture.clip_dim}"
    )


def _print(account: dict) -> None:
    print(f"used: {len(account['used'])} keys")
    for what in ("left_over", "filled"):
        by_reason: dict[str, list[str]] = {}
        for key, why in account[what].items():
            by_reason.setdefault(why, []).append(key)
        for why, keys in by_reason.items():
            label = "left over" if what == "left_over" else "missing"
            print(f"{label}: {', '.join(keys)} ({why})")
    for note in account["notes"]:
        print(f"note: {note}")


def _clip_dim(out: Path, into: str) -> int | None:
    for folder in (into, "base_clip"):
        file = out / folder / "clip.json"
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))["model_cfg"]["embed_dim"]
    return None


def _yaml(path: Path) -> dict:
    import yaml

    from pipeline.checkpoints.architecture import CHOICES

    if not path.is_file():
        raise MissingFileError(f"--config {path}: no such file, expected {CHOICES}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}".replace("\n", " ")) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: expected a mapping with the key MODEL (or, of a segmenter.json, backbone)"
        )
    return content
