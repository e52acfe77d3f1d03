"""Records of the metric stream that are made of games: what is in them, when, and after a kill."""

import json
import time
from dataclasses import asdict

import numpy as np
import pytest
from tests.training.tiny import train

from ludus.replay import COLUMN_TYPES, GameRecords
from ludus.runs import Run, read_ndjson
from ludus.training.blocks import Blocks, Sums, Table
from ludus.training.stream import score_figures

EVERY = ("metrics.game_stats_every=10", "metrics.game_details_every=50")
OF_TIME = {
    "event",
    "ts_ms",
    "run_id",
    "elapsed_seconds",
    "games_per_second",
    "eta_seconds",
    "memory_bytes",
    "depth",
    "expansions",
    "collisions",
    "terminals",
    "config_hash",
}
"""Fields that tell of time, or of searches that an interruption throws away."""


def records(ids, returns, scores=None, plies=None, values=None, seed=0):
    """Games with these ids; each ply is searched with 4 simulations."""
    returns = np.asarray(returns, np.float32)
    games = len(returns)
    plies = np.asarray([3] * games if plies is None else plies, np.int32)
    total = int(plies.sum())
    columns = {name: np.zeros(0, kind) for name, kind in COLUMN_TYPES.items()}
    for name in ("game_id", "seed", "plies", "opening"):
        columns[name] = np.zeros(games, COLUMN_TYPES[name])
    for name in ("action", "seat", "kind", "outcome", "flags", "rule", "temperature"):
        columns[name] = np.zeros(total, COLUMN_TYPES[name])
    columns["game_id"][:] = ids
    columns["plies"] = plies
    columns["returns"] = returns
    columns["scores"] = np.asarray(returns * 10 if scores is None else scores, np.float32)
    columns["seat_players"] = np.zeros(returns.shape, np.int8)
    columns["simulations"] = np.full(total, 4, np.uint16)
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-1, 1, total) if values is None else values
    columns["root_value"] = np.asarray(drawn, np.float16)
    columns["q_variance"] = np.zeros(total, np.float16)
    columns["edges"] = np.ones(total, np.uint16)
    columns["visits"] = np.ones(total, np.uint16)
    columns["q"] = columns["prior"] = np.zeros(total, np.float16)
    return GameRecords(columns)


def test_figures_of_a_hand_made_table():
    made = records(
        [0, 1, 2, 3],
        [[1, -1], [-1, 1], [0, 0], [1, -1]],
        scores=[[30, 10], [5, 25], [7, 7], [2.5, 1]],
        plies=[1, 2, 3, 4],
        values=[0.5, -0.5, 0.25, 1, 0, 0, -1, 0.125, 0.5, 0.5],
    )
    blocks = Blocks(4)
    blocks.add(Table.of(made))
    (sums,) = blocks.take(0)
    assert (sums["games"], sums["draws"], sums["plies"]) == (4, 1, 10)
    assert (sums["wins_0"], sums["wins_1"]) == (2, 1)
    assert sums.mean("score", scale=1024) == (20 + 15 + 7 + 1.75) / 4
    assert sums.mean("difference", scale=1024) == (20 - 20 + 0 + 1.5) / 4
    deviation = np.std([20, -20, 0, 1.5])
    assert sums.std("difference", "difference_squares", "games", 1024) == pytest.approx(deviation)
    assert sums.mean("value", "searched", 1024) == pytest.approx(0.1375, abs=1e-3)
    assert (sums.low, sums.high) == (-1.0, 1.0)
    assert sums["simulations"] == 40


def test_three_seats_and_one():
    three = Table.of(records([0, 1], [[1, -1, 0], [0.5, 0.5, -1]], scores=[[9, 3, 6], [6, 6, 0]]))
    assert three.sums["draws"].tolist() == [0, 1]
    assert three.sums["difference"].tolist() == [4.5 * 1024, 3 * 1024]
    one = Table.of(records([0], [[0.5]]))
    assert one.sums["difference"].tolist() == [0.0]


