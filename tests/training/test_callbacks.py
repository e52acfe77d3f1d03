"""Callbacks see everything and can harm nothing."""

import sys
import threading

import pytest
from tests.training.tiny import digests, request, train

from ludus.runs import read_ndjson
from ludus.training.birth import open_session
from ludus.training.callbacks import (
    FAILURES_IN_A_ROW,
    LIVE,
    SLOW_WINDOW_SECONDS,
    Callbacks,
)


def events(path, name):
    return [r for r in read_ndjson(path / "logs/events.ndjson")[0] if r["event"] == name]


@pytest.fixture
def session(tmp_path):
    """Of a run just made; nothing is trained in it."""
    session = open_session(request(tmp_path / "run"), lambda text: None)
    with session.run:
        yield session


@pytest.fixture
def callbacks(session):
    return session.callbacks


def subscribes(**watched):
    """An act of the tiny run: callbacks by name of event, from the first unit on."""

    def act(loop, unit):
        if unit == 1:
            for name, callback in watched.items():
                loop._session.callbacks.subscribe(callback, (name,))

    return act


# -- what comes --------------------------------------------------------------------------------


def test_a_training_tells_its_callbacks_of_everything(tmp_path):
    path, logged, live = tmp_path / "run", [], {name: [] for name in LIVE}

    def act(loop, unit):
        if unit == 1:
            callbacks = loop._session.callbacks
            callbacks.subscribe(logged.append)
            for name, seen in live.items():
                callbacks.subscribe(seen.append, [name])

    train(path, act=act, iterations=2)
    files = {log: read_ndjson(path / f"logs/{log}.ndjson")[0] for log in ("events", "metrics")}
    for log, records in files.items():
        mine = [
            {key: value for key, value in record.items() if key != "log"}
            for record in logged
            if record["log"] == log
        ]
        # What was written before the first unit came before the callback.
        assert mine == records[len(records) - len(mine) :]
        assert len(mine) > 3
    assert not {record["event"] for record in logged} & set(LIVE)
    assert len(live["game"]) == sum(record["games"] for record in live["games"]) == 144
    assert live["games"][-1]["total"] == 144
    assert sum(record["plies"] for record in live["game"]) == sum(
        record["plies"] for record in live["games"]
    )
    assert sorted(record["game"] for record in live["game"]) == list(range(144))
    assert {len(record["returns"]) for record in live["game"]} == {2}
    assert {record["phase"] for record in live["unit"]} == {
        "selfplay",
        "train",
        "gate",
        "evaluate",
    }
    assert [record["update"] for record in live["update"]] == list(range(1, 17))
    assert live["update"][-1]["losses"]["loss_total"] > 0
    assert len(live["iteration"]) == 2
    assert all(record["ts_ms"] > 1e12 for records in live.values() for record in records)


def test_names_and_every(callbacks, session):
    some, all_logged, third = [], [], []
    callbacks.subscribe(some.append, ("note", "notice"))
    callbacks.subscribe(all_logged.append)
    callbacks.subscribe(lambda record: third.append(record["number"]), {"unit"}, every=3)
    for number in range(8):
        callbacks.publish("unit", number=number)
    callbacks.publish("note", text="a")
    session.run.events.append("notice", message="b")
    session.run.metrics.append("health", value=1)
    session.run.log("roots").append("root", value=1)  # neither events nor metrics
    assert third == [2, 5]
    assert [record["event"] for record in some] == ["note", "notice"]
    assert [record["event"] for record in all_logged] == ["notice", "health"]
    assert [record["log"] for record in all_logged] == ["events", "metrics"]


def test_what_cannot_be_asked_for(callbacks):
    with pytest.raises(ValueError, match="at least 1"):
        callbacks.subscribe(print, every=0)
    with pytest.raises(ValueError, match=r"\('game',\)"):
        callbacks.subscribe(print, "game")


def test_cancel(callbacks):
    seen, late = [], []

    def once(record):
        seen.append(record)
        callbacks.cancel(subscription)

    subscription = callbacks.subscribe(once, ("note",))
    other = callbacks.subscribe(late.append, ("note",))
    callbacks.publish("note", text="1")
    callbacks.publish("note", text="2")
    callbacks.cancel(subscription)
    assert [record["text"] for record in seen] == ["1"]
    assert [record["text"] for record in late] == ["1", "2"]  # the first's leaving cost it nothing
    callbacks.cancel(other)
    assert not callbacks.wants("note")


def test_what_a_callback_publishes_comes_after(callbacks):
    order = []

    def first(record):
        order.append(("first", record["text"]))
        if record["text"] == "a":
            callbacks.publish("note", text="b")

    callbacks.subscribe(first, ("note",))
    callbacks.subscribe(lambda record: order.append(("second", record["text"])), ("note",))
    callbacks.publish("note", text="a")
    assert order == [("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")]


