"""Class lists of the benchmarks, and their synonyms.

`classes/<list>.tsv`, tab-separated, one class a line in class-id order, `#` starts a comment:

    stored value    name    note

The stored value is what the benchmark's own label files hold, so the list is the label map too.
The name is what the benchmark's users expect, as a whole: "door, door frame" goes into a prompt
with its comma, as in the original. `read_name` splits it for those who would rather average.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.data.labels import LabelMap

Synonyms = Literal["joined", "averaged", "first"]
"""How a class of several names, "door, door frame", is read: as it stands, as the original does; as
the mean of its names; or by its first name alone."""
FOLDER = Path(__file__).parent / "classes"


@dataclass(frozen=True)
class ClassList:
    """names: by class id; stored: value of each class in the label files; notes: third column."""

    names: list[str]
    stored: list[int]
    notes: list[str]

    @property
    def label_map(self) -> LabelMap:
        return {value: class_id for class_id, value in enumerate(self.stored)}

    @property
    def seen(self) -> list[int]:
        """Ids of the classes whose note is not "unseen"."""
        return [class_id for class_id, note in enumerate(self.notes) if note != "unseen"]


def load_class_list(name: str) -> ClassList:
    """A class list of this package, by its file name without the ending."""
    rows = [
        (line.split("\t") + [""])[:3]
        for line in (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    return ClassList(
        names=[row[1] for row in rows],
        stored=[int(row[0]) for row in rows],
        notes=[row[2] for row in rows],
    )


def synonyms(name: str) -> list[str]:
    """The names in a comma-separated class name: "door, door frame" -> ["door", "door frame"]."""
    return [part.strip() for part in name.split(",") if part.strip()]


def read_name(name: str, how: Synonyms) -> list[str]:
    """The names whose text features make up a class; its own where no comma parts it."""
    if how == "joined":
        return [name]
    names = synonyms(name) or [name]
    return names if how == "averaged" else names[:1]
