"""The names of two choices: how to combine the branches, and in which precision to calculate.

This module imports nothing heavy: the command line lists the names before it loads torch."""

from typing import Literal

Mode = Literal["free-text", "ensemble", "clip", "segmenter"]
"""free-text: CLIP names one mask per class, the rest stays unnamed (the demo); ensemble: both
branches, every pixel named (the method as evaluated); clip, segmenter: one branch alone."""

Precision = Literal["float32", "bfloat16", "float16"]
"""Precision of the arithmetic inside the two networks; float32 is the reference."""
