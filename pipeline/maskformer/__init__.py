"""MaskFormer with text embeddings for classes: the network, its masks, its folder.

Comes in: pictures. Goes out: soft masks and a class embedding for each (paper, section 3.1).
Training it is the room `segmenter`.
"""
