"""The error budget, lost games, searches without policy, exceptions in lanes."""

import json
import shutil
import threading

import pytest
from tests.training.guarding import events, guard, hold_and_resume, train_own
from tests.training.tiny import digests, train

from ludus.errors import GameError
from ludus.evaluators import NetworkEvaluator
from ludus.evaluators.network import _Loaded
from ludus.runs import Run, list_checkpoints, read_status
from ludus.training.book import ErrorBook
from ludus.training.selfplay import SelfplayPhase


def test_the_window_slides_and_the_book_survives_a_commit():
    book = ErrorBook()
    for games in (0, 10, 5_000):
        book.add("game", "fell", games=games, window=10_000, game=games)
    assert book.rate(games=5_000, window=10_000) == 3 / 5_000
    again = ErrorBook.from_json(json.loads(json.dumps(book.as_json())))
    assert again.as_json() == book.as_json()
    assert again.count(("game",), games=12_000, window=10_000) == 1, "the first two have left"
    assert again.totals == {"game": 3}
    assert again.examples["game"]["first"]["game"] == 0
    assert again.examples["game"]["last"]["game"] == 5_000
    again.begin_anew(12_000)
    assert again.rate(games=12_500, window=10_000) == 0.0
    assert again.totals == {"game": 3}, "totals are for life"
    assert ErrorBook.from_json(None).as_json() == ErrorBook().as_json()


def test_a_book_of_many_errors_stays_small():
    book = ErrorBook()
    for games in range(0, 1_000_000, 50):
        book.add("worker", "x" * 2000, games=games, window=1_000_000)
        book.new_games([games])
    assert len(json.dumps(book.as_json())) < 16_000
    assert book.count(("worker",), games=999_999, window=1_000_000) == 20_000


def test_a_lost_game_is_counted_once_however_often_it_is_lost():
    book = ErrorBook()
    assert book.new_games([4, 4, 7]) == [4, 7]
    assert book.new_games([4, 7, 9]) == [9]


def test_failed_saves_and_callbacks_are_counted_but_hold_nothing():
    book = ErrorBook()
    for kind in ("save", "callback"):
        book.add(kind, "refused", games=5, window=100, count=50)
    assert book.rate(games=5, window=100) == 0.0
    assert book.counts(games=5, window=100) == {"save": 50, "callback": 50}


def test_too_many_errors_hold_the_run_with_a_report(tmp_path, monkeypatch):
    """Injected: the phase says that three of its games were lost."""
    path = tmp_path / "run"
    lost = [(number, f"board.py:{number}: the board fell") for number in (3, 5, 8)]
    monkeypatch.setattr(SelfplayPhase, "lost_games", lambda self: (lost, 0))
    seen = {}

    def look(status):
        seen.update(status=status, commit=Run.open(path, write=False).manifest)

    ending = hold_and_resume(path, look, "evaluation.every=0", iterations=1)
    assert ending.state == "done", "after the resume the run goes on to its end"
    assert seen["status"]["state"] == "paused"
    assert "3 errors" in seen["status"]["reason"]
    errors = guard(seen["status"], "errors")
    assert (errors["state"], errors["count"]) == ("acting", 3)
    assert seen["status"]["figures"]["errors"] == 3
    assert seen["status"]["figures"]["failure_rate"] == pytest.approx(0.03)
    assert seen["commit"].progress["guards"]["totals"] == {"game": 3}, "committed before it waits"
    report = json.loads((path / "reports" / "errors_1.json").read_text())
    assert report["counts"] == {"game": 3}
    assert report["examples"]["game"]["first"]["game"] == 3
    assert report["examples"]["game"]["last"]["game"] == 8
    assert report["rate"] > report["limit"] == 0.01
    assert len(list_checkpoints(path)) >= 1
    assert [event["counts"] for event in events(path, "error_report")] == [{"game": 3}]
    assert [event["guard"] for event in events(path, "guard_paused")] == ["errors"]
    assert len(events(path, "guard_resumed")) == 1
    assert len(events(path, "games_failed")) == 3, "each of them once"
    book = Run.open(path, write=False).manifest.progress["guards"]
    assert (book["totals"], book["held"], book["spans"]) == ({"game": 3}, None, {})


def test_a_held_run_that_is_started_again_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "run"
    lost = [(number, "fell") for number in (3, 5, 8)]
    monkeypatch.setattr(SelfplayPhase, "lost_games", lambda self: (lost, 0))
    ending = hold_and_resume(path, lambda status: None, iterations=1, command="stop")
    assert ending.state == "idle"
    assert Run.open(path, write=False).manifest.progress["guards"]["held"] == "errors"
    assert train(path, "evaluation.every=0", iterations=1).state == "done"
    assert len(events(path, "guard_paused")) == 1


def test_the_window_goes_on_after_a_crash(tmp_path, monkeypatch):
    path = tmp_path / "run"
    lost = [(3, "fell"), (5, "fell")]
    monkeypatch.setattr(SelfplayPhase, "lost_games", lambda self: (lost, 0))
    assert train(path, crash_at=1, commit_always=True) is None
    assert Run.open(path, write=False).manifest.progress["guards"]["totals"] == {"game": 2}
    lost.append((8, "fell"))  # the third in the window, in another process
    seen = []
    hold_and_resume(path, lambda status: seen.append(status["reason"]), iterations=1)
    assert "3 errors" in seen[0]


RULES = """
import itertools
from examples.tictactoe import TicTacToe as Sound

calls = itertools.count()

class Flaky(Sound):
    name = "flaky"

    def {method}:
        if {when}:
            {what}
        return super().{method_call}
"""


