"""Stage `segmenter`: train MaskFormer on the closed set, and measure its mask recall.

Comes in: data/dataset and the text features of a CLIP. Goes out: data/segmenter
(`pipeline/maskformer/store.py` describes the folder) and the curves (paper, section 3.1).
"""
