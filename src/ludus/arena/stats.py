"""Statistics of matches: pure functions of numbers.

The unit is the *pair*: the same seed played twice with seats exchanged. The two games of a pair
share their luck, so they are not independent, and errors counted over games would be wrong. A pair
has one of five scores, 0, 1/4, 1/2, 3/4 or 1, the mean of its two games with draws counted half.

Sources:
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927): the interval. L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a binomial
    proportion", Statistical Science 16 (2001): why that one.
    E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data", Survey Methodology 24 (1998): intervals for
    clustered units by their effective number.
    A. Wald, "Sequential tests of statistical hypotheses" (1945); M. Van den Bergh, "A practical
    introduction to the GSPRT" (2015): the log-likelihood ratio with five outcomes a pair, as in
    fishtest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

PAIR_SCORES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Mean score of a pair, from both games lost to both won."""


def normal_quantile(confidence: float, *, sided: int) -> float:
    """The z of a confidence level: 1.960 for 0.95 two-sided, 1.645 for 0.95 one-sided."""
    if not 0.0 < confidence < 1.0 or sided not in (1, 2):
        raise ValueError("confidence lies between 0 and 1, and an interval has 1 or 2 sides")
    return float(special.ndtri(1.0 - (1.0 - confidence) / sided))


def win_rate(wins: int, draws: int, losses: int) -> float:
    """Share of points with draws counted half; 0.5 when nothing was played."""
    games = wins + draws + losses
    return (wins + 0.5 * draws) / games if games else 0.5


def wilson(
    rate: float, count: float, *, confidence: float = 0.95, sided: int = 2
) -> tuple[float, float]:
    """Wilson's interval for a proportion.

    Args:
        rate: the observed proportion, 0..1.
        count: number of independent trials, not necessarily whole (an effective number).
        confidence: 0.95 means that 5 % of such intervals miss the truth.
        sided: 2 for an interval; 1 for two one-sided bounds, each with that confidence by itself.

    Returns: (lower, upper), within 0..1; (0, 1) when ``count`` is 0.
    """
    if count <= 0:
        return 0.0, 1.0
    if math.isinf(count):
        return rate, rate
    z = normal_quantile(confidence, sided=sided)
    shrunk = 1.0 + z * z / count
    middle = (rate + z * z / (2.0 * count)) / shrunk
    half = z * math.sqrt(rate * (1.0 - rate) / count + z * z / (4.0 * count * count)) / shrunk
    lower = 0.0 if rate <= 0.0 else max(0.0, middle - half)
    upper = 1.0 if rate >= 1.0 else min(1.0, middle + half)
    return lower, upper


def mean_and_error(values: npt.ArrayLike) -> tuple[float, float]:
    """Mean and its standard error over independent units; the error of one unit is infinite.

    Raises: ValueError without any unit.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("a mean needs at least one unit")
    if array.size == 1:
        return float(array[0]), math.inf
    return float(array.mean()), float(array.std(ddof=1) / math.sqrt(array.size))


def finite(value: float) -> float | None:
    """A number for JSON: infinities become null."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Rate:
    """A win rate with its uncertainty, pairs as units.

    Attributes:
        rate: share of points, draws half.
        error: standard error over pairs; infinite for one pair.
        low, high: two-sided 95 % interval.
        bound: lower end of the one-sided 95 % interval: "at least x" is shown when it exceeds x.
        effective_games: number of independent games that would tell as much.
    """

    rate: float
    error: float
    low: float
    high: float
    bound: float
    effective_games: float

    def as_json(self) -> dict[str, Any]:
        """Fields for a report; infinities become null."""
        return {name: finite(value) for name, value in vars(self).items()}


def pair_rate(pair_scores: npt.ArrayLike, *, confidence: float = 0.95, games: int = 2) -> Rate:
    """Win rate over pairs: Wilson's interval with the effective number of games.

    Games of a pair share luck, so ``2 n`` games tell more or less than ``2 n`` independent ones;
    the ratio (design effect) is the variance of the pair scores over that of two independent games.
    Where all pairs agree at 0 or 1 it cannot be estimated and counts as 1.

    Args:
        pair_scores: one number in 0..1 for each pair.
        confidence: of the two-sided interval, and of the one-sided bound by itself.
        games: independent games that a unit is worth where all agree: 2 of a pair, 1 of a deal.
    """
    scores = np.asarray(pair_scores, dtype=np.float64)
    rate, error = mean_and_error(scores)
    single = rate * (1.0 - rate)
    if scores.size < 2 or single <= 0.0:
        effective = float(games * scores.size)
    elif error == 0.0:
        effective = math.inf  # every pair is split: a difference was measured, and it is none
    else:
        effective = single / (error * error)
    low, high = wilson(rate, effective, confidence=confidence)
    bound, _ = wilson(rate, effective, confidence=confidence, sided=1)
    return Rate(rate, error, low, high, bound, effective)


def pentanomial(pair_scores: npt.ArrayLike) -> tuple[int, int, int, int, int]:
    """How many pairs had each of :data:`PAIR_SCORES`.

    Raises: ValueError for a score that no pair of games can have.
    """
    quarters = np.asarray(pair_scores, dtype=np.float64) * 4.0
    whole = np.rint(quarters).astype(np.int64)
    if np.any(np.abs(quarters - whole) > 1e-9) or np.any((whole < 0) | (whole > 4)):
        raise ValueError("a pair scores 0, 1/4, 1/2, 3/4 or 1")
    a, b, c, d, e = (int(n) for n in np.bincount(whole, minlength=5))
    return a, b, c, d, e


