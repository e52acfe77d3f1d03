"""Ratings against closed forms, an independent library and simulated truth."""

import math

import numpy as np
import pytest

from ludus.arena import ResultTable, rate
from ludus.arena.pairings import quarters_scores, quarters_text
from ludus.arena.ratings import elo_difference, expected_score
from ludus.arena.stats import PAIR_SCORES

SCORES = np.array(PAIR_SCORES)


def test_elo_and_score():
    assert expected_score(400) == pytest.approx(10 / 11)
    assert elo_difference(expected_score(-123.4)) == pytest.approx(-123.4)
    assert elo_difference(1.0) == math.inf and elo_difference(0.0) == -math.inf
    assert expected_score(-1e9) < 1e-200 and expected_score(1e9) == 1.0


def test_two_players_have_the_closed_form():
    table = ResultTable()
    table.add_games("a", "b", 700, 100, 200)
    ratings = rate(table, anchor="b", start=1500, prior=1e-9)
    line = ratings.rating("a")
    assert line.elo == pytest.approx(1500 + 400 * math.log10(0.75 / 0.25))
    # Draws lessen the variance of a game: 0.7 + 0.025 - 0.75^2, by the delta method.
    variance = 0.7 + 0.1 * 0.25 - 0.75**2
    error = 400 / math.log(10) * math.sqrt(variance / 1000) / (0.75 * 0.25)
    assert line.error == pytest.approx(error, rel=0.01)
    assert ratings.rating("b").elo == 1500 and ratings.rating("b").error == pytest.approx(0.0)
    assert (line.games, line.points, line.score, line.opponents) == (1000, 750.0, 0.75, 1)


def test_pairs_are_the_unit_of_variance():
    """The same points: whole pairs that are won or lost tell half as much as single games."""
    whole, split, single = ResultTable(), ResultTable(), ResultTable()
    whole.add_pentanomial("a", "b", [400, 0, 0, 0, 600])
    split.add_pentanomial("a", "b", [0, 0, 800, 0, 200])
    single.add_games("a", "b", 1200, 0, 800)
    errors = [rate(table).difference("a", "b") for table in (whole, split, single)]
    assert [gap for gap, _ in errors] == pytest.approx([errors[0][0]] * 3)
    assert errors[0][1] / errors[2][1] == pytest.approx(math.sqrt(2.0), rel=0.02)
    assert errors[1][1] / errors[2][1] == pytest.approx(math.sqrt(2 * 0.04 / 0.24), rel=0.02)


def test_order_of_names_and_sheets_is_nothing():
    one, two = ResultTable(), ResultTable(["c", "b", "a"])
    one.add_games("a", "b", 30, 5, 20)
    one.add_pairs("b", "c", [1.0, 0.25, 0.5])
    one.add_pentanomial("c", "a", [1, 2, 3, 4, 5])
    two.add_pentanomial("a", "c", [5, 4, 3, 2, 1])
    two.add_pairs("c", "b", [0.0, 0.75, 0.5])
    two.add_games("b", "a", 12, 5, 18)
    two.add_games("a", "b", 12, 0, 8)
    for a, b in ("ab", "bc", "ca"):
        assert rate(one).difference(a, b) == pytest.approx(rate(two).difference(a, b))


def test_error_of_a_difference_is_no_root_of_squares():
    """Two players known only through a third share its error."""
    table = ResultTable()
    table.add_games("a", "c", 500, 0, 500)
    table.add_games("b", "c", 500, 0, 500)
    table.add_games("c", "d", 5, 0, 5)
    ratings = rate(table, anchor="d")
    errors = [ratings.rating(name).error for name in "ab"]
    assert ratings.difference("a", "b")[1] < 0.2 * math.hypot(*errors)
    assert ratings.difference("a", "a") == (0.0, 0.0)


