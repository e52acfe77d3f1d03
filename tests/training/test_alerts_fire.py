"""Each built-in rule fires on its cause, and is seen in status, events, counters and heartbeats."""

import json
import shutil
import time

import pytest
from tests.training.test_rating import against, entry_of
from tests.training.tiny import SETTINGS, request, train

from ludus.errors import ConfigError
from ludus.runs import SaveError, read_ndjson, read_status, send_command
from ludus.training.birth import apply_changes, open_session
from ludus.training.guards import Moment, ReturnToGood, make_guards
from ludus.training.loop import Loop
from ludus.training.messages import Sender
from ludus.training.rating import rate_run
from ludus.training.reporter import Reporter
from ludus.training.request import TrainRequest
from ludus.training.view import describe


def events(path, *names):
    found, bad = read_ndjson(path / "logs" / "events.ndjson")
    assert bad == 0
    return [one for one in found if one["event"] in names]


def raised(path):
    return [one["name"] for one in events(path, "alert")]


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A run of one iteration, to be copied."""
    path = tmp_path_factory.mktemp("alerts") / "run"
    assert train(path, "evaluation.every=0", iterations=1).state == "done"
    return path


@pytest.fixture
def path(once, tmp_path):
    return shutil.copytree(once, tmp_path / "run")


class Bench:
    """A run's guards and reporter with no loop around them."""

    def __init__(self, path, **changes):
        self.session = open_session(request(path, iterations=9), lambda text: None)
        self.session.settings = apply_changes(self.session.settings, changes)
        self.guards = make_guards(self.session)
        self.sent = []
        self.sender = Sender(None)
        self.sender.send = lambda kind, **fields: self.sent.append((kind, fields))
        self.reporter = Reporter(
            self.session,
            self.sender,
            total_iterations=lambda: 9,
            seconds_left=lambda: None,
            guards=self.guards,
        )

    def __enter__(self):
        self.session.run.__enter__()
        return self

    def __exit__(self, *about):
        self.session.run.__exit__(*about)

    def look(self, now=None):
        now = time.monotonic() if now is None else now
        moment = Moment(self.session, None, self.reporter, now, self.reporter.figures)
        for guard in self.guards:
            if guard.name == "alerts":
                guard.look(moment)
        self.reporter.status("training", None)
        return [alert["name"] for alert in read_status(self.session.run.path)["alerts"]]


def fires(path, name, **changes):
    """Look at a run that was doctored already; returns its alert in the status."""
    with Bench(path, **changes) as bench:
        assert name in bench.look()
        return seen(bench, name)


def seen(bench, name):
    path = bench.session.run.path
    status = read_status(path)
    (alert,) = [one for one in status["alerts"] if one["name"] == name]
    (event,) = [one for one in events(path, "alert") if one["name"] == name]
    fields = ("name", "severity", "metric", "condition", "limit", "action", "message", "value")
    assert all(event[key] == alert[key] for key in fields)
    assert abs(alert["since_ms"] - event["ts_ms"]) < 1000
    assert status["figures"][alert["metric"]] == pytest.approx(alert["value"], rel=0.2)
    assert status["figures"]["alerts"] == bench.session.run.counters["alerts"] >= 1
    (guard,) = [one for one in status["guards"] if one["name"] == "alerts"]
    assert guard["state"] == "warning" and name in guard["text"]
    sent = [fields for kind, fields in bench.sent if kind == "alert"]
    assert name in [one["alert"]["name"] for one in sent]
    assert sent[0]["settings"] == {"command": [], "webhook": None, "timeout_seconds": 10.0}
    bench.reporter.beat({"phase": "train"})
    assert f"ALERT {name}" in describe(bench.sent[-1][1])
    return alert


# -- the four of the chess rows --------------------------------------------------------------------


