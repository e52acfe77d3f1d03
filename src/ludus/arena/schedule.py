"""Which games to play next: those that are expected to tell most about all pairings.

The uncertainty is the sum, over all pairings, of the variance of the predicted score: the variance
of the difference in strength times the squared slope of the curve. (Of the differences themselves
the largest would be those to players that lose every game, which no number of games can measure.)
A batch of n games between i and j adds the information ``n v / D`` along ``e_i - e_j``, where v is
the variance of a game's score and D the design effect of pairs; by how much that lowers the sum is
a closed form (Sherman and Morrison). Before anything is known every strength has a wide prior, so
players that nobody met come first, and games whose result is certain come last.

Source: A. C. Atkinson, A. N. Donev, R. D. Tobias, "Optimum experimental designs, with SAS" (2007),
chapters 10 and 17.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from scipy import special

from ludus.arena.bradley_terry import Design, information, maximise
from ludus.arena.pairings import Floats, ResultTable
from ludus.arena.ratings import ELO, PRIOR_GAMES

SPREAD = 400.0
"""Standard deviation of strengths before anything is known, Elo points."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def gains(
    table: ResultTable, names: Sequence[str], games: int, *, effect: float = 1.0
) -> dict[tuple[str, str], float]:
    """Expected fall of the summed variance of all predicted scores, for each pairing to be played.

    Args:
        table: results so far; it may hold more players.
        names: players that can play.
        games: of the next batch.
        effect: design effect of pairs; below 1 where seats exchanged take luck out.
    """
    everyone = table.joined_by(names)
    design = Design.of(everyone)
    size = len(everyone.names)
    theta = maximise(design, PRIOR_GAMES)[0] if len(design.a) else np.zeros(size)
    known = information(design, theta, PRIOR_GAMES) if len(design.a) else np.zeros((size, size))
    covariance = np.linalg.inv(known / effect + np.eye(size) * (ELO / SPREAD) ** 2)
    indices = [everyone.index(name) for name in names]
    pairs = [(i, j) for at, i in enumerate(indices) for j in indices[at + 1 :]]
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    spreads = (
        covariance[first, first] + covariance[second, second] - 2.0 * covariance[first, second]
    )
    # Variance of a game's score, which is also the slope of the score by the strength.
    slopes = np.array(
        [
            _variance(gap, spread)
            for gap, spread in zip(
                (theta[first] - theta[second]).tolist(), spreads.tolist(), strict=True
            )
        ]
    )
    found = {}
    for number, (i, j) in enumerate(pairs):
        moved = covariance[:, i] - covariance[:, j]
        weight = games / effect * slopes[number]
        fall = float((slopes**2) @ (moved[first] - moved[second]) ** 2)
        found[everyone.names[i], everyone.names[j]] = (
            weight * fall / (1.0 + weight * float(spreads[number]))
        )
    return found


def next_pairing(
    table: ResultTable,
    names: Sequence[str],
    games: int,
    *,
    closed: Collection[frozenset[str]] = (),
    effect: float = 1.0,
) -> tuple[str, str] | None:
    """The pairing with the largest gain, the first of equals; None if none is left.

    Args:
        table: see :func:`gains`.
        names: likewise.
        games: likewise.
        effect: likewise.
        closed: pairings that cannot tell anything new.
    """
    best, most = None, 0.0
    for pair, gain in gains(table, names, games, effect=effect).items():
        if frozenset(pair) not in closed and gain > most * (1.0 + 1e-9):
            best, most = pair, gain
    return best


def design_effect(table: ResultTable) -> float:
    """Measured variance of pairs over that of independent games, pooled, in 0.1..2."""
    measured = independent = 4.0
    for row in table.pairings:
        mean = row.points / row.games
        measured += sum(sheet.squares(mean) for sheet in row.sheets)
        independent += row.games * mean * (1.0 - mean)
    return min(2.0, max(0.1, measured / independent))


def _variance(gap: float, spread: float) -> float:
    """Mean of ``p (1 - p)`` over a strength difference known up to a variance."""
    rates: Floats = special.expit(gap + math.sqrt(max(0.0, spread)) * _NODES)
    return float(_WEIGHTS @ (rates * (1.0 - rates)))
