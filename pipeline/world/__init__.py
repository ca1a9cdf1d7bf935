"""The OpenMoji world: a small data set that is drawn, so that everything can be run anywhere.

Comes in: seeds and sizes. Goes out: scenes with captions, label maps and objects in COCO's layout;
and, for the shipped miniature CLIP, the pictures and the recipe that it was trained with.
"""
