"""From the network's output to mask probabilities at a picture's size (convention 2)."""

from torch import Tensor
from torch.nn import functional as F

from pipeline.segmenter.maskformer import SegmenterOutput


def mask_probabilities(
    output: SegmenterOutput,
    i: int,
    image_hw: tuple[int, int],
    out_hw: tuple[int, int] | None = None,
) -> Tensor:
    """Foreground probabilities of picture i of the batch: (Q,H,W) float32 in [0,1].

    The logits are enlarged bilinearly to the padded size, cropped to `image_hw` (the size that
    went into the segmenter) and squashed; then, where `out_hw` is given, resized bilinearly.
    """
    logits = F.interpolate(
        output.pred_masks[i : i + 1], output.padded_hw, mode="bilinear", align_corners=False
    )
    masks = logits[:, :, : image_hw[0], : image_hw[1]].sigmoid()
    if out_hw is not None and tuple(out_hw) != tuple(image_hw):
        masks = F.interpolate(masks, out_hw, mode="bilinear", align_corners=False)
    return masks[0]


def objectness(output: SegmenterOutput, i: int) -> Tensor:
    """1 - p(no object) of every query of picture i: (Q,) float32 in [0,1]."""
    return 1 - output.pred_logits[i].softmax(-1)[:, -1]
