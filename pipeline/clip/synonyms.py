"""How a class of several names, "door, door frame", is read before its text is encoded."""

from typing import Literal

Synonyms = Literal["joined", "averaged", "first"]
"""How a class of several names, "door, door frame", is read: as it stands, as the original does; as
the mean of its names; or by its first name alone."""


def synonyms(name: str) -> list[str]:
    """The names in a comma-separated class name: "door, door frame" -> ["door", "door frame"]."""
    return [part.strip() for part in name.split(",") if part.strip()]


def read_name(name: str, reading: Synonyms) -> list[str]:
    """The names whose text features make up a class; its own where no comma parts it."""
    if reading == "joined":
        return [name]
    names = synonyms(name) or [name]
    return names if reading == "averaged" else names[:1]
