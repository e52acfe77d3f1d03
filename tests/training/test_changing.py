"""Settings that change while a run works."""

import logging

import pytest
from tests.training.tiny import digests, request, train

from ludus.runs import Run, list_checkpoints, read_header, read_ndjson, read_status, send_command
from ludus.training.birth import open_session


def events(path, name):
    return [r for r in read_ndjson(path / "logs/events.ndjson")[0] if r["event"] == name]


def sends(path, *assignments, at=3):
    """An act of the tiny run: SETs at a unit."""

    def act(loop, unit):
        if unit == at:
            for assignment in assignments:
                key, _, value = assignment.partition("=")
                send_command(path, "set", key=key, value=value)

    return act


def iterations(path):
    return [
        r for r in read_ndjson(path / "logs/metrics.ndjson")[0] if r["event"] == "selfplay_iter"
    ]


def test_what_is_learned_changes_with_the_next_iteration(tmp_path):
    path, seen, notes = tmp_path / "run", [], []
    act = sends(path, "search.budget=3", "selfplay.temperature=0.5")

    def look(loop, unit):
        act(loop, unit)
        if unit == 5:
            loop._reporter.status("training", loop._phase)
            seen.append(read_status(path)["pending"])
            seen.append(loop._session.settings.search.budget)

    train(path, "evaluation.every=0", act=look, iterations=2, notes=notes)
    assert seen[0]["search.budget"] == 3
    assert seen[0]["selfplay.temperature.start"] == 0.5
    assert seen[1] == 2
    first, second = iterations(path)
    assert (first["budgets"], second["budgets"]) == ([2, 4], [3, 4])
    assert (first["temperature"]["start"], second["temperature"]["start"]) == (0.25, 0.5)
    assert events(path, "setting_pending")[0]["iteration"] == 1
    changed = {r["key"]: r for r in events(path, "setting_changed")}
    assert changed["search.budget"]["value"] == 3
    assert changed["search.budget"]["iteration"] == 1
    assert changed["search.budget"]["source"] == "pending"
    progress = Run.open(path, write=False).manifest.progress
    assert progress["pending"] == {}
    assert progress["changed"]["search.budget"] == 3
    assert "search.budget will be 3 from iteration 1 on" in notes


def test_a_run_that_was_killed_does_what_an_undisturbed_one_does(tmp_path):
    runs = tmp_path / "whole", tmp_path / "cut"
    act = sends(runs[0], "search.budget=5")
    train(runs[0], "evaluation.every=0", act=act, iterations=2)
    act = sends(runs[1], "search.budget=5")
    assert train(runs[1], "evaluation.every=0", act=act, crash_at=6) is None
    assert Run.open(runs[1], write=False).manifest.progress["pending"] == {"search.budget": 5}
    train(runs[1], iterations=2)
    assert iterations(runs[1])[1]["budgets"] == [5, 4]
    assert digests(runs[0]) == digests(runs[1])


def test_a_set_is_durable_at_once_and_its_file_goes_then(tmp_path):
    path = tmp_path / "run"
    train(path, act=sends(path, "run.keep_checkpoints=2"), crash_at=4)
    progress = Run.open(path, write=False).manifest.progress
    assert progress["changed"] == {"run.keep_checkpoints": 2}
    assert not list((path / "control").iterdir())


def test_refusals_are_told_and_stop_nothing(tmp_path):
    path, notes = tmp_path / "run", []
    refused = {
        "alerts.webhook=http://x.example/": "is read when a run is started",
        "model.hidden_dim=64": "fixed for the life",
        "search.budget_by_kind={roll: 3}": "names the kind 'roll'",
        "search.budget=-1": "must be a whole number, at least 0",
        "search.full_fraction=0.5": "must be below the budget",
        "search.no_such=1": "unknown setting",
    }
    ending = train(path, act=sends(path, *refused), iterations=1, notes=notes)
    assert ending.state == "done"
    messages = [record["message"] for record in events(path, "command_refused")]
    assert len(messages) == len(refused)
    for message, words in zip(messages, refused.values(), strict=True):
        assert words in message
        assert "\n" not in message
    progress = Run.open(path, write=False).manifest.progress
    assert progress["changed"] == progress["pending"] == {}


