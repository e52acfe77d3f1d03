"""The run's rating: from evaluation games alone, told everywhere, with an alert when it falls."""

import json

import pytest
from tests.training.tiny import request, train

from ludus.arena import SeedSet
from ludus.arena.values import value_calibration
from ludus.cli import main as cli
from ludus.errors import UserError
from ludus.games import get_game
from ludus.runs import Run, list_checkpoints, read_ndjson, read_status, read_summary, send_command
from ludus.training.birth import open_session
from ludus.training.rating import (
    choose_anchor,
    deals_of,
    elo_of,
    fall_text,
    latest,
    rate_run,
    results_of,
    seen_change,
)
from ludus.training.view import describe, rating_text

OPPONENTS = "evaluation.opponents=[first, previous, random]"


def metrics(path, name, log="metrics"):
    records, _ = read_ndjson(path / "logs" / f"{log}.ndjson")
    return [record for record in records if record["event"] == name]


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """Three iterations, each promoted and evaluated; a checkpoint is asked for at the end."""
    path = tmp_path_factory.mktemp("rating") / "run"

    def act(loop, unit):
        there = list((path / "checkpoints" / "permanent").glob("*"))
        if loop._session.iteration == 2 and loop._phase.name == "selfplay" and not there:
            send_command(path, "save")

    train(path, OPPONENTS, "evaluation.every=1", "gating.enabled=false", iterations=3, act=act)
    return path


def test_every_evaluation_rates_the_run(rated):
    records = metrics(rated, "rating")
    # The budget is the evaluation's own, which is part of who plays.
    assert [record["player"] for record in records] == [f"champion-{i}:sims=2" for i in (1, 2, 3)]
    assert [record["games"] for record in records] == [16, 40, 64]
    last = records[-1]
    assert last["anchor"] == "champion-0:sims=2"
    names = {line["player"] for line in last["players"]}
    assert names == {*(f"champion-{i}:sims=2" for i in range(4)), "random"}
    assert last["before"]["player"] == "champion-2:sims=2"
    assert last["standing"] == "rated" and last["elo_se"] > 0
    history = read_summary(rated)["iterations"]
    kept = history[1]["evaluate"]
    assert set(kept["results"]) >= {"first", "previous", "random"}
    assert kept["results"]["previous"]["player"]["unit"] == 1
    assert kept["results"]["first"]["player"]["unit"] == 0
    assert len(kept["results"]["random"]["quarters"]) == 4
    assert "previous" not in set(history[0]["evaluate"]["results"])  # nobody came before
    assert read_status(rated)["rating"] == latest(history) == history[2]["evaluate"]["rating"]


def test_the_report_tells_the_history(rated):
    report = json.loads((rated / "reports" / "training_report.json").read_text())
    assert report["rating"]["player"] == "champion-3:sims=2"
    assert len(report["rating_history"]) == 3
    assert {"elo", "elo_se", "standing", "change"} <= set(report["rating_history"][2])


def test_a_permanent_checkpoint_has_the_rating_in_its_name(rated):
    entry = next(e for e in list_checkpoints(rated) if e.where == "permanent")
    history = read_summary(rated)["iterations"]
    champion = history[1]["evaluate"]
    elo = elo_of(history, champion["model"]["sha256"])
    assert entry.elo == elo
    assert elo is not None and f"-elo{elo:04.0f}" in entry.path
    assert elo_of(history, "0" * 64) is None
    # A promotion's checkpoint is written before its champion was measured: it bears no rating.
    assert all(e.elo is None for e in list_checkpoints(rated) if e.where == "cache")


def test_a_killed_evaluation_goes_on_to_the_same_rating(tmp_path, rated):
    broken = tmp_path / "broken"
    more = (OPPONENTS, "evaluation.every=1", "gating.enabled=false")
    for crash in range(4, 80, 9):
        if train(broken, *more, crash_at=crash, commit_always=True, iterations=3) is not None:
            break
    train(broken, iterations=3)
    ours, theirs = (
        [entry["evaluate"]["rating"] for entry in read_summary(path)["iterations"]]
        for path in (broken, rated)
    )
    assert ours == theirs


def entry_of(unit, *results, simulations=None):
    model = {"unit": unit, "sha256": f"{unit:064d}", "path": "models/x", "bytes": 1}
    return {
        "iteration": unit,
        "evaluate": {"model": model, "simulations": simulations, "results": dict(results)},
    }


