"""A fine-tuning that dies in the middle, and what is left to do for the next one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.finetune import train


class Killed(Exception):
    """Ends a training in a test."""


@contextmanager
def killed_at(index: int) -> Iterator[None]:
    """Let the training of the block do the steps before `index`, and see that it dies there."""
    step = train._Run.step

    def dying(self, at, batch):
        if at == index:
            raise Killed
        return step(self, at, batch)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train._Run, "step", dying)
        yield


def noted_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the trainings that follow append the number of each step they do."""
    step, steps = train._Run.step, []

    def noting(self, at, batch):
        steps.append(at)
        return step(self, at, batch)

    monkeypatch.setattr(train._Run, "step", noting)
    return steps
