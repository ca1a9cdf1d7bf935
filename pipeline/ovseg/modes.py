"""How to combine the two branches, by name."""

from typing import Literal

Mode = Literal["free-text", "ensemble", "clip", "segmenter"]
"""free-text: CLIP names one mask per class, the rest stays unnamed (the demo); ensemble: both
branches, every pixel named (the method as evaluated); clip, segmenter: one branch alone."""