def test_the_order_in_which_games_end_changes_nothing():
    rng = np.random.default_rng(3)
    returns = rng.choice([-1, 0, 1], (200, 1)) * [[1, -1]]
    plies = rng.integers(1, 30, 200)
    values = rng.uniform(-1, 1, int(plies.sum()))
    scores = rng.uniform(0, 400, (200, 2))
    whole = records(np.arange(200), returns, scores, plies, values)

    def blocks(order, cuts):
        made, found = Blocks(16), []
        for part in np.split(np.asarray(order), cuts):
            if len(part):
                made.add(Table.of(whole.take(part)))
            found += [asdict(sums) for sums in made.take(0)]
            made = Blocks.from_json(json.loads(json.dumps(made.as_json())))
        return found

    straight = blocks(range(200), [])
    assert len(straight) == 12
    assert [one["first"] for one in straight] == list(range(0, 192, 16))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(200)
        assert blocks(order, np.sort(rng.integers(0, 200, 10))) == straight


def test_games_that_never_end_hold_nothing_back_for_ever():
    blocks = Blocks(4)
    blocks.add(Table.of(records([0, 1, 3, 4, 5, 6, 7], [[1, -1]] * 7)))
    assert blocks.take(0) == []
    first, second = blocks.take(8)
    assert (first["games"], second["games"]) == (3, 4)
    assert blocks.take(20) == []  # blocks of which no game ended are left out
    blocks.add(Table.of(records([20], [[1, -1]])))
    assert [sums.first for sums in blocks.take(24)] == [20]


def test_another_size_begins_with_the_next_iteration():
    blocks = Blocks(100)
    blocks.add(Table.of(records(np.arange(30), [[1, -1]] * 30)))
    blocks.begin(10, 30)
    blocks.add(Table.of(records(np.arange(30, 45), [[1, -1]] * 15)))
    again = Blocks.from_json(blocks.as_json())
    found = [(sums.first, sums.end, sums["games"]) for sums in again.take(0)]
    assert found == [(0, 30, 30), (30, 40, 10)]


def test_merging_adds_up():
    one, other = Sums(0, 4, {"games": 4.0}, -0.5, None), Sums(4, 8, {"games": 3.0, "x": 1.0}, 0, 1)
    merged = one.merge(other)
    assert merged == Sums(0, 8, {"games": 7.0, "x": 1.0}, -0.5, 1)


def test_value_errors_and_scores_of_an_iteration():
    made = records([0, 1], [[1, -1], [-1, 1]], scores=[[1, 3], [5, 7]], plies=[1, 1], values=[1, 0])
    assert score_figures(made) == {"score_variance": 5.0, "value_error_variance": 0.25}
    # Margins of 2 points at a scale of 2: tanh(1), half of it.
    half = score_figures(made, margin_weight=0.5, margin_scale=2.0)["value_error_variance"]
    errors = [1 - 0.5 * (1 - np.tanh(1)), 0 - 0.5 * (-1 - np.tanh(1))]
    assert half == pytest.approx(np.var(errors))
    empty = GameRecords.empty(2)
    assert score_figures(empty) == {"score_variance": None, "value_error_variance": None}


# -- in a run ----------------------------------------------------------------------------------


def found(path, event):
    return [one for one in read_ndjson(path / "logs/metrics.ndjson")[0] if one["event"] == event]


