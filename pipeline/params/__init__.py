"""params.yaml: the file, its check section by section, and the presets.

Comes in: the file, and each room's own section as a model (its `params.py`). Goes out: checked
sections for the stages, a params.yaml with comments from the models, one line for a wrong key.
"""
