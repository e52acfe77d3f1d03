"""Statistics against published numbers, closed forms and simulated truth."""

import math

import numpy as np
import pytest

from ludus.arena import stats

YATZY_LIKE = np.array([0.22, 0.02, 0.52, 0.02, 0.22])  # outcomes of a pair of equal players


def shifted(mean):
    """The distribution of YATZY_LIKE tilted to a given mean."""
    scores = np.array(stats.PAIR_SCORES)
    low, high = -20.0, 20.0
    for _ in range(200):
        tilt = 0.5 * (low + high)
        weights = YATZY_LIKE * np.exp(tilt * scores)
        weights /= weights.sum()
        low, high = (tilt, high) if weights @ scores < mean else (low, tilt)
    return weights


def test_win_rate_counts_draws_half():
    assert stats.win_rate(3, 2, 5) == 0.4
    assert stats.win_rate(0, 0, 0) == 0.5


def test_quantiles():
    assert stats.normal_quantile(0.95, sided=2) == pytest.approx(1.959964, abs=1e-6)
    assert stats.normal_quantile(0.95, sided=1) == pytest.approx(1.644854, abs=1e-6)
    with pytest.raises(ValueError):
        stats.normal_quantile(1.0, sided=2)


@pytest.mark.parametrize(
    ("rate", "count", "sided", "low", "high"),
    [
        (0.5, 100, 2, 0.403832, 0.596168),  # prop.test(50, 100, correct = FALSE) of R
        (0.1, 10, 2, 0.017876, 0.404150),  # prop.test(1, 10, correct = FALSE)
        (1.0, 10, 2, 0.722467, 1.0),  # n / (n + z^2)
        (0.0, 20, 1, 0.0, 0.119158),  # z^2 / (n + z^2)
    ],
)
def test_wilson(rate, count, sided, low, high):
    found = stats.wilson(rate, count, sided=sided)
    assert found == pytest.approx((low, high), abs=2e-6)


@pytest.mark.parametrize("sided", [1, 2])
def test_wilson_ends_are_where_the_truth_would_just_be_rejected(sided):
    z = stats.normal_quantile(0.9, sided=sided)
    for rate, count in ((0.9, 50), (0.37, 12.5), (0.501, 900)):
        for end in stats.wilson(rate, count, confidence=0.9, sided=sided):
            assert abs(rate - end) / math.sqrt(end * (1 - end) / count) == pytest.approx(z)


def test_wilson_without_trials_knows_nothing():
    assert stats.wilson(0.5, 0) == (0.0, 1.0)
    assert stats.wilson(0.3, math.inf) == (0.3, 0.3)


def test_wilson_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(5)
    truth, count, trials = 0.93, 200, 4000
    wins = random.binomial(count, truth, trials)
    two = [stats.wilson(w / count, count) for w in wins]
    one = [stats.wilson(w / count, count, sided=1)[0] for w in wins]
    assert 0.93 < np.mean([low <= truth <= high for low, high in two]) < 0.97
    assert 0.93 < np.mean([low <= truth for low in one]) < 0.97


def test_mean_and_error():
    mean, error = stats.mean_and_error([1.0, 2.0, 3.0, 6.0])
    assert mean == 3.0
    assert error == pytest.approx(math.sqrt(14.0 / 3.0 / 4.0))
    assert stats.mean_and_error([2.0]) == (2.0, math.inf)
    with pytest.raises(ValueError):
        stats.mean_and_error([])


def test_the_pair_is_the_unit():
    # Luck that both games share: every pair is split or won whole.
    split = stats.pair_rate([0.5] * 180 + [1.0] * 20)
    assert split.rate == pytest.approx(0.55)
    assert split.error == pytest.approx(np.std([0.5] * 180 + [1.0] * 20, ddof=1) / math.sqrt(200))
    # 400 games told as much as many more independent ones ...
    assert split.effective_games > 1000
    # ... but whole pairs won or lost tell no more than 200.
    whole = stats.pair_rate([1.0] * 110 + [0.0] * 90)
    assert whole.effective_games == pytest.approx(199.0)
    assert split.high - split.low < 0.5 * (whole.high - whole.low)
    naive = stats.wilson(0.55, 400)
    assert whole.high - whole.low > 1.3 * (naive[1] - naive[0])


def test_pair_rate_at_the_edges():
    won = stats.pair_rate([1.0] * 500)
    assert (won.rate, won.high, won.effective_games) == (1.0, 1.0, 1000.0)
    z = stats.normal_quantile(0.95, sided=1)
    assert won.bound == pytest.approx(1000 / (1000 + z * z))
    even = stats.pair_rate([0.5] * 50)
    assert (even.low, even.high) == (0.5, 0.5)
    assert even.as_json()["effective_games"] is None
    single = stats.pair_rate([0.5])
    assert math.isinf(single.error) and single.low < 0.1 and single.high > 0.9


def test_pair_rate_covers_the_truth():
    random = np.random.default_rng(7)
    weights = shifted(0.6)
    scores = np.array(stats.PAIR_SCORES)
    found = [stats.pair_rate(random.choice(scores, 300, p=weights)) for _ in range(1000)]
    assert 0.93 < np.mean([rate.low <= 0.6 <= rate.high for rate in found]) < 0.97
    assert 0.93 < np.mean([rate.bound <= 0.6 for rate in found]) < 0.97


