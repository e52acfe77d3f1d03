"""openskill ratings of deals: true differences come back, whatever the order of the matches."""

import math
import random

import numpy as np
import pytest

from ludus.arena.skill import DealResults, outcomes_text, rate_deals


def simulated(truth, deals, seed=1, ties=0.1):
    """Matches of all pairs; the odds of a decided deal follow from true points on Elo's scale."""
    rng = random.Random(seed)
    results = DealResults()
    names = list(truth)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            chance = 1.0 / (1.0 + 10.0 ** ((truth[b] - truth[a]) / 400.0))
            text = "".join(
                "D" if rng.random() < ties else "W" if rng.random() < chance else "L"
                for _ in range(deals)
            )
            results.add(a, b, text, f"{a}{b}")
    return results


def test_true_differences_come_back_within_their_errors():
    truth = {"random": 0.0, "rules": 150.0, "first": 200.0, "trained": 350.0}
    misses = []
    for seed in range(8):
        ratings = rate_deals(simulated(truth, 250, seed, ties=0.0), anchor="random", start=1000.0)
        assert ratings.rating("random").elo == 1000.0
        assert ratings.rating("random").error == 0.0
        for name in ("rules", "first", "trained"):
            line = ratings.rating(name)
            misses.append((line.elo - 1000.0 - truth[name]) / line.error)
        assert [line.player for line in ratings.lines][::3] == ["trained", "random"]
    assert abs(np.mean(misses)) < 0.5
    assert np.std(misses) < 1.3  # errors are cautious, not bold


def test_order_of_matches_changes_nothing():
    truth = {"a": 0.0, "b": 100.0, "c": 200.0}
    results = simulated(truth, 60)
    shuffled = DealResults()
    for sheet in reversed(results.sheets):
        shuffled.add(sheet.a, sheet.b, sheet.outcomes, sheet.seeds)
    one, two = (rate_deals(r, anchor="mean") for r in (results, shuffled))
    for name in truth:
        assert one.rating(name) == two.rating(name)
    assert sum(one.rating(name).elo for name in truth) == pytest.approx(3000.0)


def test_the_model_by_its_formula():
    """One deal of two players, by algorithm 4 of Weng and Lin for two teams of one."""
    results = DealResults()
    results.add("a", "b", "W", "x")
    ratings = rate_deals(results, anchor="b", start=0.0)
    mu, sigma, beta = 25.0, 25.0 / 3.0, 25.0 / 6.0
    c = math.sqrt(2.0 * (sigma**2 + beta**2))
    omega = sigma**2 / c * 0.5
    gap = 2.0 * omega / (math.sqrt(2.0) * beta) * 400.0 / math.log(10.0)
    assert ratings.difference("a", "b")[0] == pytest.approx(gap)
    assert mu + omega < 30.0
    line = ratings.rating("a")
    assert (line.games, line.points, line.opponents, line.standing) == (1, 1.0, 1, "rated")
    assert ratings.bound("a") is None


def test_ties_and_texts():
    assert outcomes_text([0.5, 0.0, -2.0]) == "WDL"
    results = DealResults()
    results.add("a", "b", "DDDD", "x")
    ratings = rate_deals(results, anchor="a", start=1000.0)
    assert ratings.rating("b").elo == pytest.approx(1000.0)
    for bad in (("a", "a", "W"), ("a", "b", ""), ("a", "b", "WX")):
        with pytest.raises(ValueError, match="W, D and L"):
            results.add(*bad, "x")
    with pytest.raises(KeyError):
        rate_deals(results, anchor="nobody")
