"""Checkpoints of others in and out: the original OVSeg's, open_clip's, plain MaskFormer's."""
