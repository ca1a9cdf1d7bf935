import pytest

from pipeline.core import progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock.monotonic)
    return clock


def test_items_pass_through_in_order():
    assert list(progress.track(iter("abc"), 3, "letters")) == ["a", "b", "c"]


def test_short_work_prints_only_its_closing_line(capsys, clock):
    for _ in progress.track(range(4), 4, "short"):
        clock.now += 0.5
    assert capsys.readouterr().err == "short: 4/4 in 0:02, 2/s\n"


def test_long_work_prints_a_line_every_five_seconds_with_rate_and_time_left(capsys, clock):
    for _ in progress.track(range(6), 6, "long"):
        clock.now += 2.5
    assert capsys.readouterr().err.splitlines() == [
        "long: 2/6, 0.4/s, 0:10 left",
        "long: 4/6, 0.4/s, 0:05 left",
        "long: 6/6 in 0:15, 0.4/s",
    ]


def test_nothing_to_do(capsys):
    assert list(progress.track([], 0, "empty")) == []
    assert capsys.readouterr().err == "empty: 0/0 in 0:00\n"


def test_an_exception_passes_and_claims_no_end(capsys):
    with pytest.raises(RuntimeError), progress.counting(3, "broken") as advance:
        advance(1)
        raise RuntimeError
    assert capsys.readouterr().err == ""


def test_hours_are_shown():
    assert progress._clock(3725) == "1:02:05"
    assert progress._clock(float("inf")) == "?"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.counting(2, "bar") as advance:
        advance(2)
    shown = capsys.readouterr().err
    assert "bar" in shown and "2/2" in shown and "bar: 2/2" not in shown, "a line, not a bar"


def test_report_prints_to_standard_output(capsys):
    progress.report("12 pairs")
    assert capsys.readouterr().out == "12 pairs\n"
