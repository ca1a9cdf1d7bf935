"""The choices a caller has, by name: how to combine the two branches, and how exactly to
calculate. (Importing them costs nothing: the command line names them before it loads torch.)"""

from typing import Literal

Mode = Literal["free-text", "ensemble", "clip", "segmenter"]
"""free-text: CLIP names one mask per class, the rest stays unnamed (the demo); ensemble: both
branches, every pixel named (the method as evaluated); clip, segmenter: one branch alone."""

Precision = Literal["float32", "bfloat16", "float16"]
"""Of the arithmetic inside the two networks; float32 is the reference."""