def test_events_of_many_threads_come_one_at_a_time_and_none_is_lost(callbacks):
    inside, seen, together = threading.Lock(), [], []

    def watch(record):
        together.append(not inside.acquire(blocking=False))
        seen.append((record["thread"], record["number"]))
        inside.release()

    callbacks.subscribe(watch, ("note",))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [
            threading.Thread(
                target=lambda thread: [
                    callbacks.publish("note", thread=thread, number=number) for number in range(300)
                ],
                args=(thread,),
            )
            for thread in range(4)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    finally:
        sys.setswitchinterval(before)
    assert not any(together)
    assert len(seen) == 1200
    for thread in range(4):
        assert [number for who, number in seen if who == thread] == list(range(300))


# -- isolation ---------------------------------------------------------------------------------


def test_an_error_reaches_neither_the_trainer_nor_the_others(tmp_path):
    path, others = tmp_path / "run", []

    def broken(record):
        raise RuntimeError("mine")

    def act(loop, unit):
        if unit == 1:
            loop._session.callbacks.subscribe(broken, ("game",))
            loop._session.callbacks.subscribe(others.append, ("game",))

    ending = train(path, act=act, iterations=1)
    assert ending.state == "done"
    assert len(others) == 72
    failed = events(path, "callback_failed")
    assert len(failed) == FAILURES_IN_A_ROW
    assert [record["count"] for record in failed] == list(range(1, FAILURES_IN_A_ROW + 1))
    assert failed[0]["error"] == "RuntimeError: mine"
    assert "broken" in failed[0]["callback"]
    assert [record["removed"] for record in failed] == [False] * 9 + [True]


def test_only_failures_in_a_row_remove(callbacks, session):
    calls = []

    def every_other(record):
        calls.append(record)
        if len(calls) % FAILURES_IN_A_ROW:
            raise ValueError("now and then")

    callbacks.subscribe(every_other, ("note",))
    for _ in range(5 * FAILURES_IN_A_ROW):
        callbacks.publish("note")
    assert len(calls) == 5 * FAILURES_IN_A_ROW
    assert callbacks.wants("note")
    assert session.run.counters["callback_errors"] == 5 * (FAILURES_IN_A_ROW - 1)


def test_one_that_fails_at_its_own_failures_is_not_called_for_them(callbacks, session):
    calls = []

    def broken(record):
        calls.append(record["event"])
        raise RuntimeError("again")

    watched = []
    callbacks.subscribe(broken)
    callbacks.subscribe(watched.append, ("callback_failed",))
    session.run.events.append("notice", message="x")
    assert calls == ["notice"]
    assert len(watched) == 1  # another one may watch it


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), AssertionError("no")])
def test_nothing_that_a_callback_raises_ends_the_training(tmp_path, error):
    path = tmp_path / "run"

    def leaves(record):
        raise type(error)(*error.args)  # a new one: its traceback would keep the run alive

    ending = train(path, act=subscribes(unit=leaves), iterations=1)
    assert ending.state == "done"
    told = events(path, "callback_failed")
    assert told[0]["error"].startswith(type(error).__name__)


def test_ctrl_c_in_a_callback_is_not_taken_for_its_error(callbacks):
    def interrupted(record):
        raise KeyboardInterrupt

    seen = []
    subscription = callbacks.subscribe(interrupted, ("note",))
    callbacks.subscribe(seen.append, ("note",))
    with pytest.raises(KeyboardInterrupt):
        callbacks.publish("note", text="1")
    callbacks.cancel(subscription)
    callbacks.publish("note", text="2")  # nothing is left locked
    assert [record["text"] for record in seen] == ["2"]


def test_a_slow_one_is_told_once_a_window(session):
    now = [100.0]
    slow = Callbacks(session.run, clock=lambda: now[0])

    def dawdle(record):
        now[0] += record["seconds"]

    slow.subscribe(dawdle, ("note",))
    for _ in range(4):
        slow.publish("note", seconds=0.4)
    assert [r["seconds"] for r in events(session.run.path, "callback_slow")] == [1.2]
    now[0] += SLOW_WINDOW_SECONDS
    slow.publish("note", seconds=0.9)
    assert len(events(session.run.path, "callback_slow")) == 1  # the window began anew
    slow.publish("note", seconds=0.9)
    told = events(session.run.path, "callback_slow")
    assert [record["seconds"] for record in told] == [1.2, 1.8]
    assert "dawdle" in told[1]["callback"]
    for _ in range(3):  # 5 ms of work a second is nobody's business
        now[0] += 1.0
        slow.publish("note", seconds=0.005)
    assert len(events(session.run.path, "callback_slow")) == 2


def test_what_a_callback_does_to_its_record_changes_nothing(tmp_path):
    def ruin(record):
        for key in list(record):
            value = record[key]
            if isinstance(value, dict | list):
                value.clear()
            record[key] = None

    def act(loop, unit):
        if unit == 1:
            callbacks = loop._session.callbacks
            callbacks.subscribe(ruin)
            callbacks.subscribe(ruin, LIVE)
            callbacks.subscribe(seen.append, ("iteration",))

    seen, runs = [], (tmp_path / "watched", tmp_path / "alone")
    train(runs[0], act=act, iterations=2)
    train(runs[1], iterations=2)
    assert digests(runs[0]) == digests(runs[1])
    assert seen[1]["gate"]["games"] > 0
    assert not events(runs[0], "callback_failed")
