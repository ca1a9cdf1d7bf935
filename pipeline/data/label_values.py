"""Check the stored values of label maps, of each map and of all maps together.

A map may look right by itself while the whole set shows that the numbers mean something else: maps
painted 0 and 255 as masks of one object, or maps that count classes from one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError
from pipeline.data.coco_json import Fault
from pipeline.data.index import read_all
from pipeline.data.labels import LabelMap, read_label

IGNORE = 255
_SHOWN = 10

Values = Mapping[int, int]
"""Stored value -> number of pixels of a map that have it."""


@dataclass
class Occurrences:
    """How often classes occur in label maps: number of maps and of pixels, by class id."""

    maps: Counter = field(default_factory=Counter)
    pixels: Counter = field(default_factory=Counter)

    def add(self, values: Values, label_map: LabelMap) -> None:
        """Count a map. label_map: stored value -> class id; other values are skipped."""
        for value in values.keys() & label_map.keys():
            self.maps[label_map[value]] += 1
            self.pixels[label_map[value]] += values[value]


def read_values(
    root: Path, maps: Sequence[str], description: str
) -> tuple[dict[str, Values], dict[str, Fault]]:
    """Decode label maps; return the values of those that can be read and the faults of the others,
    by path below `root`."""

    def read(path: str) -> Values | Fault:
        try:
            return stored_values(root / path)
        except UserError as error:
            return "unreadable label map", str(error)

    values: dict[str, Values] = {}
    faults: dict[str, Fault] = {}
    for path, found in read_all(maps, read, description):
        if isinstance(found, tuple):
            faults[path] = found
        else:
            values[path] = found
    return values, faults


def stored_values(path: Path) -> Values:
    """Count the values of one label map. MissingFileError or UserError as `read_label`."""
    label = read_label(path).reshape(-1)
    if label.min(initial=0) < 0 or label.max(initial=0) > 65535:
        values, pixels = np.unique(label, return_counts=True)
    else:  # sorts nothing, so ten times as fast
        pixels = np.bincount(label)
        values = np.flatnonzero(pixels)
        pixels = pixels[values]
    return dict(zip(values.tolist(), pixels.tolist(), strict=True))


def value_faults(
    found: Mapping[str, Values], classes: Set[int], unlabelled: Set[int], expected: str
) -> dict[str, Fault]:
    """Return what is wrong with the values of label maps of one set, by map.

    Args:
        found: the values of every map.
        classes: stored values that are classes; unlabelled: those that mean "not labelled".
        expected: describes the allowed values, for messages.
    """
    together = set().union(*found.values())
    if together == {0, IGNORE} and 0 in classes:
        detail = (
            "no map holds anything else, and 0 is the first class, 255 not labelled; expected "
            f"{expected}. If 255 is an object, write its class id there; if 0 is the first class, "
            "make the rest a class too"
        )
        return dict.fromkeys(found, ("label maps painted 0 and 255", detail))
    if len(found) > 1 and together and together <= unlabelled - classes:
        detail = f"found only {_listed(together)} in all maps: not labelled; expected {expected}"
        return dict.fromkeys(found, ("label maps without a label", detail))
    unknown = together - classes - unlabelled
    behind = {value + more for value in classes for more in (1, 2)}  # 183 is COCO-Stuff's "other"
    many = 2 * len(together & classes) >= len(classes)  # so that the first class is missed
    absent = {IGNORE} - together or ({0} - together if many else set())
    one_more = classes == set(range(len(classes))) and unknown == {len(classes)}
    if unknown and unknown <= behind and unlabelled == {IGNORE} and (absent or one_more):
        lacking = f" and {_listed(absent)} in none" if absent else ""
        detail = (
            f"found {_listed(unknown)} in some{lacking}; expected {expected}. Do they count from "
            "one, is 0 the background, or are classes missing in the list? Then add them to the "
            "list (a background as its first line)"
        )
        return dict.fromkeys(found, ("label maps numbered otherwise", detail))
    faults = {}
    for path, values in found.items():
        if wrong := set(values) - classes - unlabelled:
            detail = f"found {_listed(wrong)}; expected {expected}"
            faults[path] = ("unknown class in label map", detail)
    return faults


def _listed(values: Set[int]) -> str:
    ordered = sorted(values)
    shown = ", ".join(map(str, ordered[:_SHOWN]))
    if len(ordered) > _SHOWN:
        shown += f" and {len(ordered) - _SHOWN} more"
    return shown
