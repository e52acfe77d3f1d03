"""A clock that jumps is told, in the run and in its report; nothing else comes of it."""

import time

import pytest
from tests.training.guarding import events
from tests.training.tiny import digests, train

from ludus.monitor.report import read_run, report_document
from ludus.training.clock import JUMP_SECONDS, ClockWatch, jump_text


class Clocks:
    def __init__(self):
        self.wall, self.steady = 1e9, 50.0

    def watch(self):
        return ClockWatch(lambda: self.wall, lambda: self.steady)


@pytest.mark.parametrize("by", [3600.0, -3600.0, JUMP_SECONDS + 1, -JUMP_SECONDS - 1])
def test_a_jump_is_told_once(by):
    clocks = Clocks()
    watch = clocks.watch()
    clocks.wall += 100.0 + by
    clocks.steady += 100.0
    assert watch.jump() == pytest.approx(by)
    assert watch.jump() is None
    assert ("back" in jump_text(by)) == (by < 0)


def test_what_time_servers_mend_is_no_jump():
    clocks = Clocks()
    watch = clocks.watch()
    for _ in range(1000):
        clocks.wall += 1.1
        clocks.steady += 1.0
        assert watch.jump() is None


def test_the_run_and_its_report_tell_of_it_and_results_are_the_same(tmp_path, monkeypatch):
    path, real = tmp_path / "run", time.time_ns
    monkeypatch.setattr("ludus.training.reporter._STATUS_SECONDS", 0.0)

    def act(loop, unit):
        if unit == 3:
            monkeypatch.setattr(time, "time_ns", lambda: real() + 3600 * 10**9)
        if unit == 6:
            monkeypatch.setattr(time, "time_ns", real)

    assert train(path, "evaluation.every=0", act=act, iterations=1).state == "done"
    ahead, back = events(path, "clock")
    assert ahead["seconds"] == pytest.approx(3600, abs=1)
    assert back["seconds"] == pytest.approx(-3600, abs=1)
    told = [line["text"] for line in report_document(read_run(path))["timeline"]]
    assert "Clock: the clock was set back by 3600 s" in told
    assert train(tmp_path / "calm", "evaluation.every=0", iterations=1).state == "done"
    assert digests(path) == digests(tmp_path / "calm")
