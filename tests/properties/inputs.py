"""Inputs for the readers, and what every one of them must do: give a value, or say what is wrong.

`answer` is the property: a reader returns, or raises UserError naming the file. Any other
exception fails the test that calls it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""The same examples on every run, few enough for each test to take a second or two."""

NUMBERS = st.one_of(
    st.integers(-3, 300),
    st.integers(),
    st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400]),
    st.floats(),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)
DEEP = b"[" * 100_000
"""Not among BYTES: a failing example should fit a screen."""
BYTES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x00", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}", b"null", b"[]", b'""', b"0",
                     b"NaN", b"\xff\xfe{\x00}\x00", b"\xff", b"1" * 5000,
                     b"{'a': 1}", b'{"a": 1, "a": 2}', b"<html>"]),
)  # fmt: skip
"""What may stand in a file of text, too."""


def answer(read: Callable[[], Any], path: Path) -> Any:
    """What a reader gives; None where it refuses the file by name."""
    try:
        return read()
    except UserError as error:
        assert path.name in str(error), f"{error!r} does not name {path.name}"
        str(error).encode("utf-8")  # can be printed
        return None


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """A valid file with a few bytes exchanged, cut off, or with others put in."""

    def change(edits: list[tuple[int, bytes]], cut: int) -> bytes:
        data = bytearray(whole)
        for place, new in edits:
            place %= len(data)
            data[place : place + len(new)] = new
        return bytes(data[: len(data) - cut % len(data)])

    places = st.integers(0, len(whole) - 1)
    cuts = st.one_of(st.just(0), st.just(0), places)
    edits = st.lists(st.tuples(places, st.binary(min_size=1, max_size=9)), max_size=4)
    return st.builds(change, edits, cuts)


def swapped(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value in which one part, wherever it stands, is replaced, left out or repeated."""
    return st.deferred(lambda: _swapped(value))


def _swapped(value: Any) -> st.SearchStrategy[Any]:
    ways = [JSON]
    if isinstance(value, dict):
        ways.append(st.builds(lambda key, new: value | {key: new}, st.text(max_size=5), JSON))
        for key, inner in value.items():
            ways.append(st.just({k: v for k, v in value.items() if k != key}))
            ways.append(swapped(inner).map(lambda new, key=key: value | {key: new}))
    if isinstance(value, list):
        ways.append(st.just(value + value))
        for place, inner in enumerate(value[:3]):
            ways.append(
                swapped(inner).map(lambda new, at=place: value[:at] + [new] + value[at + 1 :])
            )
    return st.one_of(ways)
