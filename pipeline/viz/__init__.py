"""Draw pictures for people: labels over a photograph, panels side by side.

Comes in: uint8 RGB, label maps, class names. Goes out: drawn pictures, PNG files.
"""
