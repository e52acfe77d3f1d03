"""Calibration: do predicted scores come true as often as they say?

Predictions are put into bins; a bin's mean prediction should be its mean outcome. The mean gap
between both, weighted by size, is the expected calibration error (ECE). It is above 0 even for
perfect predictions, because outcomes scatter; so beside it stand its own error, and what a
perfectly calibrated predictor would show on as much data. Outcomes of one game, or of one seed
pair, are not independent: they are taken together as a group everywhere.

Sources:
    G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 78 (1950). M. H. DeGroot, S. E. Fienberg, "The comparison and evaluation of forecasters",
    The Statistician 32 (1983). C. Guo et al., "On calibration of modern neural networks", ICML 2017
    (ECE). B. Efron, R. Tibshirani, "An introduction to the bootstrap" (1993); C. F. J. Wu, Annals
    of Statistics 14 (1986): the wild bootstrap, whose signs make the null distribution here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.arena.pairings import Floats, ResultTable
from ludus.arena.ratings import MEAN, PRIOR_GAMES, elo_difference, rate
from ludus.errors import UserError

RESAMPLES = 400
"""Bootstrap samples."""

CLIP = 1e-3
"""Predictions nearer to 0 or 1 than this count as so far away in the log loss."""

VIRTUAL = 2.0
"""Groups that stand for right predictions in the error of a bin."""

_CHUNK = 50  # bootstrap samples at a time


@dataclass(frozen=True)
class Bin:
    """Predictions of a range.

    Attributes:
        low, high: the range.
        count: predictions in it.
        predicted, found: their mean, and the mean outcome.
        error: standard error of ``found - predicted``, groups as units; None for a single group.
    """

    low: float
    high: float
    count: int
    predicted: float
    found: float
    error: float | None


@dataclass(frozen=True)
class Calibration:
    """How well predictions came true.

    Attributes:
        count, groups: predictions, and groups of them that share luck.
        bins: those that are not empty.
        ece: expected calibration error.
        ece_error: its standard error (bootstrap over groups).
        ece_if_calibrated: its mean if the predictions were perfectly calibrated.
        p: probability of at least this ECE if they were.
        bias, bias_error: mean outcome less mean prediction, and its standard error.
        brier, log_loss: mean squared error; mean logarithmic loss in natural units.
        brier_reference, log_loss_reference: of always predicting the mean outcome.
    """

    count: int
    groups: int
    bins: tuple[Bin, ...]
    ece: float
    ece_error: float
    ece_if_calibrated: float
    p: float
    bias: float
    bias_error: float
    brier: float
    brier_reference: float
    log_loss: float
    log_loss_reference: float

    @property
    def skill(self) -> float | None:
        """Share of the reference's Brier score that is saved; None where that is 0."""
        return 1.0 - self.brier / self.brier_reference if self.brier_reference > 0.0 else None

    def as_json(self) -> dict[str, Any]:
        """Fields for a report."""
        return {**asdict(self), "bins": [asdict(one) for one in self.bins], "skill": self.skill}


def calibrate(
    predicted: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    bins: int = 10,
    seed: int = 1,
) -> Calibration:
    """Compare predictions with what came.

    Args:
        predicted: expected scores, f64[n] in 0..1.
        outcomes: scores, f64[n] in 0..1, draws half.
        groups: which predictions share luck (game, or pair), any integers [n]; None: none do.
        bins: number of equal ranges.
        seed: of the bootstrap.

    Raises:
        UserError: no prediction.
        ValueError: lengths differ, or a number outside 0..1.
    """
    p = np.asarray(predicted, dtype=np.float64)
    y = np.asarray(outcomes, dtype=np.float64)
    if p.size == 0:
        raise UserError("there is no prediction to be checked")
    if p.shape != y.shape or p.ndim != 1:
        raise ValueError("predictions and outcomes have one length")
    for array in (p, y):
        if not ((array >= 0.0) & (array <= 1.0)).all():
            raise ValueError("predictions and outcomes lie in 0..1")
    keys = np.arange(p.size) if groups is None else np.asarray(groups)
    names, group = np.unique(keys, return_inverse=True)
    where = np.minimum((p * bins).astype(np.int64), bins - 1)
    cell = group * bins + where
    shape = (len(names), bins)
    counts = np.bincount(cell, minlength=len(names) * bins).reshape(shape).astype(np.float64)
    gaps: Floats = np.bincount(cell, weights=y - p, minlength=len(names) * bins).astype(np.float64)
    gaps = gaps.reshape(shape)
    sizes = counts.sum(axis=0)
    ece = float(np.abs(gaps.sum(axis=0)).sum() / p.size)
    spread, null = _resample(counts, gaps, seed)
    whole = gaps.sum(axis=1)
    per = counts.sum(axis=1)
    bias = float(whole.sum() / p.size)
    shown = []
    for b in range(bins):
        if sizes[b] == 0.0:
            continue
        mine = where == b
        shown.append(
            Bin(
                b / bins,
                (b + 1) / bins,
                int(sizes[b]),
                float(p[mine].mean()),
                float(y[mine].mean()),
                _ratio_error(gaps[:, b], counts[:, b], float(p[mine].mean())),
            )
        )
    mean = float(y.mean())
    return Calibration(
        count=int(p.size),
        groups=len(names),
        bins=tuple(shown),
        ece=ece,
        ece_error=spread,
        ece_if_calibrated=float(null.mean()),
        p=float((1 + (null >= ece - 1e-15).sum()) / (1 + len(null))),
        bias=bias,
        bias_error=_ratio_error(whole, per, float(p.mean())) or 0.0,
        brier=float(((p - y) ** 2).mean()),
        brier_reference=float(((mean - y) ** 2).mean()),
        log_loss=_log_loss(p, y),
        log_loss_reference=_log_loss(np.full(p.size, mean), y),
    )


