"""The two-branch model: masks from a MaskFormer, names from a mask-adapted CLIP.

Three lines use it, where `image` is a Pillow image, a file, or uint8 RGB (height, width, 3):

    from pipeline.ovseg import OVSeg
    model = OVSeg.load("data")
    result = model.segment(image, ["dog", "grass"])
"""

from pipeline.ovseg.model import OVSeg

__all__ = ["OVSeg"]
