"""The two-branch model: masks from a MaskFormer, names from a mask-adapted CLIP.

Three lines use it, where `image` is uint8 RGB (height, width, 3):

    from pipeline.ovseg import OVSeg
    model = OVSeg.load("data")
    result = model.segment(image, ["dog", "grass"])
"""

from typing import Any

__all__ = ["OVSeg"]


def __getattr__(name: str) -> Any:
    """OVSeg, imported when it is asked for: the command line reads `modes` and needs no torch."""
    if name == "OVSeg":
        from pipeline.ovseg.model import OVSeg

        return OVSeg
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
