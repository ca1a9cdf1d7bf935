"""OVSeg (Liang et al., CVPR 2023) as a pipeline: from captions to a mask-adapted CLIP."""

import os
import warnings

# Left to itself, MKL cuts long sums into pieces by the number of rows and threads: a region's
# logits would depend on how many others share its batch. MKL reads this when it first calculates,
# so a script that multiplies matrices before it imports this package sets the variable itself.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# fvcore, under detectron2, compiles a loss when it is imported: nothing a user could act on.
warnings.filterwarnings("ignore", r".torch\.jit\.script. is deprecated", FutureWarning)
warnings.filterwarnings("ignore", r".torch\.jit\.script. is deprecated", DeprecationWarning)
