"""A training in the background of a notebook."""

import threading
import time

import pytest
from tests.training.tiny import SETTINGS

from ludus import TrainingManager
from ludus.errors import ConfigError, UserError
from ludus.runs import Run, read_ndjson


def manager(tmp_path, **more):
    settings = dict(one.split("=", 1) for one in SETTINGS)
    settings["search.budget_by_kind"] = {"mark": 4}
    settings["evaluation.opponents"] = ["random"]
    settings |= {"metrics.game_stats_every": 10, "evaluation.every": 0, **more}
    numbers = {
        key: float(value) if isinstance(value, str) and value.replace(".", "").isdigit() else value
        for key, value in settings.items()
    }
    whole = {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in numbers.items()
    }
    return TrainingManager("yatzy", run=tmp_path / "run", settings=whole)


def test_start_pause_resume_and_the_result(tmp_path):
    told, gone = [], threading.Event()

    def tell(games, difference, rate, seconds):
        told.append((games, difference, rate, seconds))
        gone.set()

    managed = manager(tmp_path)
    assert managed.state == "idle" and not managed.is_active
    with pytest.raises(UserError, match="is not being trained"):
        managed.pause()
    managed.set_progress_callback(tell)
    managed.start(iterations=3)
    assert managed.state == "training"
    with pytest.raises(UserError, match="being trained already"):
        managed.start()
    assert gone.wait(60)
    games = managed.pause()
    assert managed.state == "paused" and not managed.is_active
    assert games == Run.open(tmp_path / "run", write=False).manifest.counters["selfplay_games"]
    managed.resume()
    result = managed.wait(90)
    assert result is not None and result.state == "done" and managed.state == "done"
    assert result.games_completed == 3 * 72 >= games
    assert result.games_per_second > 0 and result.errors == 0
    assert sum(result.win_rates) + result.draw_rate == pytest.approx(1.0)
    assert result.champion is not None and result.champion.is_file()
    assert result.score_difference is not None
    assert [one[0] for one in told] == sorted(one[0] for one in told)
    assert all(0.0 <= one[2] <= 1.0 and one[3] > 0.0 for one in told)


def test_an_error_in_the_callback_is_told_and_the_training_goes_on(tmp_path):
    managed = manager(tmp_path)

    def broken(*_):
        raise ValueError("mine")

    managed.set_progress_callback(broken)
    managed.start(iterations=1)
    result = managed.wait(90)
    assert result is not None and result.state == "done"
    events = read_ndjson(tmp_path / "run/logs/events.ndjson")[0]
    assert any("mine" in str(event) for event in events)


def test_settings_are_checked_before_they_are_sent(tmp_path):
    managed = manager(tmp_path)
    with pytest.raises(ConfigError, match=r"unknown setting nothing\.such"):
        managed.configure({"nothing.such": 1})
    with pytest.raises(ConfigError, match=r"model\.hidden_dim is fixed"):
        managed.configure({"model.hidden_dim": 64})
    managed.configure({"metrics.game_stats_every": 20})
    managed.start(iterations=1)
    assert managed.wait(90).state == "done"


def test_what_stops_a_training_is_raised_by_whoever_waits(tmp_path):
    managed = TrainingManager("yatzy", run=tmp_path / "run", settings={"search.budget": -1})
    managed.start(iterations=1)
    with pytest.raises(ConfigError, match=r"search\.budget"):
        managed.wait(60)


def test_pattern_tables_in_the_background(tmp_path):
    """Rules of Othello, a pause within a unit, settings that change while it trains."""
    patterns = tmp_path / "few.txt"
    patterns.write_text("edge: a1 b1 c1 d1\ncentre: c3 d3 c4 d4\n")
    told, gone = [], threading.Event()

    def tell(*figures):
        told.append(figures)
        gone.set()

    managed = TrainingManager(
        "othello",
        run=tmp_path / "run",
        settings={
            "td.patterns": str(patterns),
            "td.batch_games": 50,
            "selfplay.games_per_iteration": 1000,
            "evaluation.every": 0,
            "runtime.unit_seconds": 0.05,
            "runtime.lanes": 1,
        },
    )
    managed.set_progress_callback(tell)
    managed.start(games=10**9)
    assert gone.wait(30)
    managed.configure({"td.epsilon": 0.5, "logging.level": "debug"})
    until = time.monotonic() + 30
    while managed.is_active and time.monotonic() < until:
        time.sleep(0.05)
        events = read_ndjson(tmp_path / "run/logs/events.ndjson")[0]
        changed = {one.get("key"): one.get("value") for one in events}
        if {"td.epsilon.start", "logging.level"} <= set(changed):
            break
    begun = time.monotonic()
    games = managed.pause()
    assert time.monotonic() - begun < 5.0
    assert games == Run.open(tmp_path / "run", write=False).manifest.counters["selfplay_games"]
    assert games >= told[-1][0] >= 100 and games % 50 == 0
    assert all(-64.0 <= one[1] <= 64.0 for one in told)
    assert changed["logging.level"] == "debug" and changed["td.epsilon.start"] == 0.5
    managed.start(games=games + 1)  # one more batch
    result = managed.wait(60)
    assert result is not None and result.state == "done"
    assert result.games_completed == games + 50
    assert result.score_difference is not None and result.errors == 0
    assert sum(result.win_rates) + result.draw_rate == pytest.approx(1.0)
