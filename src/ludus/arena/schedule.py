"""Which games to play next: those that are expected to tell most about all ratings.

The uncertainty is the sum of the variances of all ratings against their mean (A-optimality). A
batch of games between i and j adds the information ``n v / D`` along ``e_i - e_j``, where v is the
variance of a game's score and D the design effect of pairs; by how much that lowers the sum is a
closed form (Sherman and Morrison). Before anything is known every strength has a wide prior, so
players that nobody met come first, and games whose result is certain come last.

Source: A. C. Atkinson, A. N. Donev, R. D. Tobias, "Optimum experimental designs, with SAS" (2007),
chapter 10.
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
    """Expected fall of the summed variance for each pairing, Elo points squared.

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
    chosen = np.array([everyone.index(name) for name in names])
    centre = np.zeros((len(names), size))
    centre[np.arange(len(names)), chosen] = 1.0
    centre[:, chosen] -= 1.0 / len(names)
    found = {}
    for first, a in enumerate(names):
        for b in names[first + 1 :]:
            i, j = everyone.index(a), everyone.index(b)
            direction = covariance[:, i] - covariance[:, j]
            spread = float(direction[i] - direction[j])
            weight = games / effect * _variance(float(theta[i] - theta[j]), spread)
            moved = centre @ direction
            found[a, b] = ELO**2 * weight * float(moved @ moved) / (1.0 + weight * spread)
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
        table, names, games, effect: see :func:`gains`.
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