def against(name, quarters, *, player=None, seeds="s", distinct=None):
    return name, {
        "player": player or {"key": f"key of {name}"},
        "quarters": quarters,
        "pentanomial": [quarters.count(digit) for digit in "01234"],
        "seeds_hash": seeds,
        "distinct_games": 2 * len(quarters) if distinct is None else distinct,
    }


def test_the_same_games_count_once():
    twice = [entry_of(3, against("greedy", "0244")), entry_of(3, against("greedy", "0244"))]
    table, last = results_of(twice, chance=True)
    assert last == "champion-3" and sum(row.games for row in table) == 8
    other_seeds = [twice[0], entry_of(3, against("greedy", "0244", seeds="t"))]
    assert sum(row.games for row in results_of(other_seeds, chance=True)[0]) == 16
    other_budget = [twice[0], entry_of(3, against("greedy", "0244"), simulations=8)]
    assert "champion-3:sims=8" in results_of(other_budget, chance=True)[0].names


def test_copies_of_a_game_without_chance_count_once():
    history = [entry_of(1, against("greedy", "2222", distinct=2))]
    assert sum(row.games for row in results_of(history, chance=False)[0]) == 2
    assert sum(row.games for row in results_of(history, chance=True)[0]) == 8


def test_old_histories_and_the_champion_itself_rate_nobody():
    itself = against("first", "2222", player={"unit": 1, "sha256": f"{1:064d}"})
    history = [{"iteration": 0, "evaluate": {"results": {"random": {"win_rate": 1.0}}}}]
    assert results_of([*history, entry_of(1, itself)], chance=True)[0].pairings == []
    assert results_of([], chance=True)[1] is None


def test_counts_stand_for_pairs_that_were_too_many_to_keep():
    name, result = against("greedy", "0244")
    history = [entry_of(1, (name, {**result, "quarters": None}))]
    table, _ = results_of(history, chance=True)
    assert table.pairings[0].points == 5.0


def test_weights_and_words_that_changed_are_other_players():
    changed = against("search:run=x", "24", player={"key": "other"})
    table, _ = results_of(
        [entry_of(1, against("search:run=x", "24")), entry_of(2, changed)], chance=True
    )
    assert "search:run=x#other" in table.names


def test_the_anchor_stays():
    entry = get_game("yatzy")
    table, _ = results_of(
        [entry_of(1, against("oracle", "01"), against("greedy", "02"), against("random", "44"))],
        chance=True,
    )
    assert choose_anchor("auto", table.names, entry, None) == "greedy"
    assert choose_anchor("auto", table.names, entry, "oracle") == "oracle"
    assert choose_anchor("random", table.names, entry, "oracle") == "random"
    assert choose_anchor("first", table.names, entry, None) == "mean"


def test_a_fall_is_told_with_both_numbers(tmp_path):
    """G-19; the alert is a rule, see test_alerts_fire."""
    path = tmp_path / "run"
    train(path, "evaluation.every=0", iterations=1)
    session = open_session(request(path, iterations=2), lambda text: None)
    with session.run:
        strong, weak = "34" * 40 + "0" * 10, "01" * 40 + "0" * 10
        session.run.iterations[:] = [entry_of(1, against("greedy", strong))]
        session.iteration = 1
        first = rate_run(session)
        assert first["before"] is None and fall_text(session.run.iterations) is None
        session.run.iterations.append(entry_of(2, against("greedy", weak)))
        session.iteration = 2
        second = rate_run(session)
        text = fall_text(session.run.iterations)
        session.run.iterations.append(entry_of(3, against("greedy", strong)))
        session.iteration = 3
        third = rate_run(session)
    assert second["change"] == pytest.approx(second["elo"] - second["before"]["elo"])
    assert second["change"] < -100 and second["change_se"] > 0
    assert text.startswith("the rating fell by")
    for number in (second["before"]["elo"], second["elo"], second["change_se"]):
        assert f"{number:.0f}" in text
    # The same seeds on both sides: the difference is known better than either number.
    assert second["change_se"] < (second["elo_se"] ** 2 + second["before"]["elo_se"] ** 2) ** 0.5
    assert third["change"] > 100
    assert fall_text(session.run.iterations).startswith("the rating rose by")


@pytest.mark.parametrize(
    ("before", "now", "change", "seen"),
    [
        ("rated", "rated", -120.0, -120.0),
        ("rated", "at most", -120.0, -120.0),
        ("rated", "at most", 30.0, None),
        ("rated", "at least", 30.0, 30.0),
        ("rated", "at least", -120.0, None),
        ("at least", "rated", -120.0, None),
    ],
)
def test_a_bound_is_seen_to_move_one_way_only(before, now, change, seen):
    found = {"before": {"standing": before}, "change": change, "standing": now}
    assert seen_change(found) == seen