def test_elo_regression(path):
    """C-127; G-19: both numbers with their errors are told."""
    with Bench(path) as bench:
        session = bench.session
        strong, weak = "34" * 40 + "0" * 10, "01" * 40 + "0" * 10
        session.run.iterations[:] = [entry_of(1, against("greedy", strong))]
        session.iteration = 1
        rate_run(session)
        assert bench.look() == []
        session.run.iterations.append(entry_of(2, against("greedy", weak)))
        session.iteration = 2
        rating = rate_run(session)
        assert bench.look(time.monotonic() + 60) == ["elo_regression"]
        alert = seen(bench, "elo_regression")
        assert alert["limit"] == -100 and alert["value"] < -100
        for number in (rating["before"]["elo"], rating["elo"], rating["change_se"]):
            assert f"{number:.0f}" in alert["message"]
        # Equal to what it was when the session began, and far above the one before: over.
        session.run.iterations.append(entry_of(3, against("greedy", strong)))
        session.iteration = 3
        rate_run(session)
        assert bench.look(time.monotonic() + 120) == []
        assert [one["name"] for one in events(path, "alert_cleared")] == ["elo_regression"]


def test_elo_regression_over_a_session(path):
    """Small steps down, none of which is large, since this process began."""
    with Bench(path) as bench:
        session = bench.session
        for number, wins in enumerate((60, 55, 50, 45, 40), 1):
            text = "4" * wins + "0" * (100 - wins)
            session.run.iterations.append(entry_of(number, against("greedy", text)))
            session.iteration = number
            rate_run(session)
            active = bench.look(time.monotonic() + 60 * number)
            figures = bench.reporter.figures()
        assert active == ["elo_regression"]
        assert figures["elo_change"] > -100
        assert figures["elo_change_session"] == figures["elo_change_worst"] < -100


def test_loss_spike(tmp_path):
    """C-128: weights that grew in memory make the loss of a later iteration many times larger."""
    path, done = tmp_path / "run", []

    def act(loop, unit):
        session = loop._session
        if session.iteration == 2 and not done:
            done.append(unit)
            for array in session.champion.weights.values():
                array *= 10.0

    ending = train(path, "evaluation.every=0", "alerts.every_seconds=0.1", iterations=3, act=act)
    assert ending.state == "done"
    assert raised(path) == ["loss_spike"]
    (event,) = events(path, "alert")
    assert event["iteration"] >= 2 and event["value"] > 3.0 and event["severity"] == "error"
    (alert,) = read_status(path)["alerts"]
    assert alert["name"] == "loss_spike"


def test_memory_growth(tmp_path, monkeypatch):
    """C-129, with a limit that a test can reach."""
    monkeypatch.setattr("ludus.training.guards.memory._SECONDS", 0.0)
    monkeypatch.setattr("ludus.training.guards.memory._WARM_UP_ITERATIONS", 1)
    path, held = tmp_path / "run", []

    def act(loop, unit):
        if loop._session.iteration == 2 and not held:
            held.append(b"\1" * 120_000_000)

    train(
        path,
        "evaluation.every=0",
        "guards.memory_growth_mb=100",
        "alerts.every_seconds=0.1",
        iterations=3,
        act=act,
    )
    assert "memory_growth" in raised(path)
    (event,) = [one for one in events(path, "alert") if one["name"] == "memory_growth"]
    assert event["iteration"] >= 2 and event["value"] > 100 and event["limit"] == 100
    assert read_status(path)["figures"]["memory_growth_mb"] > 100


WALK = """
import numpy as np
from ludus.games import Game

class Walk(Game):
    \"\"\"Who steps on 12 first has won; after {cap} steps nobody has.\"\"\"

    name = "walk"
    num_actions = 2
    observation_shape = (2,)
    max_plies = cap_plies = {cap}

    def initial(self):
        return (0, 0)

    def turn(self, state):
        return self.OVER if state[0] >= 12 or state[1] >= {cap} else state[1] % 2

    def legal(self, state):
        return [0, 1]

    def apply(self, state, action):
        return (state[0] + 1 + action, state[1] + 1)

    def returns(self, state):
        if state[0] < 12:
            return (0, 0)
        return (1, -1) if state[1] % 2 else (-1, 1)

    def observe(self, state, seat):
        return np.array([state[0] / 12, state[1] / {cap}], np.float32)
"""