def log_likelihood_ratio(
    counts: Sequence[int], null: float, alternative: float, *, prior: float = 0.1
) -> float:
    """Generalised log-likelihood ratio of two mean scores, given how often each score occurred.

    For either hypothesis the likeliest distribution with that mean is taken (Van den Bergh, 2015):
    of observed shares ``p`` it is ``p / (1 + x (a - mean))`` with the x that gives the mean.

    Args:
        counts: pairs by score, as of :func:`pentanomial`.
        null: mean score under H0, in 0..1.
        alternative: mean score under H1.
        prior: pseudo-pairs added to each score, so that few pairs without any spread prove nothing.

    Returns: positive when H1 explains the pairs better; 0 without pairs.
    """
    if sum(counts) == 0:
        return 0.0
    total = sum(counts) + prior * len(PAIR_SCORES)
    shares = [(count + prior) / total for count in counts]
    both = zip(
        shares, _log_densities(shares, null), _log_densities(shares, alternative), strict=True
    )
    return total * math.fsum(share * (under_h1 - under_h0) for share, under_h0, under_h1 in both)


def _log_densities(shares: Sequence[float], mean: float) -> list[float]:
    """Logarithms of ``1 / (1 + x (a - mean))`` with the x that gives the mean.

    Plain floats are faster than arrays of five.
    """
    away = [score - mean for score in PAIR_SCORES]
    # Between these ends all densities are positive, and the sum falls from +inf to -inf: Newton's
    # steps, halving the interval where they leave it.
    low, high = -1.0 / away[-1], -1.0 / away[0]
    x = 0.0
    for _ in range(200):
        parts = [a / (1.0 + x * a) for a in away]
        value = sum(share * part for share, part in zip(shares, parts, strict=True))
        if value > 0.0:
            low = x
        else:
            high = x
        slope = sum(share * part * part for share, part in zip(shares, parts, strict=True))
        step = value / slope if slope > 0.0 else 0.0
        if abs(step) < 1e-14 * (high - low) or abs(value) < 1e-15:
            break
        x = x + step if low < x + step < high else 0.5 * (low + high)
    return [-math.log1p(x * a) for a in away]


@dataclass(frozen=True)
class Sprt:
    """A sequential probability ratio test over pairs.

    Attributes:
        null: mean score under H0.
        alternative: mean score under H1.
        alpha: accepted probability of H1 being chosen when H0 is true.
        beta: accepted probability of H0 being chosen when H1 is true.
        least: pairs before the first look: the ratio's theory is one of large numbers.
    """

    null: float = 0.495
    alternative: float = 0.515
    alpha: float = 0.05
    beta: float = 0.05
    least: int = 32

    def __post_init__(self) -> None:
        if not (0.0 < self.null < self.alternative < 1.0):
            raise ValueError("an SPRT needs 0 < null < alternative < 1")
        if not (0.0 < self.alpha < 0.5 and 0.0 < self.beta < 0.5):
            raise ValueError("error rates of an SPRT lie between 0 and 0.5")

    @property
    def bounds(self) -> tuple[float, float]:
        """The ratio's logarithm at which H0 and H1 are accepted (Wald)."""
        return math.log(self.beta / (1.0 - self.alpha)), math.log((1.0 - self.beta) / self.alpha)

    def ratio(self, counts: Sequence[int]) -> float:
        """The log-likelihood ratio at these counts of :func:`pentanomial`."""
        return log_likelihood_ratio(counts, self.null, self.alternative)

    def verdict(self, counts: Sequence[int]) -> str | None:
        """``"H0"``, ``"H1"``, or None: play on."""
        if sum(counts) < self.least:
            return None
        ratio = self.ratio(counts)
        low, high = self.bounds
        return "H1" if ratio >= high else "H0" if ratio <= low else None


def sprt_walk(
    test: Sprt, pair_scores: Sequence[float], start: int = 0, counts: Sequence[int] = (0,) * 5
) -> tuple[str | None, int, list[int]]:
    """Walk over pairs in their order until the test decides.

    Args:
        test: the test.
        pair_scores: scores of all pairs from number 0 on.
        start: pairs that ``counts`` holds already.
        counts: of the first ``start`` pairs.

    Returns: verdict, number of pairs looked at, counts of these pairs. The verdict depends on the
        order of the pairs and on nothing else: not on how many came at a time.
    """
    tally = list(counts)
    for number in range(start, len(pair_scores)):
        tally[round(pair_scores[number] * 4)] += 1
        verdict = test.verdict(tally)
        if verdict is not None:
            return verdict, number + 1, tally
    return None, len(pair_scores), tally


def describe(values: npt.ArrayLike) -> dict[str, float]:
    """Mean, standard deviation, median, least, greatest and standard error of the mean.

    Raises: ValueError without any value.
    """
    array = np.asarray(values, dtype=np.float64)
    mean, error = mean_and_error(array)
    return {
        "mean": mean,
        "std": float(array.std(ddof=1)) if array.size > 1 else 0.0,
        "median": float(np.median(array)),
        "min": float(array.min()),
        "max": float(array.max()),
        "mean_se": error if math.isfinite(error) else 0.0,
    }