def test_pentanomial():
    assert stats.pentanomial([0, 0.25, 0.5, 0.5, 1, 1, 1]) == (1, 1, 2, 0, 3)
    assert stats.pentanomial([]) == (0, 0, 0, 0, 0)
    for wrong in (0.3, 1.25, -0.25):
        with pytest.raises(ValueError):
            stats.pentanomial([wrong])


def test_ratio_of_two_outcomes_is_the_binomial_one():
    found = stats.log_likelihood_ratio([300, 0, 0, 0, 340], 0.495, 0.515, prior=0.0)
    assert found == pytest.approx(300 * math.log(0.485 / 0.505) + 340 * math.log(0.515 / 0.495))


def test_ratio_is_near_its_normal_approximation():
    counts = np.array([180, 20, 570, 20, 210])
    scores = np.array(stats.PAIR_SCORES)
    mean = counts @ scores / counts.sum()
    variance = counts @ (scores - mean) ** 2 / counts.sum()
    normal = counts.sum() * 0.02 * (2 * mean - 1.01) / (2 * variance)
    found = stats.log_likelihood_ratio(counts.tolist(), 0.495, 0.515, prior=0.0)
    assert found == pytest.approx(normal, rel=0.02)


def test_ratio_finds_the_likeliest_distribution():
    """Among distributions with the mean of H1, none explains the counts better."""
    counts = np.array([10, 4, 30, 6, 14], dtype=float)
    scores = np.array(stats.PAIR_SCORES)
    mean = 0.7
    shares = counts / counts.sum()
    best = shares * np.exp(stats._log_densities(shares.tolist(), mean))
    assert best.sum() == pytest.approx(1.0)
    assert best @ scores == pytest.approx(mean)
    random = np.random.default_rng(3)
    for _ in range(300):
        step = random.normal(size=5)
        for direction in (np.ones(5), scores - scores.mean()):  # stay a distribution of that mean
            step -= direction * (step @ direction) / (direction @ direction)
        other = best + 1e-3 * step / np.abs(step).max()
        assert other.min() > 0
        assert other @ scores == pytest.approx(mean)
        assert counts @ np.log(best) >= counts @ np.log(other)


def test_sprt_bounds_and_first_look():
    test = stats.Sprt()
    assert test.bounds == pytest.approx((-math.log(19.0), math.log(19.0)))
    assert test.verdict([0, 0, 0, 0, 60]) is None
    assert test.verdict([0, 0, 0, 0, 90]) == "H1"
    assert test.verdict([90, 0, 0, 0, 0]) == "H0"
    assert stats.Sprt(least=91).verdict([90, 0, 0, 0, 0]) is None
    # Pairs that are all split prove nothing quickly.
    assert test.verdict([0, 0, 64, 0, 0]) is None
    with pytest.raises(ValueError):
        stats.Sprt(null=0.6, alternative=0.5)
    with pytest.raises(ValueError):
        stats.Sprt(alpha=0.7)


def error_rate(test, truth, wrong, trials=200):
    random = np.random.default_rng(11)
    scores = np.array(stats.PAIR_SCORES)
    weights = shifted(truth)
    wrongs = []
    lengths = []
    for _ in range(trials):
        verdict, pairs, _ = stats.sprt_walk(test, random.choice(scores, 3000, p=weights).tolist())
        wrongs.append(verdict == wrong)
        lengths.append(pairs)
    return np.mean(wrongs), np.mean(lengths)


def test_sprt_errs_as_rarely_as_promised():
    # The spread of Yatzy's pairs with hypotheses wide enough for a quick test.
    test = stats.Sprt(null=0.44, alternative=0.56)
    for truth, wrong in ((0.44, "H1"), (0.56, "H0")):
        rate, length = error_rate(test, truth, wrong)
        assert rate < 0.09  # 5 % and three standard errors of the simulation
        assert 30 <= length < 200


def test_sprt_tells_equal_from_worse_in_time():
    """The gate's own hypotheses: a clearly worse candidate goes long before the cap."""
    random = np.random.default_rng(1)
    scores = np.array(stats.PAIR_SCORES)
    for truth, expected in ((0.42, "H0"), (0.58, "H1")):
        weights = shifted(truth)
        for _ in range(5):
            verdict, pairs, counts = stats.sprt_walk(
                stats.Sprt(), random.choice(scores, 1000, p=weights).tolist()
            )
            assert verdict == expected
            assert pairs < 700
            assert sum(counts) == pairs


def test_walk_in_pieces_is_the_walk_in_one():
    random = np.random.default_rng(2)
    scores = random.choice(stats.PAIR_SCORES, 600, p=shifted(0.56)).tolist()
    test = stats.Sprt()
    whole = stats.sprt_walk(test, scores)
    assert whole[0] is not None
    verdict, seen, counts = None, 0, [0] * 5
    for end in range(7, 601, 7):
        verdict, seen, counts = stats.sprt_walk(test, scores[:end], seen, counts)
        if verdict is not None:
            break
    assert (verdict, seen, counts) == whole


def test_describe():
    found = stats.describe([1, 2, 3, 10])
    assert found["mean"] == 4.0
    assert found["median"] == 2.5
    assert (found["min"], found["max"]) == (1.0, 10.0)
    assert found["std"] == pytest.approx(math.sqrt(50 / 3))
    assert found["mean_se"] == pytest.approx(math.sqrt(50 / 3) / 2)
    with pytest.raises(ValueError):
        stats.describe([])
