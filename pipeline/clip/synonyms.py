"""Read a class of several names, "door, door frame", before its text is encoded."""

from typing import Literal

Synonyms = Literal["joined", "averaged", "first"]
"""How a class of several names, "door, door frame", is read: as one string, as in the original; as
the mean of its names; or by its first name alone."""


def synonyms(name: str) -> list[str]:
    """Split a comma-separated class name: "door, door frame" -> ["door", "door frame"]."""
    return [part.strip() for part in name.split(",") if part.strip()]


def read_name(name: str, reading: Synonyms) -> list[str]:
    """Return the names whose text features make up a class; without a comma, the name itself."""
    if reading == "joined":
        return [name]
    names = synonyms(name) or [name]
    return names if reading == "averaged" else names[:1]