def test_words():
    found = {"elo": 1234.4, "elo_se": 20.6, "standing": "rated", "bound": None}
    assert rating_text(found) == "1234 +- 21"
    assert rating_text({**found, "standing": "at least", "bound": 1100.2}) == "at least 1100"
    assert rating_text(None) is None
    assert "Elo 1234 +- 21" in describe({"iteration": 3, "phase": "train", "elo": "1234 +- 21"})


# -- calibration of the run's values, and gates by seed set ----------------------------------------


def test_values_of_the_search_against_results(rated, monkeypatch, capsys):
    found = value_calibration(rated, 50)
    assert found["games"] == 50 and found["last_game"] == 215
    whole = found["all"]
    assert whole.groups == 50
    assert sum(part.count for part in found["parts"]) == whole.count
    assert whole.brier_reference == pytest.approx(0.25, abs=0.01)
    # By the records themselves: the mean outcome of movers is as often a win as a loss here.
    run = Run.open(rated, write=False)
    assert run.config["search"]["margin_weight"] > 0 and "margin" in found["notes"][0]
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("evaluate", "players"))
    assert cli.main(["evaluate", str(rated), "--calibration", "--games", "50", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["runs"][0]
    assert shown["all"]["ece"] == pytest.approx(whole.ece)
    assert cli.main(["evaluate", str(rated), "--calibration"]) == 0
    text = capsys.readouterr().out
    assert "the search said" in text and "calibration error" in text and "part 4 of 4" in text


def test_gates_by_a_stored_seed_set(tmp_path, monkeypatch):
    """Y-204, Y-218, Y-219, Y-220: the same seeds in every gate and run, kept with the run."""
    monkeypatch.chdir(tmp_path)
    SeedSet.generate(9, 30).write(tmp_path / "seeds" / "gates.json")
    path = tmp_path / "run"
    more = ("gating.seed_set=gates", "gating.per_seed_results=false", "evaluation.every=0")
    train(path, *more, iterations=2)
    wanted = SeedSet.generate(9, 30).first(24)
    gates = metrics(path, "gate_summary")
    assert [gate["seeds_hash"] for gate in gates] == [wanted.hash] * 2
    report = json.loads((path / "reports" / "gate_report.json").read_text())
    assert report["gating"] == {"seeds_id": "arena-9-30[:24]", "seeds_hash": wanted.hash}
    assert "per_seed" not in report
    (tmp_path / "seeds" / "gates.json").unlink()
    train(path, iterations=3)
    assert metrics(path, "gate_summary")[2]["seeds_hash"] == wanted.hash


@pytest.mark.parametrize(
    ("name", "words"), [("tomorrow", "no seed set 'tomorrow'"), ("arena-1-5", "has 5 seeds")]
)
def test_a_seed_set_that_does_not_exist_is_refused_at_once(tmp_path, name, words):
    with pytest.raises(UserError, match=words) as caught:
        train(tmp_path / "run", f"gating.seed_set={name}", iterations=1)
    assert f"gating.seed_set = {name}" in str(caught.value)
    assert metrics(tmp_path / "run", "selfplay_iter") == []


def evaluated(unit, results):
    """An entry of the history with an evaluation over deals."""
    return {
        "evaluate": {
            "model": {"unit": unit, "sha256": f"{unit:064d}"},
            "simulations": None,
            "results": results,
        }
    }


def test_deals_of_a_history_count_once():
    """Champions and fixed players by deals; a match that was played again is the same deals."""
    random = {"player": {"key": "k"}, "seeds_hash": "s", "outcomes": "WWDL"}
    first = {"player": {"unit": 0, "sha256": f"{0:064d}"}, "seeds_hash": "s", "outcomes": "WDLL"}
    history = [
        evaluated(0, {"random": random, "first": first}),  # the champion is the first network
        evaluated(1, {"random": random, "first": first}),
        evaluated(1, {"random": random}),
        {"evaluate": None},
        evaluated(2, {"random": {**random, "outcomes": None}}),
    ]
    results, name = deals_of(history)
    assert name == "champion-2"
    assert [(sheet.a, sheet.b, sheet.outcomes) for sheet in results.sheets] == [
        ("champion-0", "random", "WWDL"),
        ("champion-1", "random", "WWDL"),
        ("champion-1", "champion-0", "WDLL"),
    ]
    assert results.deals == 12
    assert choose_anchor("auto", results.names, get_game("blob"), None) == "champion-0"
