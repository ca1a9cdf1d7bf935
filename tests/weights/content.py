"""A state dict, and what stores and compares it in the tests of weight files."""

import pathlib

import torch

STATE = {
    "visual.conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "visual.ln.bias": torch.tensor([0.5, -1.0], dtype=torch.float16),
    "steps": torch.tensor(7),
}
ONE = torch.ones(2, 3)


def same(found, expected=STATE) -> bool:
    return list(found) == list(expected) and all(
        found[key].dtype == value.dtype and torch.equal(found[key], value)
        for key, value in expected.items()
    )


def stored(path, content, **options) -> pathlib.Path:
    torch.save(content, path, **options)
    return path


def under(prefix) -> dict:
    return {prefix + key: value for key, value in STATE.items()}