@pytest.mark.parametrize(("cap", "fires"), [(6, True), (12, False)])
def test_game_timeout_rate(tmp_path, cap, fires):
    """C-130: a game that cuts itself off; with cap 12 its rules nearly always end it before."""
    (tmp_path / "walk.py").write_text(WALK.format(cap=cap))
    path = tmp_path / "run"
    sets = [one for one in SETTINGS if "budget" not in one and "opponents" not in one]
    asked = TrainRequest.make(
        game=f"{tmp_path / 'walk.py'}:Walk",
        run=path,
        assignments=[*sets, "search.budget=2", "evaluation.every=0"],
        environment={},
        iterations=1,
    )
    session = open_session(asked, lambda text: None)
    with session.run:
        Loop(session, asked, Sender(None), lambda: False).run()
    rate = read_status(path)["figures"]["timeout_rate"]
    assert (rate > 0.1) == fires
    assert ("game_timeout_rate" in raised(path)) == fires


# -- the house's own -------------------------------------------------------------------------------


def test_entropy_collapse_needs_its_time(path):
    with Bench(path, **{"training.audit_entropy": 5.0}) as bench:  # more than there can be here
        start = time.monotonic()
        assert bench.look(start) == []
        assert "entropy_collapse" in bench.look(start + 61)
        assert seen(bench, "entropy_collapse")["limit"] == 5.0


@pytest.mark.parametrize(
    ("name", "part", "figures"),
    [
        ("fallback_rate", "selfplay", {"fallback_rate": 0.006}),
        ("stagnation", "health", {"games_without_progress": 100_001}),
    ],
)
def test_by_the_records_of_an_iteration(path, name, part, figures):
    with Bench(path) as bench:
        assert bench.look() == []
        (entry,) = bench.session.run.iterations
        changed = {**entry, part: {**entry.get(part, {}), **figures}}
        bench.session.run.iterations = [changed]
        assert bench.look(time.monotonic() + 60) == [name]
        seen(bench, name)


def test_error_rate(path):
    with Bench(path) as bench:
        assert bench.look() == []
        session = bench.session
        session.book.add("game", "rule broken", games=session.begun_games, window=10_000, count=1)
        assert bench.look(time.monotonic() + 60) == ["error_rate"]
        seen(bench, "error_rate")


def test_save_failures_until_the_next_commit(path):
    with Bench(path) as bench:

        def fail():
            raise SaveError("no space left on device")

        bench.session.run.save(fail, required=False, wait=lambda seconds: None)
        assert bench.look() == ["save_failures"]
        assert seen(bench, "save_failures")["value"] == 2
        bench.session.commit(*bench.session.kept())
        assert bench.look(time.monotonic() + 60) == []
        assert bench.reporter.figures()["save_failures"] == 2


def test_disk_low(path):
    alert = fires(path, "disk_low", **{"run.warn_free_mb": 10**9})
    assert alert["value"] < alert["limit"] == 1e15


def test_commit_overdue_by_time_worked(path, monkeypatch):
    with Bench(path, **{"run.commit_seconds": 0.5}) as bench:
        assert bench.look() == []
        monkeypatch.setattr(time, "time", lambda: 4e9)  # the wall clock may jump
        assert bench.look(time.monotonic() + 60) == []
        bench.session.run._opened -= 6.0
        assert bench.look(time.monotonic() + 120) == ["commit_overdue"]


