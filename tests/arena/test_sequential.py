"""Sequential tests: the words, the ratio against another route, the promised error rates."""

import math

import numpy as np
import pytest
from scipy import optimize

from ludus.arena import Hypotheses, stats
from ludus.arena.ratings import expected_score
from ludus.errors import UserError

SCORES = np.array(stats.PAIR_SCORES)
YATZY = np.array([0.22, 0.02, 0.52, 0.02, 0.22])
DRAWISH = np.array([0.02, 0.18, 0.6, 0.18, 0.02])


def tilted(shares, mean):
    """The distribution of that mean nearest to ``shares``."""

    def weights(tilt):
        found = shares * np.exp(tilt * SCORES)
        return found / found.sum()

    return weights(optimize.brentq(lambda tilt: weights(tilt) @ SCORES - mean, -50, 50))


def test_terms_in_words_and_parts():
    found = Hypotheses.parse(["elo0=0", "elo1=10,alpha=0.01", "beta=0.1"])
    assert found.null == 0.5 and found.alternative == pytest.approx(expected_score(10))
    assert (found.alpha, found.beta) == (0.01, 0.1)
    mixed = Hypotheses.parse(["rate0=49.5%, rate1=0.515"])
    assert (mixed.null, mixed.alternative) == (pytest.approx(0.495), 0.515)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (["elo0=0"], "needs elo1 or rate1"),
        (["elo0=0", "rate0=0.5", "elo1=10"], "needs elo0 or rate0, one of them"),
        (["elo0=0", "elo0=1", "elo1=10"], "elo0 is given twice"),
        (["elo0=0", "elo1=ten"], "elo1=ten must be a number"),
        (["elo0=0", "elo1=inf"], "elo1=inf must be a number"),
        (["elo0=0", "speed=10"], "'speed=10' must have the form"),
        (["elo0=10", "elo1=0"], "0 < null < alternative"),
        (["elo0=0", "elo1=10", "alpha=0.9"], "error rates"),
        (["elo0=-1e9", "elo1=1e9"], "0 < null"),
    ],
)
def test_terms_that_are_refused(terms, words):
    with pytest.raises(UserError, match="--sprt") as caught:
        Hypotheses.parse(terms)
    assert words in str(caught.value)


def test_sentences():
    found = Hypotheses.parse(["elo0=0 ,elo1=10"])
    assert found.sentence("H1", 812, 2.97).startswith(
        "H1 accepted after 812 pairs (log-likelihood ratio +2.97): a win rate of 51.44% "
        "(+10.0 Elo) rather than a win rate of 50.00% (+0.0 Elo)"
    )
    assert "in at most 0.05 of such tests" in found.sentence("H0", 40, -3.0)
    assert found.sentence("undecided", 40, 1.0).startswith("undecided after 40 pairs")


def fishtest_ratio(counts, null, alternative):
    """The ratio as fishtest's LLRcalc finds it, by its own route.

    Zero counts become 0.001; under a hypothesis with mean s the likeliest distribution is
    ``p / (1 + x (a - s))`` with the root x between the ends where a density would be negative.
    """
    counts = np.where(np.array(counts) == 0, 1e-3, np.array(counts, dtype=float))
    shares = counts / counts.sum()

    def likeliest(mean):
        away = SCORES - mean
        low, high = -1 / away.max(), -1 / away.min()
        width = high - low
        root = optimize.brentq(
            lambda x: (shares * away / (1 + x * away)).sum(),
            low + 1e-12 * width,
            high - 1e-12 * width,
        )
        return shares / (1 + root * away)

    return counts.sum() * (shares * np.log(likeliest(alternative) / likeliest(null))).sum()


@pytest.mark.parametrize(
    "counts",
    [[10, 20, 300, 25, 14], [180, 20, 570, 20, 210], [0, 3, 80, 9, 1], [5, 0, 30, 0, 9]],
)
def test_ratio_is_that_of_fishtest(counts):
    for null, alternative in ((0.5, expected_score(10)), (0.495, 0.515), (0.5, 0.56)):
        theirs = fishtest_ratio(counts, null, alternative)
        ours = stats.log_likelihood_ratio(counts, null, alternative, prior=1e-9)
        assert ours == pytest.approx(theirs, rel=5e-3, abs=1e-3)
        # The house's pseudo-pairs draw the ratio towards 0 a little and change no sign.
        cautious = stats.log_likelihood_ratio(counts, null, alternative)
        assert cautious == pytest.approx(theirs, rel=0.12, abs=0.05)


def errors(test, shares, truth, wrong, *, trials, cap, seed):
    """How often a test of simulated pairs came to the wrong verdict, and to none."""
    random = np.random.default_rng(seed)
    weights = tilted(shares, truth)
    wrongs = undecided = 0
    for _ in range(trials):
        scores = random.choice(SCORES, cap, p=weights).tolist()
        verdict, _, _ = stats.sprt_walk(test, scores)
        wrongs += verdict == wrong
        undecided += verdict is None
    return wrongs / trials, undecided / trials


@pytest.mark.parametrize("shares", [YATZY, DRAWISH], ids=["yatzy", "drawish"])
def test_error_rates(shares):
    test = Hypotheses.parse(["elo0=0", "elo1=80"]).test()
    for truth, wrong in ((test.null, "H1"), (test.alternative, "H0")):
        rate, undecided = errors(test, shares, truth, wrong, trials=250, cap=1500, seed=3)
        assert rate < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 250)
        assert undecided == 0.0


def test_a_cap_leaves_tests_undecided_and_adds_no_wrong_verdict():
    test = Hypotheses.parse(["elo0=0", "elo1=80"]).test()
    rate, undecided = errors(test, YATZY, test.null, "H1", trials=150, cap=40, seed=4)
    assert undecided > 0.3
    assert rate < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 0.05), (0.01, 0.1)])
@pytest.mark.parametrize("shares", [YATZY, DRAWISH], ids=["yatzy", "drawish"])
def test_error_rates_closely(shares, alpha, beta):
    test = Hypotheses.parse(["elo0=0", "elo1=40", f"alpha={alpha}", f"beta={beta}"]).test()
    for truth, wrong, share in ((test.null, "H1", alpha), (test.alternative, "H0", beta)):
        rate, _ = errors(test, shares, truth, wrong, trials=1500, cap=5000, seed=5)
        assert rate < share + 3 * math.sqrt(share * (1 - share) / 1500)
