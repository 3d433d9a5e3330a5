from __future__ import annotations

import builtins
import io

import pytest

from labelprop.core import display
from labelprop.core.clock import StageClock
from labelprop.core.display import ProgressLines
from labelprop.core.eta import Eta, expecting
from labelprop.core.progress import Bounded, Silent, Staged, advance, only, reporting_to, say


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    return now


def test_the_eta_counts_from_where_a_resumed_job_began(clock) -> None:
    eta = Eta()
    assert eta(500, 1000) is None
    clock[0] = 10
    assert eta(600, 1000) == pytest.approx(40)


def test_an_eta_appears_early_and_then_not_too_often(clock) -> None:
    stream = io.StringIO()
    lines = ProgressLines(stream)
    for second in range(60):
        clock[0] = second
        lines.advance("training", second, 600)
    said = stream.getvalue().splitlines()
    assert said[0].startswith("training: ")
    assert "left" in said[0]
    assert 4 <= len(said) <= 5
    assert clock[0] > display.FIRST_LINE_AFTER_S


def test_a_stage_that_counts_examples_shows_how_many_a_second(clock) -> None:
    stream = io.StringIO()
    lines = ProgressLines(stream)
    for second in range(8):
        clock[0] = second
        lines.advance("embedding images", 39 * second, 390)
    (said, *_) = stream.getvalue().splitlines()
    assert said == "embedding images: 30% of the work done, 39 a second, about 7 s left"


def test_no_time_left_is_shown_before_the_pace_tells_anything(clock) -> None:
    stream = io.StringIO()
    lines = ProgressLines(stream)
    clock[0] = 4.0  # reading took this long
    lines.advance("choice", 0, 100)
    clock[0] = 6.0
    lines.advance("choice", 0.1, 100)
    assert stream.getvalue() == "", "2 s for a thousandth are no half hour"
    lines.advance("choice", 6, 100)
    assert "6%" in stream.getvalue()
    slow = io.StringIO()
    lines = ProgressLines(slow)
    for second in range(4):
        clock[0] = 10 + 3 * second
        lines.advance("solve", 0.001 * second, 1)
    assert len(slow.getvalue().splitlines()) == 1, "long work is told of after some seconds"


def test_what_a_stage_will_take_is_foreseen_from_its_pace(clock) -> None:
    seen: list[float] = []
    bounded = Bounded(Silent(), seen.append)
    for stage in ("reading", "embedding"):
        for done in range(5):
            bounded.advance(stage, done, 100)
            clock[0] += 1
    assert seen == pytest.approx([98, 97, 96] * 2), "a second of a stage says little"


def test_stages_add_up_over_interruptions() -> None:
    clock = StageClock({"read": {"seconds": 2.0, "peak_memory_bytes": 5}})
    with clock.stage("read"):
        pass
    clock.add("steps", {"seconds": 1.5, "peak_memory_bytes": 7})
    assert clock.stages["read"]["seconds"] >= 2.0
    assert clock.stages["read"]["peak_memory_bytes"] > 5
    assert clock.seconds == pytest.approx(3.5, abs=0.1)


def test_stages_that_were_kept_come_back_once() -> None:
    kept = {"dlp: steps": {"seconds": 5.0, "peak_memory_bytes": 7}}
    clock = StageClock({"read": {"seconds": 2.0, "peak_memory_bytes": 5}})
    clock.restore(kept)
    clock.restore(kept)
    clock.add("dlp: steps", {"seconds": 1.0, "peak_memory_bytes": 3})
    assert clock.of("dlp: ") == {"dlp: steps": {"seconds": 6.0, "peak_memory_bytes": 7}}
    clock.restore(kept)
    assert clock.seconds == 8.0, "what it has already is not made less"


class Heard:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, stage: str, done: float, total: float) -> None:
        self.said.append((stage, done, total))


def test_code_without_a_reporter_is_heard_by_the_one_that_listens() -> None:
    say("nobody")
    advance("search", 1, 2)
    heard = Heard()
    with reporting_to(heard):
        say("somebody")
        advance("search", 1, 2)
    say("nobody")
    assert heard.said == ["somebody", ("search", 1, 2)]


def test_of_many_trials_one_stage_is_heard() -> None:
    heard = Heard()
    with reporting_to(heard):
        with only("search"):
            say("search: 90 rows")
            say("propagation: 3 steps")
            advance("search", 1, 2)
            advance("solve", 1, 2)
        say("choice: made")
    with only("search"):
        say("search: nobody listens")
    assert heard.said == ["search: 90 rows", ("search", 1, 2), "choice: made"]


def test_stages_add_up_to_the_whole_job() -> None:
    heard = Heard()
    staged = Staged(heard, {"search": 6.0, "solve": 3.0, "report": 1.0})
    staged.advance("search", 50, 100)
    staged.advance("solve", 2, 3)
    staged.advance("elsewhere", 1, 3)
    staged.advance("report", 9, 3)
    assert heard.said == [("search", 3.0, 10.0), ("solve", 8.0, 10.0), ("report", 10.0, 10.0)]


def test_the_time_left_starts_anew_with_the_next_part_of_a_job(clock) -> None:
    eta = Eta()
    assert eta(0, 10) is None
    clock[0] = 10
    assert eta(5, 10) == 10
    clock[0] = 20
    assert eta(0, 4) is None, "another part begins"
    clock[0] = 21
    assert eta(1, 4) == 3


def test_the_time_left_is_that_of_the_forecast_until_the_pace_tells_more(clock) -> None:
    stream = io.StringIO()
    lines = ProgressLines(stream)
    with expecting(60):
        clock[0] = 4.0
        lines.advance("dlp", 1, 1000)
        clock[0] = 30.0
        lines.advance("dlp", 201, 1000)
    first, second = stream.getvalue().splitlines()
    assert first == "dlp: 0% of the work done, about 56 s left"
    assert second == "dlp: 20% of the work done, about 1 min 44 s left", "26 s for a fifth"


def test_a_forecast_that_has_passed_is_not_shown(clock) -> None:
    eta = Eta()
    with expecting(2):
        assert eta(0, 100) == 2
        clock[0] = 3.0
        assert eta(1, 100) is None


def test_the_pace_of_a_stage_before_does_not_count_for_work_that_is_expected(clock) -> None:
    """60 s for 500 images, and then training, in other units."""
    eta = Eta()
    eta(0, 500)
    clock[0] = 60.0
    assert eta(500, 500) == 0
    with expecting(None):
        assert eta(768, 100_000) is None
        clock[0] = 70.0
        assert eta(50_768, 100_000) == pytest.approx(9.85, abs=0.01)


class ZMQInteractiveShell:
    """By this name of a shell rich knows a notebook."""


@pytest.mark.parametrize("has_widgets", [True, False])
def test_a_bar_moves_in_a_notebook_that_has_widgets(has_widgets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not display._shows_widgets()
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr(display, "find_spec", lambda name: object() if has_widgets else None)
    assert display._shows_widgets() == has_widgets
    if not has_widgets:
        with display.shown() as reporter:
            assert isinstance(reporter, ProgressLines)


def test_work_inside_work_that_is_shown_is_quiet() -> None:
    with display.shown(quiet=True) as outer, display.shown() as reporter:
        assert isinstance(outer, Silent)
        assert isinstance(reporter, ProgressLines)
        with display.shown() as inner:
            assert isinstance(inner, Silent)
    with display.shown() as after:
        assert isinstance(after, ProgressLines)