def test_all_won_is_a_bound_only():
    table = ResultTable()
    table.add_games("a", "b", 60, 0, 40)
    table.add_pairs("champ", "a", [1.0] * 20)
    table.add_games("b", "worst", 30, 0, 0)
    ratings = rate(table, anchor="b")
    champ, worst = ratings.rating("champ"), ratings.rating("worst")
    assert (champ.standing, worst.standing) == ("at least", "at most")
    assert champ.error is None and math.isfinite(champ.elo)
    assert champ.as_json()["bound_only"] is True
    # For one opponent the bound is closed: a score whose 20th power is 5 % (30th for the other).
    beside = rate(table, anchor="a").bound("champ")
    assert beside == pytest.approx(1000 + elo_difference(0.05 ** (1 / 20)), abs=0.5)
    assert ratings.bound("worst") == pytest.approx(1000 - elo_difference(0.05 ** (1 / 30)), abs=0.5)
    # Against b the strength of a is a doubt more.
    assert ratings.bound("champ") - ratings.rating("a").elo < beside - 1000
    assert ratings.bound("champ") < champ.elo and ratings.bound("worst") > worst.elo
    assert ratings.bound("a") is None
    assert ratings.difference("champ", "a")[1] == math.inf
    assert ratings.lines[0].player == "champ" and ratings.lines[-1].player == "worst"


def test_disconnected_players_are_said_and_not_rated():
    table = ResultTable()
    table.add_games("a", "b", 6, 0, 4)
    table.add_games("x", "y", 6, 0, 4)
    ratings = rate(table, anchor="a")
    assert ratings.rating("x").elo is None and ratings.rating("x").standing == "unconnected"
    assert math.isnan(ratings.expected("a", "x"))
    assert any("x and y cannot be compared with a" in text for text in ratings.sentences())
    assert rate(table).rating("a").elo is not None


def test_two_that_both_beat_a_third_only_cannot_be_compared():
    table = ResultTable()
    table.add_games("a", "c", 10, 0, 0)
    table.add_games("b", "c", 10, 0, 0)
    ratings = rate(table, anchor="a")
    assert ratings.rating("b").standing == "unconnected"
    assert ratings.rating("c").standing == "at most"


def test_the_mean_is_that_of_players_with_finite_ratings():
    table = ResultTable()
    table.add_games("a", "b", 70, 0, 30)
    table.add_games("c", "a", 40, 0, 0)
    ratings = rate(table, start=1500)
    assert (ratings.rating("a").elo + ratings.rating("b").elo) / 2 == pytest.approx(1500)
    assert ratings.rating("a").error == pytest.approx(ratings.difference("a", "b")[1] / 2)


def test_non_transitive_strength_is_said():
    table = ResultTable()
    for a, b in (("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")):
        table.add_games(a, b, 70, 0, 30)
    ratings = rate(table)
    assert [line.elo for line in ratings.lines] == pytest.approx([1000.0] * 3)
    assert ratings.fit["freedom"] == 1 and ratings.fit["p"] < 1e-6
    said = ratings.sentences()
    assert "the ratings do not fit" in said[0]
    assert (
        said[1] == "non-transitive: rock beats scissors, scissors beats paper and paper beats rock"
    )


def test_a_chain_has_nothing_to_check():
    table = ResultTable()
    table.add_games("a", "b", 7, 0, 3)
    table.add_games("b", "c", 7, 0, 3)
    ratings = rate(table)
    assert ratings.fit == {"chi_square": 0.0, "freedom": 0, "p": None}
    assert [row["z"] for row in ratings.pairings] == [None, None]
    assert ratings.sentences() == []


def test_refusals():
    table = ResultTable()
    with pytest.raises(ValueError, match="nobody"):
        rate(table)
    with pytest.raises(ValueError, match="against itself"):
        table.add_games("a", "a", 1, 0, 0)
    with pytest.raises(ValueError, match="below 0"):
        table.add_games("a", "b", -1, 0, 0)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        table.add_pairs("a", "b", [1.25])
    with pytest.raises(ValueError, match="five"):
        table.add_pentanomial("a", "b", [1, 2, 3])
    table.add_pairs("a", "b", [1.0, 0.0], seeds="s")
    with pytest.raises(ValueError, match="counted already"):
        table.add_pairs("b", "a", [1.0, 0.0], seeds="s")
    with pytest.raises(ValueError, match="anchor z"):
        rate(table, anchor="z")
    with pytest.raises(ValueError, match="prior"):
        rate(table, prior=0.0)


def test_quarters_text():
    scores = [0.0, 0.25, 0.5, 0.75, 1.0, 0.5]
    assert quarters_text(scores) == "012342"
    assert quarters_scores("012342").tolist() == scores
    with pytest.raises(ValueError, match="0 to 4"):
        quarters_scores("015")


# -- an independent library ------------------------------------------------------------------------


