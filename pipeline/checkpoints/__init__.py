"""Import and export checkpoints: the original OVSeg's, open_clip's, plain MaskFormer's.

Comes in: a file and its layout (docs/checkpoints.md). Goes out: a segmenter and a CLIP in our
folders; or ours in the layouts of open_clip and of the original.
"""
