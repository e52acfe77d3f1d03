"""Learning health: findings and numbers by hand, false alarms by simulation, a real run."""

import json

import numpy as np
import pytest
from scipy import stats
from tests.training.health_entries import GAMES, entry, noisy
from tests.training.tiny import train

from ludus.runs import Run, read_ndjson
from ludus.training.figures import CATALOGUE
from ludus.training.health import (
    distinct_share,
    health_of,
    improvement,
    newest_health,
    visited_share,
)
from ludus.training.health.analysis import (
    ALPHA,
    STAGNATION_GAMES,
    chosen_opponent,
    since_rise,
)
from ludus.training.health.history import Points, win_rates

# -- coverage ----------------------------------------------------------------------------------


def test_coverage_of_rows_and_tables():
    rows = np.array([[0, 1.0], [0, 1.0], [0, 2.0], [3, 1.0]], np.float32)
    assert distinct_share(rows) == 0.75
    assert distinct_share(rows[:0]) is None
    assert visited_share(np.array([[0, 1], [2, 5]])) == 0.75
    assert visited_share(np.array([[0, 1], [2, 5]]), least=2) == 0.5
    assert visited_share(np.zeros(0)) is None


# -- health ------------------------------------------------------------------------------------


def test_a_young_run_has_no_findings_and_no_invented_numbers():
    for count in range(1, 5):
        health = health_of([entry(number) for number in range(count)])
        assert health.findings == {}
        unknown = {name for name, value in health.figures.items() if value is None}
        assert {"win_rate_trend", "loss_trend", "games_without_progress", "converged"} <= unknown
        assert health.figures["coverage"] == 0.95
        assert health.figures["confident_share"] == 0.7
        assert health.figures["score_variance"] == 900.0
    assert health_of([]).figures == {}
    assert health_of([{"iteration": 0}]).findings == {}


def findings_of(make, count=60):
    return health_of([make(number) for number in range(count)]).findings


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        ("stagnation", lambda n: entry(n), "no progress for 56,320 games"),
        (
            "loss_rises",
            lambda n: entry(n, value_error_variance=1 / (n + 1), loss_total=2 + 0.02 * n),
            "the loss rises: by 0.38 over the last 20 iterations",
        ),
        (
            "games_shorten",
            lambda n: entry(n, value_error_variance=1 / (n + 1), mean_plies=100 - n),
            "games become shorter: by 19 plies",
        ),
        (
            "win_rate_falls",
            lambda n: entry(n, value_error_variance=1 / (n + 1), win_rate=0.9 - 0.01 * n),
            "the win rate against random falls: by 9.0%",
        ),
        (
            "coverage_falls",
            lambda n: entry(
                n, value_error_variance=1 / (n + 1), distinct_positions=0.9 if n < 59 else 0.2
            ),
            "only 20.0% of the audited positions are distinct, 90.0% were usual",
        ),
        (
            "policy_collapse",
            lambda n: entry(
                n, value_error_variance=1 / (n + 1), policy_entropy=1.5 if n < 59 else 0.1
            ),
            "fell to a mean entropy of 0.1000 nats from 1.5000",
        ),
    ],
)
def test_what_is_wrong_is_said(kind, make, words):
    found = findings_of(make)
    assert list(found) == [kind]
    assert words in found[kind]


def test_stagnation_begins_at_fifty_thousand_games_and_not_while_strength_grows():
    counts = [
        count
        for count in range(1, 70)
        if "stagnation" in health_of([entry(n) for n in range(count)]).findings
    ]
    # Five iterations are the first window; 49 more make 50,176 games.
    assert counts[0] == 54
    assert counts == list(range(54, 70))
    growing = [entry(n, win_rate=0.3 + 0.005 * n) for n in range(60)]
    health = health_of(growing)
    assert health.findings == {}
    assert health.figures["games_without_progress"] == 55 * GAMES
    assert health.figures["win_rate_trend"] == pytest.approx(0.005)


def test_stagnation_of_long_iterations_takes_five_of_them():
    """Pattern tables play 500,000 games an iteration: one that looks no better is noise."""
    history = [entry(n) for n in range(12)]
    for one in history:
        one["selfplay"]["games"] = 500_000
    counts = [
        count for count in range(1, 13) if "stagnation" in health_of(history[:count]).findings
    ]
    assert counts == [10, 11, 12]  # the first window, and five more


