"""Data sets as downloaded, and one's own folder, read into one index (stage `dataset`).

Comes in: pictures, captions, label maps, instances of COCO, ADE20K, PASCAL, the OpenMoji world or a
folder of one's own. Goes out: data/dataset, records of pictures with captions, evaluation sets with
label maps, and whatever cannot be used, with the reason. `check.py` reads the same without writing.
"""
