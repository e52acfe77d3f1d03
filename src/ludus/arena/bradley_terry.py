"""The Bradley-Terry model: its likelihood, the maximum, and the errors of what was found.

Player i scores ``p = 1 / (1 + exp(theta_j - theta_i))`` of the points against j on average. The
table of results is reduced to one row a pairing: games N, points S. Draws are half points, so the
likelihood is a quasi-likelihood: its maximum is right whenever the mean scores are, and its errors
come from the sandwich of information and measured variance, with pairs as units.

Sources:
    R. A. Bradley, M. E. Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952).
    L. R. Ford, "Solution of a ranking problem from binary comparisons", Amer. Math. Monthly 64
    (1957): the maximum is finite when everybody is linked to everybody by points taken.
    R. W. M. Wedderburn, "Quasi-likelihood functions", Biometrika 61 (1974).
    H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50 (1982): the
    sandwich; K.-Y. Liang, S. L. Zeger, Biometrika 73 (1986): with units that share luck.
    A. Agresti, "Categorical Data Analysis" (3rd ed., 2013), section 11.6: fit and residuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ludus.arena.pairings import Floats, ResultTable

SHRINK_PAIRS = 4.0
"""Weight, in even pairs, of the assumption that games of a pair are independent, beside what the
pairs themselves say. It matters where the spread cannot be estimated: a pairing that one side won
whole would seem to have no spread at all."""

_STEPS = 200
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Design:
    """A table of results as arrays; row m is a pairing.

    Attributes:
        players: number of players.
        a, b: indices of the players, i64[m].
        games: N, f64[m].
        units: pairs, or single games, f64[m].
        points: S of player a, f64[m].
    """

    players: int
    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]
    games: Floats
    units: Floats
    points: Floats

    @classmethod
    def of(cls, table: ResultTable) -> Design:
        """Reduce a table."""
        rows = table.pairings
        return cls(
            len(table.names),
            np.array([row.a for row in rows], dtype=np.int64),
            np.array([row.b for row in rows], dtype=np.int64),
            np.array([row.games for row in rows], dtype=np.float64),
            np.array([row.units for row in rows], dtype=np.float64),
            np.array([row.points for row in rows], dtype=np.float64),
        )

    def contrasts(self) -> Floats:
        """X: +1 for player a and -1 for player b of each row, f64[m, players]."""
        matrix = np.zeros((len(self.a), self.players))
        rows = np.arange(len(self.a))
        matrix[rows, self.a] = 1.0
        matrix[rows, self.b] = -1.0
        return matrix

    def rates(self, theta: Floats) -> Floats:
        """Expected score of player a in each row."""
        rates: Floats = special.expit(theta[self.a] - theta[self.b])
        return rates


def information(design: Design, theta: Floats, prior: float) -> Floats:
    """Fisher information of the penalised likelihood, f64[players, players]."""
    rates = design.rates(theta)
    weights = (design.games + prior) * rates * (1.0 - rates)
    x = design.contrasts()
    found: Floats = x.T @ (weights[:, None] * x)
    return found


def maximise(
    design: Design,
    prior: float,
    *,
    weights: Floats | None = None,
    fixed: Mapping[int, float] | None = None,
) -> tuple[Floats, float]:
    """The most likely strengths, by Newton's method with halved steps.

    Args:
        design: the results.
        prior: virtual drawn games a pairing; above 0, so that the maximum is finite.
        weights: games that a row counts for; its games by default.
        fixed: strengths that are given, by player. Without any, the mean of each player's moves is
            left where it starts, at 0.

    Returns: theta f64[players] in natural units, and the log-likelihood with the prior.
    """
    total = (design.games if weights is None else weights) + prior
    share = np.divide(
        design.points, design.games, out=np.full(len(design.games), 0.5), where=design.games > 0
    )
    points = share * (total - prior) + 0.5 * prior
    theta = np.zeros(design.players)
    for player, strength in (fixed or {}).items():
        theta[player] = strength
    free = np.array([i for i in range(design.players) if i not in (fixed or {})], dtype=np.int64)
    x = design.contrasts()

    def value(at: Floats) -> float:
        gap = at[design.a] - at[design.b]
        return float(points @ special.log_expit(gap) + (total - points) @ special.log_expit(-gap))

    best = value(theta)
    for _ in range(_STEPS):
        if not len(free):
            break
        rates = design.rates(theta)
        slope = (x.T @ (points - total * rates))[free]
        curve = (x.T @ ((total * rates * (1.0 - rates))[:, None] * x))[np.ix_(free, free)]
        # Only differences matter: the least step of those that solve the equations.
        step = np.linalg.lstsq(curve, slope, rcond=1e-13)[0]
        step = np.clip(step, -3.0, 3.0)
        scale = 1.0
        while scale > 1e-6:
            trial = theta.copy()
            trial[free] += scale * step
            reached = value(trial)
            if reached >= best - 1e-12 * abs(best):
                theta, best = trial, reached
                break
            scale *= 0.5
        if scale <= 1e-6 or float(np.abs(step).max()) < _TOLERANCE:
            break
    return theta, best


def variances(table: ResultTable, design: Design, theta: Floats) -> Floats:
    """Covariance of the points of the rows, f64[m, m]: measured over units.

    On the diagonal stands ``D N p (1 - p)`` with the design effect D: the measured sum of squares
    over that of independent games, drawn towards 1 with the weight of :data:`SHRINK_PAIRS` even
    pairs; never less than the measured sum itself. Off the diagonal stand products of residuals of
    units with the same seed.
    """
    rates = design.rates(theta)
    rows = table.pairings
    measured = np.array(
        [
            sum(sheet.squares(rate) for sheet in row.sheets)
            for row, rate in zip(rows, rates.tolist(), strict=True)
        ]
    )
    independent = design.games * rates * (1.0 - rates)
    weight = SHRINK_PAIRS * 0.5
    effect = (measured + weight) / (independent + weight)
    shared = np.zeros((len(rows), len(rows)))
    keys = sorted({sheet.seeds for row in rows for sheet in row.sheets if sheet.seeds is not None})
    for key in keys:
        sheets = [
            (m, sheet) for m, row in enumerate(rows) for sheet in row.sheets if sheet.seeds == key
        ]
        if len(sheets) < 2:
            continue
        length = max(len(sheet.scores) for _, sheet in sheets)
        residuals = np.zeros((len(sheets), length))
        for i, (m, sheet) in enumerate(sheets):
            residuals[i, : len(sheet.scores)] = sheet.unit_games * (sheet.scores - rates[m])
        at = np.array([m for m, _ in sheets])
        products = residuals @ residuals.T
        np.fill_diagonal(products, 0.0)
        np.add.at(shared, (at[:, None], at[None, :]), products)
    return shared + np.diag(np.maximum(measured, effect * independent))


def sandwich(design: Design, theta: Floats, prior: float, spread: Floats) -> Floats:
    """Covariance of theta, f64[players, players]; only variances of differences have a meaning."""
    bread = np.linalg.pinv(information(design, theta, prior), rcond=1e-12, hermitian=True)
    x = design.contrasts()
    found: Floats = bread @ (x.T @ spread @ x) @ bread
    return found


def misfit(
    design: Design, theta: Floats, prior: float, spread: Floats
) -> tuple[Floats, float, int]:
    """How far the rows lie from the model.

    Returns: standardised residuals f64[m] (NaN where a row has no freedom to differ), the
        chi-square of all of them, its degrees of freedom.
    """
    rates = design.rates(theta)
    # With the virtual games throughout: then the residuals are orthogonal to the fit exactly.
    weights = (design.games + prior) * rates * (1.0 - rates)
    x = design.contrasts()
    bread = np.linalg.pinv(information(design, theta, prior), rcond=1e-12, hermitian=True)
    away = design.points + 0.5 * prior - (design.games + prior) * rates
    residual = np.eye(len(away)) - (weights[:, None] * x) @ bread @ x.T
    covariance = residual @ spread @ residual.T
    own = np.diag(spread)
    variance = np.diag(covariance)
    free = variance > 1e-6 * own
    scores = np.full(len(away), np.nan)
    scores[free] = away[free] / np.sqrt(variance[free])
    # Scaled to comparable rows before the rank is judged.
    scale = 1.0 / np.sqrt(np.where(own > 0.0, own, 1.0))
    scaled = scale[:, None] * covariance * scale[None, :]
    values, vectors = np.linalg.eigh(scaled)
    kept = values > 1e-6 * max(1.0, float(values.max(initial=0.0)))
    along = vectors[:, kept].T @ (scale * away)
    return scores, float((along * along / values[kept]).sum()), int(kept.sum())