def test_a_falling_loss_and_a_rising_rating_are_progress():
    falling = [entry(n, loss_total=2 - 0.01 * n) for n in range(60)]
    assert health_of(falling).findings == {}
    assert health_of(falling).figures["games_without_progress"] <= 5 * GAMES
    rated = {"win_rate": 0.5, "elo": 1000.0, "change_se": 20.0}
    # Steps of 13 points add up to 65 after five: more than three errors of 20.
    rising = [entry(n, change=13.0, **rated) for n in range(60)]
    assert [since_rise(rising[:count]) for count in (1, 5, 6, 9, 10, 12)] == [
        0,
        0,
        GAMES,
        4 * GAMES,
        0,
        2 * GAMES,
    ]
    assert health_of(rising).findings == {}
    noise_of = np.random.default_rng(9).normal(0, 14, 61)
    luck = [entry(n, change=noise_of[n + 1] - noise_of[n], **rated) for n in range(60)]
    assert since_rise(luck) == 59 * GAMES
    assert "stagnation" in health_of(luck).findings
    bounds = [entry(n, win_rate=0.5, elo=1000.0, change=500.0) for n in range(9)]
    assert since_rise(bounds) is None


def test_convergence_of_the_loss():
    rng = np.random.default_rng(6)
    falling = [entry(n, loss_total=2 + (0.1 if n < 10 else 0.01) * rng.normal()) for n in range(20)]
    health = health_of(falling)
    assert health.figures["loss_std_ratio"] < 0.5
    assert health.figures["loss_std"] == pytest.approx(0.01, rel=0.6)
    assert health.figures["converged"] == 1.0
    learning = [entry(n, loss_total=2 - 0.02 * n) for n in range(20)]
    assert health_of(learning).figures["converged"] is not None
    assert health_of(learning).figures["converged"] == 0.0
    assert health_of(falling[:19]).figures["converged"] is None


def test_elo_by_games_by_time_and_in_this_session():
    history = [
        entry(n, win_rate=0.5 if n % 5 == 4 else None, elo=1000.0 + 10 * n, change=change)
        for n, change in zip(range(15), [None] * 9 + [50.0] + [None] * 4 + [20.0], strict=True)
    ]
    figures = health_of(history, started_ms=5000).figures
    assert figures["elo_per_10_games"] == pytest.approx(10 * 20 / (5 * GAMES))
    # Five iterations of 110 s and one evaluation of 10 s: 560 s.
    assert figures["elo_per_20_minutes"] == pytest.approx(20 * 1200 / 560)
    assert figures["elo_change_session"] == 70.0
    assert health_of(history, started_ms=10_000).figures["elo_change_session"] == 20.0
    assert health_of(history, started_ms=20_000).figures["elo_change_session"] is None
    assert health_of(history).figures["elo_change_session"] is None


def test_the_opponent_that_can_still_be_beaten_is_looked_at():
    steady = Points(list(range(6)), [1.0] * 6)
    open_ = Points(list(range(6)), [0.4, 0.5, 0.45, 0.5, 0.55, 0.5])
    few = Points([0, 1], [0.5, 0.5])
    assert chosen_opponent({"random": steady, "first": open_, "new": few}) == "first"
    assert chosen_opponent({"random": steady}) == "random"
    assert chosen_opponent({"new": few}) is None


def test_another_budget_is_another_opponent():
    history = [entry(n, win_rate=0.5) for n in range(8)]
    for one in history[5:]:
        one["evaluate"]["simulations"] = 99
    rates = win_rates(history)
    assert set(rates) == {"random"}
    assert len(rates["random"]) == 3


def test_an_opponent_stays_the_same_once_its_entry_was_read_from_a_file():
    history = [entry(number, win_rate=0.5 + 0.01 * number) for number in range(4)]
    for one in history:
        one["evaluate"]["results"]["random"]["player"] = {"unit": 0, "sha256": "ab"}
    resumed = [*json.loads(json.dumps(history[:2], sort_keys=True)), *history[2:]]
    assert win_rates(resumed) == win_rates(history)
    assert len(win_rates(history)["random"]) == 4
    history[3]["evaluate"]["worlds"] = 8
    assert len(win_rates(history)["random"]) == 1


def test_false_alarms_of_health():
    """40 looks at each of 40 runs of pure noise: how many say anything."""
    rng = np.random.default_rng(7)
    alarms = looks = 0
    for _ in range(40):
        history = [noisy(rng, number) for number in range(40)]
        for count in range(5, 41):
            looks += 1
            alarms += bool(health_of(history[:count]).findings)
    assert alarms / looks < 0.005


@pytest.mark.slow
def test_false_alarms_of_health_over_many_runs():
    rng = np.random.default_rng(8)
    kinds: dict[str, int] = {}
    looks = 0
    for _ in range(400):
        history = [noisy(rng, number) for number in range(50)]
        for count in range(5, 51):
            looks += 1
            for kind in health_of(history[:count]).findings:
                kinds[kind] = kinds.get(kind, 0) + 1
    assert sum(kinds.values()) / looks < 0.003, kinds


# -- improvement -------------------------------------------------------------------------------