def _resample(counts: Floats, gaps: Floats, seed: int) -> tuple[float, Floats]:
    """Standard error of the ECE, and its values if every prediction were right, f64[resamples]."""
    random = np.random.default_rng(seed)
    groups = len(counts)
    total = counts.sum()
    again, null = [], []
    for _ in range(0, RESAMPLES, _CHUNK):
        weights = random.multinomial(groups, np.full(groups, 1.0 / groups), size=_CHUNK)
        sizes = (weights @ counts).sum(axis=1)
        again.append(np.abs(weights @ gaps).sum(axis=1) / np.maximum(sizes, 1.0))
        signs = random.integers(0, 2, size=(_CHUNK, groups)) * 2.0 - 1.0
        null.append(np.abs(signs @ gaps).sum(axis=1) / total)
    return float(np.concatenate(again).std(ddof=1)), np.concatenate(null)


def _ratio_error(sums: Floats, counts: Floats, predicted: float) -> float | None:
    """Standard error of ``sum(sums) / sum(counts)`` over groups; None for fewer than two.

    Beside the measured spread stand :data:`VIRTUAL` groups with the spread that right predictions
    would have: where all outcomes agree, none could be measured, but that proves no certainty.
    """
    there = counts > 0.0
    number = int(there.sum())
    if number < 2:
        return None
    total = float(counts.sum())
    away = sums[there] - sums.sum() / total * counts[there]
    virtual = VIRTUAL * float((counts[there] ** 2).mean()) * predicted * (1.0 - predicted)
    return math.sqrt(number / (number - 1) * float(away @ away) + virtual) / total


def _log_loss(p: Floats, y: Floats) -> float:
    safe = np.clip(p, CLIP, 1.0 - CLIP)
    return float(-(y * np.log(safe) + (1.0 - y) * np.log1p(-safe)).mean())


def held_out(table: ResultTable, *, prior: float = PRIOR_GAMES) -> list[dict[str, Any]]:
    """Each pairing predicted from all the others, and what came.

    Left out are pairings without which their two players would not be connected by finite ratings.

    Args:
        table: results.
        prior: see :func:`ludus.arena.ratings.rate`.

    Returns: for each pairing players ``a`` and ``b``, ``games``, ``predicted`` score of a,
        ``found``, ``elo`` predicted and its error, ``z`` of the difference with the errors of both.
    """
    rows = []
    whole = rate(table, prior=prior) if table.pairings else None
    for number, row in enumerate(table.pairings):
        assert whole is not None
        a, b = table.names[row.a], table.names[row.b]
        others = rate(table.without(row.a, row.b), anchor=MEAN, prior=prior)
        gap, error = others.difference(a, b)
        if not math.isfinite(error):
            continue
        predicted = others.expected(a, b)
        # Elo error as an error of the score, by the slope of the curve.
        slope = predicted * (1.0 - predicted) * math.log(10.0) / 400.0
        own = whole.pairings[number]["found_error"]
        found = row.points / row.games
        rows.append(
            {
                "a": a,
                "b": b,
                "games": row.games,
                "predicted": predicted,
                "found": found,
                "elo": gap,
                "elo_error": error,
                "elo_found": elo_difference(found),
                "z": (found - predicted) / math.hypot(slope * error, own),
            }
        )
    return rows


def held_out_calibration(table: ResultTable, rows: list[dict[str, Any]]) -> Calibration | None:
    """Calibration of :func:`held_out` predictions over all their units; None without any."""
    predicted, outcomes, groups = [], [], []
    names = table.names
    start = 0
    for row in rows:
        pairing = table.pairing(row["a"], row["b"])
        assert pairing is not None
        swap = names[pairing.a] != row["a"]
        for sheet in pairing.sheets:
            scores = np.repeat(sheet.scores, sheet.counts)
            scores = 1.0 - scores if swap else scores
            # A pair is one group of so many games.
            units = np.repeat(scores, sheet.unit_games)
            outcomes.append(units)
            predicted.append(np.full(len(units), row["predicted"]))
            groups.append(start + np.repeat(np.arange(len(scores)), sheet.unit_games))
            start += len(scores)
    if not outcomes:
        return None
    return calibrate(
        np.concatenate(predicted), np.concatenate(outcomes), groups=np.concatenate(groups)
    )
