"""Trends in short series: slope, significance, and how long nothing has fallen.

Sources:
    H. B. Mann, "Nonparametric tests against trend", Econometrica 13 (1945); M. G. Kendall, "Rank
    correlation methods" (1975): the test, its exact distribution and its variance with ties.
    H. Theil, "A rank-invariant method of linear and polynomial regression analysis" (1950); P. K.
    Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968): slope.
    K. H. Hamed, A. R. Rao, "A modified Mann-Kendall trend test for autocorrelated data", Journal of
    Hydrology 204 (1998): the variance where neighbours are alike, as losses and ratings are.
    F. H. C. Marriott, J. A. Pope, "Bias in the estimation of autocorrelations", Biometrika 41
    (1954): why short series seem less alike than they are.
    P. J. Rousseeuw, C. Croux, "Alternatives to the median absolute deviation", JASA 88 (1993):
    1.4826 median deviations are one standard deviation of a normal series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

LEAST_POINTS = 5
"""Points below which a series has no trend: with 4 no order is rare enough to mean anything."""

_EXACT = 40  # points up to which the distribution of S is counted out
_CORRECTED = 10  # points from which on an autocorrelation can be estimated
_MOST_ALIKE = 0.7  # a smooth bend seems more alike than any noise, and must stay significant


@dataclass(frozen=True)
class Trend:
    """A straight line through a series that outliers do not bend.

    Attributes:
        slope: Theil and Sen's, in units of y a unit of x.
        p: two-sided probability of such an order without any trend (Mann and Kendall).
        change: slope times the length of the series in x.
        points: number of points.
    """

    slope: float
    p: float
    change: float
    points: int

    def rises(self, alpha: float) -> bool:
        """Whether it goes up at this level of significance."""
        return self.slope > 0 and self.p < alpha

    def falls(self, alpha: float) -> bool:
        """Whether it goes down at this level of significance."""
        return self.slope < 0 and self.p < alpha


def trend(x: Sequence[float], y: Sequence[float]) -> Trend | None:
    """The trend of a series; None with fewer than :data:`LEAST_POINTS` points.

    Args:
        x: ascending, such as numbers of iterations.
        y: as many values.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(ys) < LEAST_POINTS:
        return None
    first, second = np.triu_indices(len(ys), 1)
    steps = xs[second] - xs[first]
    slope = float(np.median((ys[second] - ys[first])[steps > 0] / steps[steps > 0]))
    return Trend(slope, mann_kendall(ys), slope * float(xs[-1] - xs[0]), len(ys))


def mann_kendall(values: Sequence[float] | F64) -> float:
    """Two-sided p-value of Mann and Kendall's test; 1.0 for fewer than two values.

    Without ties and without likeness of neighbours it is exact up to 40 values; else normal, with
    the variance for ties, enlarged (never made smaller) where neighbours are alike.
    """
    y = np.asarray(values, np.float64)
    n = len(y)
    if n < 2:
        return 1.0
    first, second = np.triu_indices(n, 1)
    s = int(np.sign(y[second] - y[first]).sum())
    ties = np.unique(y, return_counts=True)[1]
    factor = _likeness(y)
    exact = _exact_p(n, s) if n <= _EXACT and (ties == 1).all() else None
    if exact is not None and factor <= 1.0:
        return exact
    tied = float((ties * (ties - 1) * (2 * ties + 5)).sum())
    variance = (n * (n - 1) * (2 * n + 5) - tied) / 18.0 * max(1.0, factor)
    if variance <= 0.0 or s == 0:
        return 1.0
    z = (abs(s) - 1) / math.sqrt(variance)
    return max(math.erfc(z / math.sqrt(2.0)), exact or 0.0)


@lru_cache
def _inversions(n: int) -> tuple[float, ...]:
    """Share of the orders of n values that have 0, 1, 2, ... inversions."""
    counts = np.ones(1)
    for length in range(2, n + 1):
        counts = np.convolve(counts, np.ones(length)) / length
    return tuple(float(count) for count in counts)


def _exact_p(n: int, s: int) -> float:
    pairs = n * (n - 1) // 2
    fewest = (pairs - abs(s)) // 2
    return min(1.0, 2.0 * math.fsum(_inversions(n)[: fewest + 1]))


def _likeness(y: F64) -> float:
    """Factor of the variance of S, above 1 where neighbours are alike.

    Hamed and Rao's sum, with the autocorrelations of a first-order process: estimated one by one
    from twenty values they are noise. The first one is taken from ranks about the trend and freed
    from its bias, which removing a line and a mean makes (2 + 4 rho) / n.
    """
    n = len(y)
    if n < _CORRECTED:
        return 1.0
    first, second = np.triu_indices(n, 1)
    slope = float(np.median((y[second] - y[first]) / (second - first)))
    rest = y - slope * np.arange(n)
    # Rounded, so that a straight line leaves nothing instead of the errors of its last bits.
    scale = float(np.ptp(y)) or 1.0
    ranks = np.unique(np.round(rest / scale, 9), return_inverse=True)[1].astype(np.float64)
    ranks -= ranks.mean()
    power = float((ranks * ranks).sum())
    if power == 0.0:
        return 1.0
    rho = min(_MOST_ALIKE, (n * float((ranks[1:] * ranks[:-1]).sum()) / power + 2.0) / (n - 4.0))
    if rho <= 0.0:
        return 1.0
    lag = np.arange(1, n)
    weights = (n - lag) * (n - lag - 1) * (n - lag - 2)
    return 1.0 + 2.0 * float((weights * rho**lag).sum()) / (n * (n - 1) * (n - 2))


def noise(values: Sequence[float]) -> float:
    """Standard deviation of a series about its own slow course, from steps between neighbours."""
    steps = [abs(b - a) for a, b in pairwise(values)]
    return 1.4826 * median(steps) / math.sqrt(2.0) if steps else 0.0


def since_decrease(
    values: Sequence[float], work: Sequence[float], *, window: int = 5, sigmas: float = 3.0
) -> float | None:
    """Work done since a series last fell.

    It falls where the mean of `window` values lies below the lowest such mean at an earlier fall by
    more than `sigmas` standard errors of the difference of two such means. Without that margin a
    series of pure noise would always have just fallen: its records never end.

    Args:
        values: of a quantity that should fall.
        work: done for each value, in any unit, such as games.
        window: values of a mean.
        sigmas: see above.

    Returns: the work after the last fall, or after the first window if there was none; None with
        fewer values than a window.
    """
    if len(values) < window:
        return None
    means = np.convolve(np.asarray(values, np.float64), np.ones(window) / window, "valid")
    margin = sigmas * noise(values) * math.sqrt(2.0 / window)
    best, at = float(means[0]), 0
    for index in range(1, len(means)):
        if means[index] < best - margin:
            best, at = float(means[index]), index
    return float(sum(work[at + window :]))


def spread(y: Sequence[float]) -> float | None:
    """Standard deviation about a straight line; None with fewer than 3 values."""
    if len(y) < 3:
        return None
    place = np.arange(len(y), dtype=np.float64)
    line = np.polyfit(place, np.asarray(y, np.float64), 1)
    rest = np.asarray(y, np.float64) - np.polyval(line, place)
    return float(np.sqrt((rest * rest).sum() / (len(y) - 2)))


def normal_p(change: float, error: float) -> float | None:
    """Two-sided p-value of a change with a normal error; None where the error is unknown."""
    if not math.isfinite(change) or not error > 0.0:
        return None
    return math.erfc(abs(change) / error / math.sqrt(2.0))
