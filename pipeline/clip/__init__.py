"""CLIP that looks at masks: tower, text, regions, and the folder that a CLIP is kept in.

Comes in: a CLIP of open_clip's or a folder of ours; pictures with masks; class names. Goes out:
features of regions and of names, of unit norm (paper, section 3.1 and 3.3), and which way of
looking the CLIP was adapted to (`view.py`).
"""