@pytest.mark.peer
def test_choix_finds_the_same_strengths():
    choix = pytest.importorskip("choix")
    random = np.random.default_rng(4)
    strengths = random.normal(size=7)
    table, data = ResultTable([str(i) for i in range(7)]), []
    for i in range(7):
        for j in range(i):
            wins = int(random.binomial(60, 1 / (1 + math.exp(strengths[j] - strengths[i]))))
            table.add_games(str(i), str(j), wins, 0, 60 - wins)
            data += [(i, j)] * wins + [(j, i)] * (60 - wins)
    found = rate(table, prior=1e-9)
    theirs = choix.ilsr_pairwise(7, data, alpha=0.0) * 400 / math.log(10)
    ours = np.array([found.rating(str(i)).elo for i in range(7)]) - 1000
    assert ours == pytest.approx(theirs - theirs.mean(), abs=0.05)


# -- simulated truth -------------------------------------------------------------------------------


def simulated(random, players, pairs, alike, *, shared=False):
    """Truth and results; ``alike`` is the share of pairs whose two games end alike."""
    truth = random.normal(0, 120, players)
    table = ResultTable([str(i) for i in range(players)])
    draws = random.random((3, pairs))
    for i in range(players):
        for j in range(i):
            if not shared:
                draws = random.random((3, pairs))
            score = expected_score(truth[i] - truth[j])
            first = draws[0] < score
            second = np.where(draws[2] < alike, first, draws[1] < score)
            key = "seeds" if shared else None
            table.add_pairs(str(i), str(j), (first + second.astype(float)) / 2, seeds=key)
    return truth, table


def covered(trials, pairs, alike, seed, *, shared=False):
    """Share of 95 % intervals of differences that hold the truth, one difference a trial.

    One a trial, so that the shares of trials are independent and the noise is binomial.
    """
    random = np.random.default_rng(seed)
    hits = fits = 0
    for _ in range(trials):
        truth, table = simulated(random, 5, pairs, alike, shared=shared)
        ratings = rate(table)
        gap, error = ratings.difference("0", "3")
        hits += abs(gap - (truth[0] - truth[3])) <= 1.96 * error
        fits += ratings.fit["p"] < 0.05
    return hits / trials, fits / trials


def noise(trials, share=0.95):
    """Four standard errors of a simulated share."""
    return 4 * math.sqrt(share * (1 - share) / trials)


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_intervals_hold_the_truth(alike):
    share, misfits = covered(300, 30, alike, seed=8)
    assert share == pytest.approx(0.95, abs=noise(300) + 0.01)
    assert misfits < 0.05 + noise(300)


def test_intervals_know_luck_that_pairings_share():
    """Everybody plays the same seeds; without the key the errors would be those of a fable."""
    share, _ = covered(300, 30, 0.5, seed=9, shared=True)
    assert share > 0.95 - noise(300)
    random = np.random.default_rng(2)
    _, table = simulated(random, 5, 200, 0.5, shared=True)
    blind = ResultTable(table.names)
    for row in table:
        blind.add_pairs(table.names[row.a], table.names[row.b], row.sheets[0].scores)
    with_key, without = (rate(t).difference("0", "3")[1] for t in (table, blind))
    assert abs(with_key / without - 1.0) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "alike"), [(8, 0.5), (30, 0.0), (30, 1.0), (200, 0.5)])
def test_intervals_hold_the_truth_closely(pairs, alike):
    share, misfits = covered(3000, pairs, alike, seed=10)
    assert share == pytest.approx(0.95, abs=noise(3000) + (0.015 if pairs < 10 else 0.005))
    assert misfits < 0.05 + noise(3000) + 0.01


def test_a_bound_lies_above_the_truth_as_rarely_as_promised():
    """At the strength where a bound fails most, with games of a pair that always end alike."""
    random = np.random.default_rng(3)
    pairs, trials, failed = 10, 600, 0
    score = 0.049 ** (1 / pairs)
    for _ in range(trials):
        if (random.random(pairs) < score).all():
            table = ResultTable()
            table.add_pairs("a", "b", [1.0] * pairs)
            failed += rate(table, anchor="b").bound("a") - 1000 > elo_difference(score)
    assert failed / trials == pytest.approx(0.049, abs=noise(trials, 0.05))
    assert failed > 0
