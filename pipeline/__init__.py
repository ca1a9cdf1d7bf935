"""OVSeg (Liang et al., CVPR 2023) as a pipeline: from captions to a mask-adapted CLIP."""

import warnings

# fvcore, under detectron2, compiles a loss when it is imported: nothing a user could act on.
warnings.filterwarnings("ignore", r".torch\.jit\.script. is deprecated", FutureWarning)
warnings.filterwarnings("ignore", r".torch\.jit\.script. is deprecated", DeprecationWarning)
