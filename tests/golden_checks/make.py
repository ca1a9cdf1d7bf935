"""A second folder of goldens in the form of the first, of other seeds and sizes.

Its numbers come from our own modules, so it says nothing about the original. It shows that the
checks read everything about a case from its description.
"""

from pathlib import Path

import torch

from pipeline.checkpoints.give import original_layout
from pipeline.clip.store import PROMPT_KEY
from pipeline.segmenter.maskformer import MaskFormer
from pipeline.segmenter.original import segmenter_config
from tests.golden_checks.folder import CLIP, MODEL, TOWER, Writer, random_clip
from tests.golden_checks.make_clip import (
    write_regions,
    write_text,
    write_towers,
    write_training_side,
)
from tests.golden_checks.make_model import (
    write_demo,
    write_metrics,
    write_model,
    write_training_step,
)


@torch.no_grad()
def make(folder: Path) -> None:
    """Write a whole folder."""
    out = Writer(folder)
    clip, tower = random_clip(CLIP), random_clip(TOWER)
    state = clip.clip.state_dict() | {PROMPT_KEY: clip.prompts}
    out.add("weights_words", {"config": CLIP, "n_keys": len(state)}, state)
    image_only = {k: v for k, v in tower.clip.state_dict().items() if k.startswith("visual.")}
    image_only[PROMPT_KEY] = tower.prompts
    out.add("weights_pixels", {"config": TOWER, "n_keys": len(image_only)}, image_only)
    write_towers(out, clip, tower)
    write_training_side(out, clip)
    write_regions(out)
    write_text(out, clip)
    clip.mean.copy_(torch.tensor([0.4, 0.5, 0.6]))
    clip.std.copy_(torch.tensor([0.2, 0.3, 0.25]))
    torch.manual_seed(6)
    segmenter = MaskFormer(segmenter_config({"MODEL": MODEL})).eval()
    whole = original_layout(segmenter, clip, classes=4)
    out.add("weights_both_tiny", {"config": {"MODEL": MODEL}, "n_keys": len(whole)}, whole)
    golden = write_model(out, segmenter, clip)
    write_demo(out, golden)
    with torch.enable_grad():
        write_training_step(out, segmenter, clip)
    write_metrics(out)
