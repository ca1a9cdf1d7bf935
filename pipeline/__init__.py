"""OVSeg (Liang et al., CVPR 2023) as a pipeline: from captions to a mask-adapted CLIP."""
