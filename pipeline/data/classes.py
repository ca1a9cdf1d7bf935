"""Class lists of the benchmarks.

`classes/<list>.tsv`, tab-separated, one class a line in class-id order, `#` starts a comment:

    stored value    name    note

The stored value is what the benchmark's own label files hold, so the list is the label map too.
The name is what the benchmark's users expect, as a whole: "door, door frame" goes into a prompt
with its comma, as in the original. `pipeline/clip/synonyms.py` splits it for those who would rather
average.
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline.data.labels import LabelMap

FOLDER = Path(__file__).parent / "classes"


@dataclass(frozen=True)
class ClassList:
    """names, stored (value in the label files) and notes (third column), all by class id."""

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
    """Load a class list of this package; `name` is its file name without the suffix."""
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