def test_improvement_of_a_run_that_learns():
    history = [
        entry(
            n,
            win_rate=0.5 + 0.01 * n,
            elo=1000.0 + (20 * n if n < 19 else 300),
            loss_total=2 - 0.02 * n,
        )
        for n in range(20)
    ]
    found = improvement(history)
    json.dumps(found, allow_nan=False)
    assert (found["iterations"], found["games"]) == (20, 20 * GAMES)
    strength = found["strength"]["random"]
    assert set(found["strength"]) == {"random"}
    assert strength["first"] == {"iteration": 0, "value": 0.5}
    assert strength["change"] == pytest.approx(0.19)
    # Each interval is 0.1 wide: a standard error of 0.0255, of the difference 0.0361.
    assert strength["p_value"] == pytest.approx(2 * stats.norm.sf(0.19 / 0.03608), rel=0.01)
    assert strength["significant"]
    assert found["elo"]["best"] == {"iteration": 18, "value": 1360.0}
    assert found["elo"]["last"]["value"] == 1300.0
    assert found["elo"]["p_value"] == pytest.approx(2 * stats.norm.sf(300 / np.hypot(15, 15)))
    assert found["loss"]["best"]["value"] == pytest.approx(1.62)
    assert found["loss"]["change"] < 0 and found["loss"]["significant"]
    assert found["score"]["change"] == 19
    assert found["score"]["p_value"] == pytest.approx(2 * stats.norm.sf(19 / np.hypot(2, 2)))
    assert found["selfplay_score"]["significant"]


def test_improvement_of_nothing():
    assert improvement([]) == {
        "iterations": 0,
        "games": 0,
        "strength": {},
        "elo": None,
        "loss": None,
        "score": None,
        "selfplay_score": None,
    }
    (one,) = [entry(0, win_rate=0.5)]
    found = improvement([one])
    assert found["strength"]["random"]["p_value"] is None
    assert not found["strength"]["random"]["significant"]
    assert found["elo"] is None


def test_improvement_of_a_long_run_is_quick():
    history = [entry(n) for n in range(5000)]
    assert improvement(history)["loss"]["p_value"] == 1.0


# -- in a run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("health") / "run"
    assert train(path, iterations=6).state == "done"
    return path


def test_every_iteration_of_a_run_is_judged(trained):
    with Run.open(trained, write=False) as run:
        history = run.iterations
    assert all("health" in one for one in history)
    last = history[-1]["health"]
    assert last["loss_trend_p"] is not None and 0 < last["loss_trend_p"] <= 1
    assert 0 < last["coverage"] <= 1
    assert 0 <= last["confident_share"] <= 1
    assert last["games_without_progress"] >= 0
    assert last["value_error_variance"] > 0
    assert history[0]["health"]["loss_trend"] is None
    assert all(isinstance(text, str) for text in last["findings"])
    records = [
        one for one in read_ndjson(trained / "logs/metrics.ndjson")[0] if one["event"] == "health"
    ]
    assert [one["iteration"] for one in records] == list(range(6))
    assert {name: records[-1][name] for name in last} == last
    again = health_of(history, started_ms=None)
    assert again.figures["loss_trend"] == pytest.approx(last["loss_trend"], rel=1e-5)


def test_status_and_figures_have_the_health(trained):
    status = json.loads((trained / "status.json").read_text())
    with Run.open(trained, write=False) as run:
        newest = newest_health(run.iterations)
    assert status["health"] == newest
    names = {figure.name for figure in CATALOGUE}
    shared = set(newest) & names
    assert {
        "win_rate_trend",
        "coverage",
        "games_without_progress",
        "score_variance",
        "elo_per_10_games",
        "elo_change_session",
        "confident_share",
    } <= shared
    for name in shared:
        if newest[name] is not None:
            assert status["figures"][name] is not None, name


def test_an_event_only_when_the_findings_change(tmp_path, monkeypatch):
    """With a limit that any run is over, the finding is told once and its end once."""
    monkeypatch.setattr("ludus.training.health.analysis.STAGNATION_GAMES", 0)
    monkeypatch.setattr("ludus.training.health.analysis.STAGNATION_ITERATIONS", 0)
    notes: list[str] = []
    path = tmp_path / "run"
    train(path, "evaluation.every=0", iterations=7, notes=notes)
    events = [
        one for one in read_ndjson(path / "logs/events.ndjson")[0] if one["event"] == "health"
    ]
    with Run.open(path, write=False) as run:
        kinds = [tuple(one["health"]["kinds"]) for one in run.iterations]
    changes = [i for i in range(7) if kinds[i] != (kinds[i - 1] if i else ())]
    assert kinds[3] == () and "stagnation" in kinds[4]
    assert [one["iteration"] for one in events] == changes
    assert len([text for text in notes if text.startswith("health: no progress")]) == 1


def test_alpha_is_what_the_page_says():
    assert ALPHA == 0.01 and STAGNATION_GAMES == 50_000