def test_slow(tmp_path):
    """Against a past that was a hundred times faster."""
    path = tmp_path / "run"
    more = ("search.budget=24", "search.budget_by_kind={mark: 24}", "evaluation.every=0")
    train(path, *more, iterations=1)
    asked = request(path, "alerts.every_seconds=0.1", iterations=2)
    asked.changes["alerts.rules"] = [
        {"name": "slow", "metric": "speed_ratio", "condition": "below", "limit": 0.5}
    ]
    session = open_session(asked, lambda text: None)
    with session.run:
        (entry,) = session.run.iterations
        entry["selfplay"]["leaves_per_second"] *= 100
        earlier = [{**json.loads(json.dumps(entry)), "iteration": -n} for n in (2, 1)]
        session.run.iterations[:0] = earlier
        Loop(session, asked, Sender(None), lambda: False).run()
    assert "slow" in raised(path)
    assert read_status(path)["figures"]["speed_ratio"] is None  # nothing is played any more


# -- what rules do ---------------------------------------------------------------------------------

# One below the games of an iteration: with a lower limit a look in the middle of self-play, which
# only a busy machine has, raises the alert with another number of games.
PAUSE = "[{name: many_games, metric: games, condition: above, limit: 71, action: pause}]"


def test_a_rule_that_pauses_holds_until_resumed(tmp_path):
    path, states = tmp_path / "run", []

    def act(loop, unit):
        status = read_status(path) or {}
        states.append((status.get("state"), status.get("reason")))
        if status.get("state") == "paused" and len(states) > 3:
            send_command(path, "resume")

    ending = train(
        path,
        f"alerts.rules={PAUSE}",
        "alerts.every_seconds=0.1",
        "evaluation.every=0",
        iterations=1,
        act=act,
    )
    assert ending.state == "done"
    assert ("paused", "alert many_games: games is 72, above 71") in states
    (paused,) = events(path, "guard_paused")
    assert paused["guard"] == "alerts"
    assert len(events(path, "guard_resumed")) == 1


def test_a_rule_that_returns(path):
    rule = {"name": "back", "metric": "games", "condition": "above", "limit": 0, "action": "return"}
    with (
        Bench(path, **{"alerts.rules": [rule]}) as bench,
        pytest.raises(ReturnToGood, match="alert back: games is 72") as caught,
    ):
        bench.look()
    assert caught.value.guard == "alerts"
    assert raised(path) == ["back"]


def test_active_alerts_survive_a_crash_and_are_told_once(tmp_path):
    path, rule = tmp_path / "run", PAUSE.replace(", action: pause", "")
    more = (f"alerts.rules={rule}", "alerts.every_seconds=0.1", "evaluation.every=0")
    assert train(path, *more, iterations=1).state == "done"
    (before,) = read_status(path)["alerts"]
    assert train(path, crash_at=3) is None
    assert train(path, iterations=2).state == "done"
    (after,) = read_status(path)["alerts"]
    assert raised(path) == ["many_games"]
    assert after["name"] == "many_games" and abs(after["since_ms"] - before["since_ms"]) < 1000
    assert read_status(path)["figures"]["alerts"] == 1
    # A rule that is taken away clears what it raised.
    assert train(path, "alerts.off=[many_games]", iterations=3).state == "done"
    assert read_status(path)["alerts"] == []
    assert [one["name"] for one in events(path, "alert_cleared")] == ["many_games"]


def test_bad_rules_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError):
        train(tmp_path / "run", "alerts.off=[nothing]", iterations=1)
    assert not (tmp_path / "run").exists()


def test_figures_are_cheap(path):
    """Asked once a second: far below a millisecond, also with a history of thousands."""
    with Bench(path) as bench:
        run = bench.session.run
        run.iterations[:0] = [
            {**run.iterations[0], "iteration": -n, "evaluate": {}} for n in range(5000, 0, -1)
        ]
        bench.reporter.figures()
        best = min(_seconds(bench.reporter.figures) for _ in range(50))
    assert best < 1e-3


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
