"""The choices a caller has: how to combine the two branches, how exactly to calculate, and how
large a picture is looked at. (Importing them costs nothing: the command line names them before it
loads torch.)"""

from typing import Literal

Mode = Literal["free-text", "ensemble", "clip", "segmenter"]
"""free-text: CLIP names one mask per class, the rest stays unnamed (the demo); ensemble: both
branches, every pixel named (the method as evaluated); clip, segmenter: one branch alone."""

Precision = Literal["float32", "bfloat16", "float16"]
"""Of the arithmetic inside the two networks; float32 is the reference."""

LOOK_PIXELS = 2**21
"""Pixels of a picture that the networks look at, unless told otherwise: 1,440 x 1,440, and every
size that the published models are tested at (at most 640 x 2,560). Larger pictures are made
smaller for them, since memory grows with the look: some 500 bytes a pixel with 49 masks."""