def rules(
    folder, when, *, method="apply(self, state, action)", call="apply(state, action)", what=None
):
    what = what or "raise RuntimeError('the board fell off the table')"
    text = RULES.format(method=method, when=when, what=what, method_call=call)
    (folder / "flaky.py").write_text(text)
    return f"{folder / 'flaky.py'}:Flaky"


def test_rules_that_end_many_games_pause_the_run_and_name_file_and_line(tmp_path):
    path = tmp_path / "run"
    ending = train_own(rules(tmp_path, "next(calls) % 50 == 49"), path)
    assert (ending.state, ending.code) == ("paused", 3)
    assert "the rules of flaky ended games" in ending.text
    assert "flaky.py:12" in ending.text
    assert "the board fell off the table" in ending.text
    assert f"mend {tmp_path}/flaky.py" in ending.text
    assert read_status(path)["state"] == "paused"
    report = json.loads((path / "reports" / "errors_1.json").read_text())
    assert report["counts"]["game"] >= 3
    # Mended and started again, the same run goes on.
    rules(tmp_path, "False")
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    assert train_own(f"{tmp_path / 'flaky.py'}:Flaky", path, fresh_rules=True).state == "done"


def test_rules_that_end_every_game_are_the_users_error(tmp_path):
    with pytest.raises(GameError, match=r"rules of flaky ended every game: .*flaky.py:12.*mend"):
        train_own(rules(tmp_path, "True"), tmp_path / "run")
    assert read_status(tmp_path / "run")["state"] == "error"


def test_an_empty_list_of_legal_actions_ends_that_game_only(tmp_path):
    home = rules(
        tmp_path,
        "next(calls) == 300",
        method="legal(self, state)",
        call="legal(state)",
        what="return []",
    )
    assert train_own(home, tmp_path / "run").state == "done"
    (failed,) = events(tmp_path / "run", "games_failed")
    assert "at least one action at a decision" in failed["error"]
    assert guard(read_status(tmp_path / "run"), "errors")["count"] == 1


def test_searches_without_a_policy_hold_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("ludus.training.guards.fallbacks._LEAST_DECISIONS", 10)
    monkeypatch.setattr(SelfplayPhase, "fallbacks", lambda self: (4, 200))
    seen = []
    path = tmp_path / "run"
    ending = hold_and_resume(path, seen.append, "evaluation.every=0", iterations=1)
    assert ending.state == "done"
    assert "2.00% of 200 searches gave no policy" in seen[0]["reason"]
    assert guard(seen[0], "fallbacks")["state"] == "acting"
    base = Run.open(path, write=False).manifest.progress["guards"]["base"]["fallbacks"]
    assert base == {"iteration": 0, "fallbacks": 4, "decisions": 200}


def breaks(monkeypatch, times, error=RuntimeError, after=20):
    """The evaluator of a network raises so often in a lane, after some batches that went well."""
    real = NetworkEvaluator.evaluate
    calls = {"good": 0, "bad": 0}

    def evaluate(self, batch):
        calls["good"] += threading.current_thread().name.startswith("lane")
        if calls["good"] > after and calls["bad"] < times:
            calls["bad"] += 1
            raise error("the network fell over")
        real(self, batch)

    monkeypatch.setattr(NetworkEvaluator, "evaluate", evaluate)


def test_an_exception_in_a_lane_is_survived_and_changes_nothing(tmp_path, monkeypatch):
    settings = ("evaluation.every=0", "runtime.lanes=1")  # two could fail in the same round
    assert train(tmp_path / "calm", *settings, iterations=1).state == "done"
    breaks(monkeypatch, times=2)
    path = tmp_path / "run"
    assert train(path, *settings, iterations=1).state == "done"
    assert digests(path) == digests(tmp_path / "calm"), "the same games, the same weights"
    failed = events(path, "worker_failed")
    assert [event["tries"] for event in failed] == [1, 2]
    first = failed[0]
    assert (first["phase"], first["player"], first["stage"]) == (
        "selfplay",
        "champion",
        "evaluator",
    )
    assert first["error"] == "RuntimeError: the network fell over"
    assert {game % 128 // 64 for game in first["games"]} == {first["group"]}
    assert len(events(path, "phase_rebuilt")) == 2
    assert guard(read_status(path), "errors")["count"] == 2
    steps = [record["step"] for record in events(path, "train_step", "metrics")]
    assert steps == sorted(set(steps))


def test_the_same_exception_three_times_in_a_row_is_raised(tmp_path, monkeypatch):
    breaks(monkeypatch, times=1000)
    path = tmp_path / "run"
    with pytest.raises(RuntimeError, match="the network fell over"):
        train(path, iterations=1)
    assert [event["tries"] for event in events(path, "worker_failed")] == [1, 2, 3]
    totals = Run.open(path, write=False).manifest.progress["guards"]["totals"]
    assert totals == {"worker": 3}, "the third is in the book too"


def test_a_model_that_cannot_be_made_in_a_lane_is_tried_again(tmp_path, monkeypatch):
    """A runner of the backend is made by the lane that needs it."""
    path = tmp_path / "run"
    assert train(path, crash_at=1) is None  # born, with a first commit
    real = _Loaded.take
    failures = iter([RuntimeError("no memory for the model")])

    def take(self, rows):
        if threading.current_thread().name.startswith("lane"):
            for failure in failures:
                raise failure
        return real(self, rows)

    monkeypatch.setattr(_Loaded, "take", take)
    assert train(path, "evaluation.every=0", iterations=1).state == "done"
    (failed,) = events(path, "worker_failed")
    assert failed["error"] == "RuntimeError: no memory for the model"
    assert failed["stage"] == "evaluator"
