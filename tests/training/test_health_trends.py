"""What learning health is made of: tests of trend against scipy and by hand, progress, noise."""

import itertools

import numpy as np
import pytest
from scipy import stats
from tests.training.health_entries import GAMES, entry

from ludus.training.health import mann_kendall, since_decrease, trend
from ludus.training.health.analysis import STAGNATION_GAMES, since_rise
from ludus.training.health.trends import noise, spread

# -- tests of trend ----------------------------------------------------------------------------


def test_exact_p_values_by_counting_all_orders():
    """Five values in order: one of 120 orders, and its mirror."""
    assert mann_kendall([1, 2, 3, 4, 5]) == pytest.approx(2 / 120)
    assert mann_kendall([5, 4, 3, 2, 1]) == pytest.approx(2 / 120)
    for values in ([2, 1, 3, 4, 5], [1, 3, 2, 5, 4], [3, 1, 4, 5, 2]):
        own = abs(_s(values))
        as_far = sum(abs(_s(order)) >= own for order in itertools.permutations(values))
        assert mann_kendall(values) == pytest.approx(min(1.0, as_far / 120)), values


def _s(values):
    return sum(np.sign(b - a) for a, b in itertools.combinations(values, 2))


@pytest.mark.parametrize("points", [5, 9, 20, 33])
def test_it_agrees_with_scipy(points):
    rng = np.random.default_rng(points)
    for _ in range(20):
        y = rng.normal(size=points) + rng.choice([0.0, 0.1]) * np.arange(points)
        expected = stats.kendalltau(np.arange(points), y, method="exact").pvalue
        found = trend(range(points), y)
        # Larger only where neighbours are alike, which scipy does not look at.
        assert found.p == pytest.approx(expected) or found.p > expected
        assert found.slope == pytest.approx(stats.theilslopes(y, np.arange(points)).slope)
        assert found.change == pytest.approx(found.slope * (points - 1))


def test_ties_and_constants_have_no_trend():
    assert mann_kendall([1.0] * 20) == 1.0
    assert trend(range(10), [0.0] * 10).slope == 0.0
    tied = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert 0.0 < mann_kendall(tied) < 0.01
    assert mann_kendall([1]) == 1.0


def test_too_few_points_have_no_trend():
    assert trend([0, 1, 2, 3], [1, 2, 3, 4]) is None


def test_an_outlier_does_not_bend_the_line():
    y = [2.0 * i for i in range(11)]
    y[5] = 1e6
    assert trend(range(11), y).slope == pytest.approx(2.0)


def test_gaps_between_points_count():
    assert trend([0, 5, 10, 15, 25], [0, 10, 20, 30, 50]).slope == pytest.approx(2.0)


def test_false_alarms_of_the_trend_test():
    """At 1 %: of white noise about 1 %; of noise with a memory not many times more."""
    rng = np.random.default_rng(1)
    white = np.mean([mann_kendall(rng.normal(size=20)) < 0.01 for _ in range(2000)])
    assert white < 0.02
    alike = naive = 0
    for _ in range(1000):
        y = np.zeros(20)
        for index in range(1, 20):
            y[index] = 0.6 * y[index - 1] + rng.normal()
        alike += mann_kendall(y) < 0.01
        naive += stats.kendalltau(np.arange(20), y).pvalue < 0.01
    assert naive > 2 * alike
    assert alike / 1000 < 0.04


def test_a_true_trend_is_seen():
    rng = np.random.default_rng(2)
    seen = [
        trend(range(20), np.arange(20) * 0.2 + rng.normal(size=20)).rises(0.01) for _ in range(200)
    ]
    assert np.mean(seen) > 0.8


# -- progress ----------------------------------------------------------------------------------


def test_work_since_a_fall_by_hand():
    values = [1.0] * 5 + [0.5] * 5 + [0.5] * 5
    work = [10.0] * 15
    assert since_decrease(values[:4], work[:4]) is None
    assert since_decrease(values[:5], work[:5]) == 0.0
    assert since_decrease(values[:6], work[:6]) == 0.0  # the mean has begun to fall
    assert since_decrease(values, work) == 50.0
    assert since_decrease([0.5] * 15, work) == 100.0
    assert since_decrease([float(i) for i in range(15)], work) == 100.0  # rising is no progress


def test_a_slow_fall_is_progress_in_the_end():
    rng = np.random.default_rng(3)
    values = [1 - 0.004 * i + 0.01 * rng.normal() for i in range(100)]
    assert since_decrease(values, [1.0] * 100) < 20


def test_noise_alone_is_no_progress():
    """49 iterations of 1024 games make 50,000: the counter must get there without progress."""
    rng = np.random.default_rng(4)
    reached = 0
    for _ in range(200):
        values = 0.5 * (1 + 0.03 * rng.normal(size=100))
        reached += since_decrease(values, [GAMES] * 100) >= STAGNATION_GAMES
    assert reached / 200 > 0.8


def test_ratings_without_a_rise_seldom_show_one():
    """Errors of ratings, 14 Elo each, make changes with a standard error of 20."""
    rng = np.random.default_rng(10)
    shown = 0
    for _ in range(200):
        level = rng.normal(0, 14, 21)
        history = [
            entry(n, win_rate=0.5, elo=0.0, change=level[n + 1] - level[n], change_se=20.0)
            for n in range(20)
        ]
        shown += since_rise(history) < 19 * GAMES
    assert shown / 200 < 0.05


def test_noise_and_spread():
    assert noise([]) == 0.0
    rng = np.random.default_rng(5)
    assert noise(list(rng.normal(0, 2, 5000))) == pytest.approx(2.0, rel=0.1)
    assert spread([1.0, 2.0, 3.0, 4.0]) == pytest.approx(0.0, abs=1e-9)
    assert spread(list(rng.normal(0, 2, 5000))) == pytest.approx(2.0, rel=0.05)
    assert spread([1.0, 2.0]) is None
