"""Interruptions never change results: cut anywhere, one lane or two, the digests are the same.

These runs are cut in this process, which is quick enough to cut at every unit;
``test_kill_resume.py`` does the same with SIGKILL.
"""

from dataclasses import replace

import pytest
from tests.training.tiny import digests, train

from ludus.errors import RunError, UserError
from ludus.games import get_game
from ludus.runs import Run
from ludus.training import birth, network_session
from ludus.training.plays import require_same_game

ITERATIONS = 2


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Digests of a run that nobody interrupted, with one lane."""
    path = tmp_path_factory.mktemp("resume") / "run"
    ending = train(path, "runtime.lanes=1", iterations=ITERATIONS)
    assert ending is not None
    assert (ending.state, ending.code) == ("done", 0)
    run = Run.open(path, write=False)
    assert [entry["promoted"] for entry in run.iterations].count(None) == 0
    return digests(path)


def test_cut_after_every_few_units(undisturbed, tmp_path):
    """Each cut loses the work since the last commit, which is some units ago or none."""
    path, cuts, phases = tmp_path / "run", 0, set()
    while cuts < 150:
        ending = train(
            path,
            "runtime.lanes=2",
            "runtime.unit_seconds=0.008",
            crash_at=3 + cuts % 5,
            commit_always=cuts % 3 != 0,
            iterations=ITERATIONS,
        )
        if ending is not None:
            break
        cuts += 1
        phases.add(Run.open(path, write=False).manifest.progress["phase"])
    assert ending is not None
    assert ending.state == "done"
    assert cuts >= 5
    assert {"selfplay", "gate"} <= phases
    assert digests(path) == undisturbed


def test_pause_stop_and_time_are_gone_on_from(undisturbed, tmp_path):
    path = tmp_path / "run"
    ending = train(path, minutes=0.003, iterations=ITERATIONS)
    assert ending is not None
    assert "minutes are over" in ending.text
    ending = train(path, games=100)
    assert ending is not None
    assert "games of self-play are done" in ending.text
    counted = Run.open(path, write=False).manifest.counters
    assert 100 <= counted["selfplay_games"] <= 144
    assert train(path, iterations=ITERATIONS) is not None
    assert digests(path) == undisturbed


@pytest.mark.parametrize("crash_at", [2, 5, 9, 14, 20])
def test_a_start_that_ends_before_its_phase_loses_nothing(undisturbed, tmp_path, crash_at):
    # Found by a limit that was over at once: the commit at the end dropped the games in flight.
    path = tmp_path / "run"
    small = "runtime.unit_seconds=0.002"  # a quick machine is at its end before twenty larger ones
    assert train(path, small, crash_at=crash_at, commit_always=True, iterations=ITERATIONS) is None
    for _ in range(2):
        ending = train(path, minutes=1e-9, iterations=ITERATIONS)
        assert ending is not None
        assert "minutes are over" in ending.text
    train(path, iterations=ITERATIONS)
    assert digests(path) == undisturbed


def test_counters_and_history_are_those_of_an_undisturbed_run(undisturbed, tmp_path):
    path = tmp_path / "run"
    while train(path, crash_at=9, commit_always=True, iterations=1) is None:
        pass
    run = Run.open(path, write=False)
    counters = run.manifest.counters
    assert counters["selfplay_games"] == 72
    assert counters["train_step"] == 8
    assert counters["iterations"] == 1
    gate = run.iterations[0]["gate"]
    assert counters["gate_games"] == gate["games"] == 2 * gate["pairs"]
    assert len(run.iterations) == 1


def test_other_numbers_are_refused_or_accepted_by_name(tmp_path, monkeypatch):
    path = tmp_path / "run"
    assert train(path, minutes=0.0) is not None
    real = birth.fingerprint.of_backend
    monkeypatch.setattr(
        birth.fingerprint, "of_backend", lambda backend: {**real(backend), "torch": "9.9.9"}
    )
    with pytest.raises(UserError, match=r"torch was 2.* and is 9.9.9.*--accept-change"):
        train(path, minutes=0.0)
    assert train(path, minutes=0.0, accept_change=True) is not None
    log = (path / "logs" / "events.ndjson").read_text()
    assert '"event":"environment_changed"' in log
    assert train(path, minutes=0.0) is not None  # accepted once is accepted


def test_another_probe_digest_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "run"
    assert train(path, minutes=0.0) is not None
    monkeypatch.setattr(network_session, "probe_digest", lambda *_: "0" * 64)
    with pytest.raises(UserError, match="probe was"):
        train(path, minutes=0.0)


def test_other_rules_are_refused(tmp_path):
    path = tmp_path / "run"
    assert train(path, minutes=0.0) is not None
    run = Run.open(path, write=False)
    run.schema = replace(run.schema, ruleset_id="other_rules_v9")
    with pytest.raises(RunError, match="ruleset_id other_rules_v9"):
        require_same_game(run, get_game("yatzy"))