def test_a_pending_setting_can_be_taken_back(tmp_path):
    path = tmp_path / "run"
    train(
        path, act=sends(path, "search.budget=9", "search.budget=2", "search.budget=2"), iterations=1
    )
    assert not events(path, "setting_changed")
    assert [record["value"] for record in events(path, "setting_pending")] == [9, 2]


def test_given_at_a_start_in_the_middle_of_an_iteration_it_waits_too(tmp_path):
    path = tmp_path / "run"
    # A quick machine is through an iteration before four larger units have passed.
    small = "runtime.unit_seconds=0.002"
    train(path, "evaluation.every=0", small, crash_at=3, commit_always=True)
    assert Run.open(path, write=False).manifest.progress["saved"] is not None
    train(path, "search.budget=6", crash_at=2)
    progress = Run.open(path, write=False).manifest.progress
    assert progress["pending"] == {"search.budget": 6}
    train(path, iterations=2)
    assert [record["budgets"] for record in iterations(path)] == [[2, 4], [6, 4]]
    train(path, "search.budget=7", iterations=3)  # no iteration has begun: at once
    assert iterations(path)[2]["budgets"] == [7, 4]


def test_what_a_return_to_an_earlier_commit_does_to_changes(tmp_path):
    from ludus.training.changing import begin_iteration, set_by_command
    from ludus.training.returning import Returns

    path = tmp_path / "run"
    session = open_session(request(path), lambda text: None)
    with session.run:
        session.commit(*session.kept())
        early = session.run.manifest
        session.playing = True
        set_by_command(session, "search.budget=8")
        set_by_command(session, "run.keep_checkpoints=3")
        begin_iteration(session)  # as at the beginning of the next one
        session.commit(*session.kept())
        set_by_command(session, "search.fast_budget=1")
        assert session.settings.search.budget == 8
        Returns(session, lambda: None)._back(early, "test")
        assert session.settings.search.budget == 2
        assert session.settings.run.keep_checkpoints == 3
        assert session.pending == {"search.budget": 8, "search.fast_budget": 1}
        assert session.changed == {"run.keep_checkpoints": 3}


def test_retention_compression_and_cadence_change_while_running(tmp_path):
    path = tmp_path / "run"
    act = sends(
        path,
        "run.checkpoint_every=1",
        "run.checkpoint_compression=3",
        "run.retention=milestones",
        "run.milestone_every=2",
        "run.milestone_cache=1",
    )
    settings = ("evaluation.every=0", "gating.h0=0.9", "gating.h1=0.99")  # never promotes
    train(path, *settings, act=act, iterations=4)
    found = {entry.unit: entry for entry in list_checkpoints(path)}
    assert {unit: entry.where for unit, entry in found.items()} == {
        2: "permanent",
        3: "cache",
        4: "permanent",
    }
    assert read_header(path / found[4].path).compressed
    assert [record["unit"] for record in events(path, "checkpoint_saved")] == [1, 2, 3, 4]
    assert len(events(path, "setting_changed")) == 5


def test_one_checkpoint_an_iteration(tmp_path):
    path = tmp_path / "run"
    train(path, "run.checkpoint_every=1", "gating.enabled=false", iterations=2)
    assert [entry.unit for entry in list_checkpoints(path)] == [1, 2]  # those of the promotions


def test_the_level_of_the_log_changes(tmp_path):
    path, levels = tmp_path / "run", []
    act = sends(path, "logging.level=error", "logging.json_output=true")

    def look(loop, unit):
        act(loop, unit)
        levels.append(logging.getLogger("ludus").level)

    before = logging.getLogger("ludus").level
    try:
        train(path, act=look, iterations=1)
    finally:
        from ludus import logs

        logs.close()
    assert levels[0] == before
    assert levels[-1] == logging.ERROR


@pytest.mark.parametrize("value", ["0", "20"])
def test_levels_of_compression(tmp_path, value):
    path = tmp_path / "run"
    train(path, act=sends(path, f"run.checkpoint_compression={value}"), iterations=1)
    assert bool(events(path, "command_refused")) == (value == "20")
