"""params.yaml: the file, its check section by section, and the presets.

Comes in: the file, and the section of each room as a model. Goes out: checked
sections for the stages, a params.yaml with comments from the models, one line for a wrong key.
"""
