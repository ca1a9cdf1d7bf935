"""CLIP that looks at masks: tower, text, regions, and the folder that a CLIP is kept in.

Comes in: a CLIP of open_clip's or a folder of ours; pictures with masks; class names. Goes out:
features of regions and of names (paper, sections 3.1 and 3.3), and how the CLIP is to be used
(`view.py`).
"""
