"""Ratings: strengths of any number of players from all games between them, in Elo points.

``rate(table)`` fits the Bradley-Terry model (:mod:`ludus.arena.bradley_terry`). 400 points are odds
of ten to one. Only differences of ratings can be measured, so one player, or the mean, is the
anchor and has the start value by definition. Every error comes from one covariance matrix: the
error of a difference is not the root of two squared errors.

A player that took no point from those around the anchor, or gave them none, has no finite rating:
the weak prior (half a virtual drawn game in each pairing) shows a number that is marked
``bound only`` (``at least`` or ``at most``), and :meth:`Ratings.bound` says how far it is proven.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse, stats
from scipy.sparse import csgraph

from ludus.arena.bradley_terry import (
    Design,
    maximise,
    misfit,
    sandwich,
    variances,
)
from ludus.arena.pairings import Floats, ResultTable
from ludus.arena.stats import normal_quantile

ELO = 400.0 / math.log(10.0)
"""Elo points of one natural unit of strength."""

START = 1000.0
"""Rating of the anchor where nothing else is said."""

PRIOR_GAMES = 0.5
"""Virtual drawn games in every pairing that was played."""

MEAN = "mean"
"""Anchor: the mean of all players with a finite rating."""

Standing = Literal["rated", "at least", "at most", "unconnected"]


def expected_score(difference: float) -> float:
    """Mean score of a player that is better by so many Elo points."""
    if math.isnan(difference):
        return math.nan
    return 1.0 / (1.0 + math.pow(10.0, max(-300.0, min(300.0, -difference / 400.0))))


def elo_difference(score: float) -> float:
    """Elo points by which a player of that mean score is better; infinite at 0 and 1."""
    if score <= 0.0 or score >= 1.0:
        return -math.inf if score <= 0.0 else math.inf
    return 400.0 * math.log10(score / (1.0 - score))


@dataclass(frozen=True)
class Rating:
    """One player's line.

    Attributes:
        player: name.
        elo: rating; None for one that is unconnected with the anchor.
        error: standard error against the anchor; None where there is only a bound.
        standing: ``rated``, ``at least`` and ``at most`` (bound only: nothing is lost, or won,
            against those around the anchor), ``unconnected``.
        games, points: played, and won with draws half.
        opponents: number of other players met.
    """

    player: str
    elo: float | None
    error: float | None
    standing: Standing
    games: int
    points: float
    opponents: int

    @property
    def score(self) -> float | None:
        """Share of points; None without games."""
        return self.points / self.games if self.games else None

    def as_json(self) -> dict[str, Any]:
        """Fields for a report."""
        return {**vars(self), "score": self.score, "bound_only": self.standing != "rated"}


class Ratings:
    """The fitted model; made by :func:`rate`.

    Attributes:
        names: players, by index.
        anchor: name of the player with the start value, or ``mean``.
        start: rating of the anchor.
    """

    def __init__(self, table: ResultTable, *, anchor: str, start: float, prior: float) -> None:
        """Not for callers: use :func:`rate`."""
        self.table = table
        self.names = table.names
        self.anchor = anchor
        self.start = start
        self._prior = prior
        self._design = Design.of(table)
        self._theta, _ = maximise(self._design, prior)
        self._spread = variances(table, self._design, self._theta)
        self._covariance = sandwich(self._design, self._theta, prior, self._spread)
        self._component, self._linked, self._reach = _links(self._design)
        self._base = self._weights_of_anchor()
        self._home = int(np.argmax(self._base))  # some player around the anchor

    # -- single players and differences -------------------------------------------------------

    @cached_property
    def lines(self) -> list[Rating]:
        """All players, the strongest first; unconnected ones at the end."""
        found = [self.rating(name) for name in self.names]
        return sorted(found, key=lambda line: (line.elo is None, -(line.elo or 0.0), line.player))

    def rating(self, name: str) -> Rating:
        """One player's line.

        Raises:
            KeyError: it is not in the table.
        """
        i = self.table.index(name)
        mine = (self._design.a == i) | (self._design.b == i)
        own = np.where(self._design.a == i, self._design.points, 0.0)
        other = np.where(self._design.b == i, self._design.games - self._design.points, 0.0)
        standing = self._standing(i)
        elo = error = None
        if standing != "unconnected":
            elo = self.start + ELO * float(self._theta[i] - self._base @ self._theta)
            if standing == "rated":
                error = self._error(_unit(i, len(self.names)) - self._base)
        return Rating(
            name,
            elo,
            error,
            standing,
            int(self._design.games[mine].sum()),
            float((own + other).sum()),
            int(mine.sum()),
        )

    def difference(self, a: str, b: str) -> tuple[float, float]:
        """Elo points of a above b, and their standard error (infinite where there is a bound only).

        Raises:
            KeyError: a player is not in the table.
        """
        i, j = self.table.index(a), self.table.index(b)
        if self._component[i] != self._component[j]:
            return math.nan, math.inf
        gap = ELO * float(self._theta[i] - self._theta[j])
        if i == j:
            return 0.0, 0.0
        if self._linked[i] != self._linked[j]:
            return gap, math.inf
        size = len(self.names)
        return gap, self._error(_unit(i, size) - _unit(j, size))

    def expected(self, a: str, b: str) -> float:
        """Expected score of a against b; NaN if they are unconnected."""
        return expected_score(self.difference(a, b)[0])

    def bound(self, name: str, *, confidence: float = 0.95) -> float | None:
        """How far a rating that is a bound only is proven, one-sided.

        By the profile likelihood with a whole seed pair as one trial (the two games of a pair may
        share all their luck): at the bound, results as one-sided as these have the probability
        ``1 - confidence``. For n pairs that were all won that is ``score^n = 0.05``. None for a
        player with a finite rating or without a connection.
        """
        i = self.table.index(name)
        standing = self._standing(i)
        if standing not in ("at least", "at most"):
            return None
        design, prior = self._design, 1e-4
        fall = -math.log(1.0 - confidence)
        free, top = maximise(design, prior, weights=design.units)
        away = float(free[i] - free[self._home])

        def below(gap: float) -> float:
            fixed = {self._home: 0.0, i: gap}
            return top - fall - maximise(design, prior, weights=design.units, fixed=fixed)[1]

        sign = -1.0 if standing == "at least" else 1.0
        reach = 1.0
        while below(away + sign * reach) < 0.0 and reach < 64.0:
            reach *= 2.0
        gap = optimize.brentq(below, away, away + sign * reach, xtol=1e-4)
        home = self.rating(self.names[self._home]).elo
        assert home is not None
        return home + ELO * float(gap)

    # -- the model as a whole -----------------------------------------------------------------

    @cached_property
    def pairings(self) -> list[dict[str, Any]]:
        """Prediction and result of every pairing, from the view of the player named first.

        ``z`` is the standardised residual: the difference over its own standard error, the part
        that the fit took up allowed for. None where the pairing alone decides (nothing to check).
        """
        if not self.table.pairings:
            return []
        scores, _, _ = self._misfit
        rates = self._design.rates(self._theta)
        rows = []
        for row, rate, z, spread in zip(
            self.table.pairings, rates.tolist(), scores.tolist(), np.diag(self._spread), strict=True
        ):
            rows.append(
                {
                    "a": self.names[row.a],
                    "b": self.names[row.b],
                    "games": row.games,
                    "predicted": rate,
                    "found": row.points / row.games,
                    "found_error": math.sqrt(float(spread)) / row.games,
                    "z": None if math.isnan(z) else z,
                }
            )
        return rows

    @cached_property
    def _misfit(self) -> tuple[Floats, float, int]:
        return misfit(self._design, self._theta, self._prior, self._spread)

    @cached_property
    def fit(self) -> dict[str, Any]:
        """Chi-square of all residuals, its degrees of freedom, and the probability of as much.

        Without a degree of freedom (a chain or a star of pairings) nothing can be checked and
        ``p`` is None.
        """
        _, square, freedom = self._misfit if self.table.pairings else (None, 0.0, 0)
        chance = float(stats.chi2.sf(square, freedom)) if freedom else None
        return {"chi_square": square, "freedom": freedom, "p": chance}

    def sentences(self, *, significance: float = 0.01) -> list[str]:
        """What a reader must know: missing connections, and pairings that the model does not fit.

        Args:
            significance: probability of the chi-square under which the model is said not to fit.
        """
        said = []
        apart = [line.player for line in self.lines if line.standing == "unconnected"]
        if apart:
            said.append(
                f"{_list(apart)} cannot be compared with {self._around()}: no chain of games, or "
                "no common measure, connects them, so they have no rating"
            )
        chance = self.fit["p"]
        if chance is not None and chance < significance:
            worst = max(self.pairings, key=lambda row: abs(row["z"] or 0.0))
            said.append(
                f"the ratings do not fit the results (chi-square {self.fit['chi_square']:.1f} with "
                f"{self.fit['freedom']} degrees of freedom, p = {chance:.2g}): strength is not on "
                f"one line here; farthest is {worst['a']} against {worst['b']}, predicted "
                f"{worst['predicted']:.1%}, found {worst['found']:.1%} (z = {worst['z']:+.1f})"
            )
        for a, b, c in self.cycles():
            said.append(f"non-transitive: {a} beats {b}, {b} beats {c} and {c} beats {a}")
        return said

    def cycles(self, *, confidence: float = 0.99) -> list[tuple[str, str, str]]:
        """Triples in which each player beats the next one, each beyond doubt (one-sided)."""
        z = normal_quantile(confidence, sided=1)
        beats: dict[int, set[int]] = {}
        for row, spread in zip(self.table.pairings, np.diag(self._spread).tolist(), strict=True):
            lead = row.points - 0.5 * row.games
            if abs(lead) > z * math.sqrt(spread):
                winner, loser = (row.a, row.b) if lead > 0.0 else (row.b, row.a)
                beats.setdefault(winner, set()).add(loser)
        found = []
        for a, losers in sorted(beats.items()):
            for b in sorted(losers):
                for c in sorted(beats.get(b, ())):
                    if a in beats.get(c, ()) and a < b and a < c:
                        found.append((self.names[a], self.names[b], self.names[c]))
        return found

    def as_json(self) -> dict[str, Any]:
        """Players, pairings, fit and sentences."""
        return {
            "anchor": self.anchor,
            "start": self.start,
            "players": [line.as_json() for line in self.lines],
            "pairings": self.pairings,
            "fit": self.fit,
            "sentences": self.sentences(),
        }

    # -- inside ------------------------------------------------------------------------------

    def _weights_of_anchor(self) -> Floats:
        """Weights of the players in the point that has the start value."""
        size = len(self.names)
        if self.anchor != MEAN:
            return _unit(self.table.index(self.anchor), size)
        groups, counts = np.unique(self._linked, return_counts=True)
        main = self._linked == groups[np.argmax(counts)]
        base: Floats = main / main.sum()
        return base

    def _standing(self, i: int) -> Standing:
        mine, home = int(self._linked[i]), int(self._linked[self._home])
        if mine == home:
            return "rated"
        above, below = self._reach[mine, home], self._reach[home, mine]
        return "at least" if above else "at most" if below else "unconnected"

    def _error(self, contrast: Floats) -> float:
        return ELO * math.sqrt(max(0.0, float(contrast @ self._covariance @ contrast)))

    def _around(self) -> str:
        return "the players around the mean" if self.anchor == MEAN else self.anchor


def rate(
    table: ResultTable,
    *,
    anchor: str = MEAN,
    start: float = START,
    prior: float = PRIOR_GAMES,
) -> Ratings:
    """Fit ratings to a table of results.

    Args:
        table: at least one player.
        anchor: the player that has the start value, or ``mean``.
        start: its rating, Elo points.
        prior: virtual drawn games in each pairing, above 0.

    Raises:
        ValueError: an empty table, an anchor that is not in it, or no prior.
    """
    if not table.names:
        raise ValueError("there is nobody to rate")
    if anchor != MEAN and anchor not in table.names:
        raise ValueError(f"the anchor {anchor} has played no game that is rated")
    if not prior > 0.0:
        raise ValueError("the prior must be above 0, so that every rating is finite")
    return Ratings(table, anchor=anchor, start=start, prior=prior)


def _unit(i: int, size: int) -> Floats:
    vector = np.zeros(size)
    vector[i] = 1.0
    return vector


def _list(names: Sequence[str]) -> str:
    shown = list(names[:5]) + ([f"{len(names) - 5} more"] if len(names) > 5 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _links(
    design: Design,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Who is connected with whom (Ford 1957).

    Returns: component of each player in the graph of games; group of each player within which
        everybody took points from everybody over some chain; whether group g took points, over
        some chain, from group h, bool[g, h].
    """
    size = design.players
    wins = np.zeros((size, size), dtype=bool)
    wins[design.a, design.b] |= design.points > 0.0
    wins[design.b, design.a] |= design.points < design.games
    graph = sparse.csr_matrix(wins)
    _, component = csgraph.connected_components(graph, directed=False)
    groups, linked = csgraph.connected_components(graph, directed=True, connection="strong")
    steps = np.zeros((groups, groups), dtype=bool)
    first, second = np.nonzero(wins)
    steps[linked[first], linked[second]] = True
    reach = np.eye(groups, dtype=bool) | steps
    for _ in range(max(1, groups.bit_length())):
        reach = (reach.astype(np.int64) @ reach.astype(np.int64)) > 0
    return component.astype(np.int64), linked.astype(np.int64), reach
