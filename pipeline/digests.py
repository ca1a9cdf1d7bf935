"""Which weights belong to a model's JSON file: it is written last and names their sha256.

So a folder in which a writer was killed, or a file that was damaged or put there by hand, does not
load as a mixture of two models.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.errors import UserError
from pipeline.fingerprint import of_file

KEY = "sha256"


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """sha256 of these files of a folder, to be written under KEY of its JSON file."""
    return {name: of_file(folder / name) for name in names}


def verify(folder: Path, config: str, expected: Mapping[str, str] | None) -> None:
    """UserError when a file is not the one that the JSON file `config` was written with.

    expected: what the JSON file has under KEY, None for one that has none: written by an earlier
    version.
    """
    for name, digest in (expected or {}).items():
        if (folder / name).is_file() and of_file(folder / name) != digest:
            raise UserError(
                f"{folder / name}: not the file that {config} was written with, by its sha256: "
                "damaged, or of another model; run the stage that writes them again"
            )
