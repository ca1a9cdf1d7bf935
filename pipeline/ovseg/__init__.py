"""The two-branch model: masks from a MaskFormer, names from a mask-adapted CLIP.

Three lines use it, where `image` is a Pillow image, a file, or uint8 RGB (height, width, 3):

    from pipeline.ovseg import OVSeg
    model = OVSeg.load("data")
    result = model.segment(image, ["dog", "grass"])
"""

import warnings

with warnings.catch_warnings():  # fvcore, under detectron2, compiles a loss when it is imported
    warnings.filterwarnings("ignore", r".torch\.jit\.script. is deprecated")
    from pipeline.ovseg.model import OVSeg

__all__ = ["OVSeg"]