def told(path, event):
    """Records of a run without what depends on time."""
    return [
        {name: value for name, value in one.items() if name not in OF_TIME}
        for one in found(path, event)
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "run"
    assert train(path, *EVERY, iterations=2).state == "done"
    return path


def test_records_come_at_their_numbers_of_games(undisturbed):
    stats = found(undisturbed, "game_stats")
    assert [one["step"] for one in stats] == list(range(10, 141, 10))  # 144 games
    assert all(one["games"] == 10 and one["first_game"] == one["step"] - 10 for one in stats)
    details = found(undisturbed, "game_details")
    assert [(one["first_game"], one["games"]) for one in details] == [(0, 50), (50, 50)]


def test_records_agree_with_the_games_in_the_replay(undisturbed):
    with Run.open(undisturbed, write=False) as run:
        assert run.counters["selfplay_games"] == 144
        games = [run.counters[name] for name in ("draws", "wins_seat_0", "wins_seat_1")]
        assert sum(games) == 144
        iterations = run.iterations
    stats = found(undisturbed, "game_stats")
    for one in stats:
        rates = one["win_rates"]
        assert sum(rates) * one["games"] + one["draws"] == pytest.approx(one["games"])
        assert 0 < one["mean_score"] < 374
        assert one["score_difference_std"] > 0
        assert one["elapsed_seconds"] > 0 and one["games_per_second"] > 0
    first = [one for one in stats if one["step"] <= 70]
    mean = iterations[0]["selfplay"]["mean_score"]
    assert np.mean([one["mean_score"] for one in first]) == pytest.approx(mean, rel=0.05)
    (detail, _) = found(undisturbed, "game_details")
    assert -1 <= detail["value"]["min"] <= detail["value"]["mean"] <= detail["value"]["max"] <= 1
    assert detail["value"]["std"] > 0
    assert detail["simulations_per_decision"] >= 2
    assert 1 <= detail["depth"] <= 4
    assert detail["cache_hit_rate"] is None
    assert detail["memory_bytes"] > 1e7
    assert iterations[0]["selfplay"]["score_variance"] > 0
    assert 0 < iterations[0]["selfplay"]["value_error_variance"] < 4


def test_the_history_keeps_one_state_only(undisturbed):
    iterations = json.loads((undisturbed / "run.json").read_text())["iterations"]
    assert ["stream" in one["selfplay"] for one in iterations] == [False, True]
    assert len(json.dumps(iterations[1]["selfplay"]["stream"])) < 2000


def test_a_killed_run_has_the_same_records(undisturbed, tmp_path):
    path = tmp_path / "run"
    for crash_at in (3, 6, 9, 12):
        train(
            path,
            *(EVERY if crash_at == 3 else ()),
            iterations=2,
            crash_at=crash_at,
            commit_always=True,
        )
    assert train(path, iterations=2).state == "done"
    for event in ("game_stats", "game_details"):
        assert told(path, event) == told(undisturbed, event)
    resumed = [
        one for one in read_ndjson(path / "logs/metrics.ndjson")[0] if one["event"] == "resume"
    ]
    assert len(resumed) >= 4
    with Run.open(path, write=False) as run, Run.open(undisturbed, write=False) as other:
        mine, undisturbed_counts = run.counters.as_dict(), other.counters.as_dict()
        for counts in (mine, undisturbed_counts):
            counts.pop("simulations")  # searches that were thrown away are done again
        assert mine == undisturbed_counts


def test_fast_play_shares_records(tmp_path, monkeypatch):
    monkeypatch.setattr("ludus.training.stream.BURST", 1)
    monkeypatch.setattr("ludus.training.stream.RECORDS_A_SECOND", 0.0)
    path = tmp_path / "run"
    train(path, *EVERY, "evaluation.every=0", "gating.enabled=false", iterations=1)
    stats = found(path, "game_stats")
    # The first comes at once, the rest at the end of the phase.
    assert len(stats) <= 2
    assert sum(one["games"] for one in stats) == 70
    assert [one["first_game"] for one in stats] == [0, stats[0]["step"]][: len(stats)]


def test_a_checkpoint_has_a_summary(undisturbed):
    summaries = found(undisturbed, "checkpoint_summary")
    saved = [
        one
        for one in read_ndjson(undisturbed / "logs/events.ndjson")[0]
        if one["event"] == "checkpoint_saved"
    ]
    assert [one["path"] for one in summaries] == [one["path"] for one in saved]
    assert saved, "the tiny run promotes at least once"
    last = summaries[-1]
    assert last["counters"]["selfplay_games"] == last["step"]
    assert last["bytes"] > 1000 and saved[-1]["seconds"] > 0
    assert last["loss"] > 0 and last["games_per_second"] > 0
    assert last["draw_rate"] + sum(last["win_rates"]) == pytest.approx(1)


def test_counting_costs_little():
    """Far from the millions of rows a second of a search: a microsecond a ply, measured loosely."""
    rng = np.random.default_rng(0)
    plies = np.full(500, 80)
    made = records(np.arange(500), [[1, -1]] * 500, plies=plies, values=rng.uniform(-1, 1, 40_000))
    best = min(_seconds(made) for _ in range(5))
    assert best / made.samples < 1e-6


def _seconds(made):
    blocks = [Blocks(100), Blocks(10_000)]
    begin = time.perf_counter()
    table = Table.of(made)
    for one in blocks:
        one.add(table)
        one.take(0)
    return time.perf_counter() - begin
