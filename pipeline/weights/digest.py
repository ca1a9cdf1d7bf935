"""Hash a model's weights: by its numbers in memory, or by the files of its folder.

A model's JSON file is written last and names the sha256 of its weights. So if a writer was killed,
or a file was damaged or exchanged by hand, the folder does not load as a mixture of two models.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_file, of_value

KEY = "sha256"
"""Key of the hashes in a model's JSON file."""


def of_weights(module: nn.Module) -> str:
    """Hash the names, types, shapes and bytes of all parameters and buffers, trained or frozen, on
    any device."""
    digests = []
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest = hashlib.sha256(flat.numpy()).hexdigest()
        digests.append([name, str(tensor.dtype), list(tensor.shape), digest])
    return of_value(digests)


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of these files of a folder, to be stored under KEY in its JSON file."""
    return {name: of_file(folder / name) for name in names}


def verify(folder: Path, config: str, expected: Any, names: Iterable[str]) -> None:
    """Raise UserError if a file is not the one that the JSON file `config` was written with.

    expected: the JSON file's value under KEY, None if it was written by an earlier version. names:
    the files that it may list.
    """
    if expected is None:
        return
    right = isinstance(expected, dict) and all(isinstance(v, str) for v in expected.values())
    if not right or not set(expected) <= set(names):
        raise UserError(
            f"{folder / config}: {KEY} is {expected!r:.80}, expected the hash of each of "
            f"{', '.join(names)}; run the stage that writes it again"
        )
    for name, digest in expected.items():
        if (folder / name).is_file() and of_file(folder / name) != digest:
            raise UserError(
                f"{folder / name}: not the file that {config} was written with, by its sha256: "
                "damaged, or of another model; run the stage that writes them again"
            )
