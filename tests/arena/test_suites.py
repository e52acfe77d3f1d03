"""Suites: solitaire summaries and agreement with an oracle, on players whose figures are known."""

import numpy as np
import pytest

from ludus import _core
from ludus.arena import Match, SeedSet, Solitaire, match_figures, match_rates
from ludus.arena.suites import REGRETS
from ludus.errors import UserError
from ludus.players import ExternalPlayer, RandomPlayer

GAME = _core.game("yatzy")


def lowest(states, keys):
    return np.array([GAME.state(s.tobytes()).legal()[0] for s in states], dtype=np.int32)


LOWEST = ExternalPlayer(lowest, "lowest")


def always(states, seats):
    assert all(GAME.state(s.tobytes()).kind == "terminal" for s in states)
    return seats == 0


def test_solitaire_is_the_mean_total_of_the_players_seat():
    suite = Solitaire(GAME, LOWEST, RandomPlayer(), games=60, policy_id="candidate", bonus=always)
    summary = suite.run()
    totals = suite.match.table.scores[:, 0]
    assert summary["policy_id"] == "candidate"
    assert summary["games"] == 60
    assert summary["mean"] == pytest.approx(totals.mean())
    assert summary["std"] == pytest.approx(totals.std(ddof=1), rel=1e-6)
    assert summary["median"] == np.median(totals)
    assert (summary["min"], summary["max"]) == (totals.min(), totals.max())
    assert summary["bonus_rate"] == 0.5  # the player has seat 0 in every other game
    assert suite.match.result().distinct_games == 60  # a seed for each game
    assert summary["seeds_hash"] == SeedSet.generate(1, 60, purpose="solitaire").hash


def test_solitaire_without_bonus_and_with_odd_games():
    suite = Solitaire(GAME, LOWEST, RandomPlayer(), games=4)
    assert suite.run()["bonus_rate"] is None
    with pytest.raises(UserError, match="even number"):
        Solitaire(GAME, LOWEST, RandomPlayer(), games=5)


def judge_lowest(states, actions):
    """An oracle whose best action is always the lowest; it has no answer for a yatzy."""
    best = lowest(states, None)
    same = [
        GAME.state(s.tobytes()).canonical(int(a)) == GAME.state(s.tobytes()).canonical(int(b))
        for s, a, b in zip(states, actions, best, strict=True)
    ]
    ignored = actions == 46
    return {
        "matched": np.array(same),
        "ignored": ignored,
        "regret": np.where(same, 0.0, 2.0),
    }


def test_match_rates_by_kind():
    figures = match_figures(GAME, judge_lowest)
    kinds = GAME.decision_kinds
    perfect = Match(GAME, LOWEST, RandomPlayer(), SeedSet.generate(1, 10), figures=figures).run()
    rates = match_rates(perfect.figures, kinds)
    assert rates["oracle_match_rate_overall"] == 1.0
    assert rates["oracle_match_rate_mark"] == 1.0
    assert rates["oracle_match_rate_reroll"] == 1.0
    assert rates["mean_regret"] == 0.0
    chance = Match(GAME, RandomPlayer(), LOWEST, SeedSet.generate(1, 10), figures=figures).run()
    rates = match_rates(chance.figures, kinds)
    assert 0.0 < rates["oracle_match_rate_reroll"] < 0.2
    assert 0.0 < rates["oracle_match_rate_overall"] < 0.5
    assert rates["oracle_keepall_ignored"] > 0
    assert rates["mean_regret"] == pytest.approx(2 * (1 - rates["oracle_match_rate_overall"]))
    # All that is wrong costs 2 here: over 1 but not over 2.
    wrong = pytest.approx(1 - rates["oracle_match_rate_overall"])
    assert rates["regret_distribution"]["1.0"] == wrong
    assert rates["regret_distribution"]["2.0"] == 0.0
    counted = sum(chance.figures[f"{kind}.decisions"] for kind in kinds)
    assert rates["decisions"] == counted


def test_rates_of_no_decision_are_null():
    nothing = {"ignored": 0.0} | {f"regret_over.{least}": 0.0 for least in REGRETS}
    for kind in ("reroll", "mark"):
        nothing |= {f"{kind}.{what}": 0.0 for what in ("decisions", "matched", "regret")}
    rates = match_rates(nothing, ["reroll", "mark"])
    assert rates["oracle_match_rate_mark"] is None
    assert set(rates["regret_distribution"].values()) == {None}
    assert rates["oracle_match_rate_overall"] is None
    assert rates["mean_regret"] is None
