"""Ratings of players at tables with more than two seats: openskill's Plackett-Luce model of deals.

Each deal of a duplicate match is a game of two teams of one, the two players, ordered by the sign
of the deal's figure; equal figures share a rank. The ratings are openskill's posterior means and
deviations, with ``tau`` 0: a player of a table never changes (a network that has learned is another
player). openskill goes through games one by one, so their order matters a little; here it follows
from what was played alone: by number of the deal, then by seeds, then by names. All pairings
advance together, and when they were played plays no part.

Scale: in the limit of small deviations the model gives a player that is better by ``d`` points of
openskill the odds ``exp(d / (sqrt(2) beta))`` of winning a deal. Shown points are multiples by
``400 / (ln 10 sqrt(2) beta)``, so that 400 points are odds of ten to one, as on Elo's scale; they
are about deals won, not games, and are called ``openskill``. Only differences can be measured: the
anchor has the start value. The standard error against the anchor is that of a difference of two
independent posteriors. openskill narrows its deviations more slowly than a fit of all games at once
would (its factor gamma), so errors are on the cautious side.

Sources: R. C. Weng, C.-J. Lin, "A Bayesian approximation method for online ranking", JMLR 12
(2011), algorithm 4; V. Joshy, "OpenSkill: a faster asymmetric multi-team, multiplayer rating
system", JOSS 9 (2024).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ludus.arena.ratings import MEAN, START, Rating

OPENSKILL = "openskill"
"""Kind of these ratings, said wherever one is shown."""

ELO = "elo"
"""Kind of the ratings of :mod:`ludus.arena.ratings`."""

_RANKS = {"W": [1, 2], "D": [1, 1], "L": [2, 1]}
_POINTS = {"W": 1.0, "D": 0.5, "L": 0.0}


def outcomes_text(differences: npt.ArrayLike) -> str:
    """Deals as one character each by the sign of their figures: ``W`` won, ``D`` equal, ``L``."""
    signs = np.sign(np.asarray(differences, dtype=np.float64)).astype(int)
    return "".join("DWL"[sign] for sign in signs.tolist())


@dataclass(frozen=True)
class DealSheet:
    """The deals of one match between two players.

    Attributes:
        a, b: names.
        outcomes: from the view of ``a``, as of :func:`outcomes_text`.
        seeds: hash of the seeds, one a deal in order.
    """

    a: str
    b: str
    outcomes: str
    seeds: str


class DealResults:
    """Deals between any number of players.

    Attributes:
        sheets: matches, in the order in which they were added.
    """

    def __init__(self) -> None:
        self.sheets: list[DealSheet] = []

    def add(self, a: str, b: str, outcomes: str, seeds: str) -> None:
        """Add a match.

        Raises:
            ValueError: a player against itself, no deal, or a character that is no outcome.
        """
        if a == b or not outcomes or not set(outcomes) <= set(_RANKS):
            raise ValueError("a match of deals has two players and a text of W, D and L")
        self.sheets.append(DealSheet(a, b, outcomes, seeds))

    @property
    def names(self) -> list[str]:
        """All players, by when they were first added."""
        return list(dict.fromkeys(name for sheet in self.sheets for name in (sheet.a, sheet.b)))

    @property
    def deals(self) -> int:
        """All deals."""
        return sum(len(sheet.outcomes) for sheet in self.sheets)

    def ordered(self) -> list[tuple[str, str, str]]:
        """Deals as (a, b, outcome), in the order in which they are rated."""
        found = [
            (number, sheet.seeds, sheet.a, sheet.b, outcome)
            for sheet in self.sheets
            for number, outcome in enumerate(sheet.outcomes)
        ]
        return [(a, b, outcome) for _, _, a, b, outcome in sorted(found)]


class Skills:
    """Ratings of all players of a table of deals; made by :func:`rate_deals`.

    Attributes:
        names: players.
        anchor: name of the player with the start value, or ``mean``.
        start: rating of the anchor.
    """

    def __init__(self, results: DealResults, *, anchor: str, start: float) -> None:
        """Not for callers: use :func:`rate_deals`."""
        from openskill.models import PlackettLuce

        model = PlackettLuce(tau=0.0)
        self.names = results.names
        self.anchor = anchor
        self.start = start
        self._results = results
        self._scale = 400.0 / math.log(10.0) / (math.sqrt(2.0) * model.beta)
        rated = {name: model.rating() for name in self.names}
        for a, b, outcome in results.ordered():
            teams = model.rate([[rated[a]], [rated[b]]], ranks=_RANKS[outcome])
            rated[a], rated[b] = teams[0][0], teams[1][0]
        self._mu = {name: self._scale * one.mu for name, one in rated.items()}
        self._sigma = {name: self._scale * one.sigma for name, one in rated.items()}
        self._base = self._mu[anchor] if anchor != MEAN else float(np.mean([*self._mu.values()]))

    @cached_property
    def lines(self) -> list[Rating]:
        """All players, the strongest first; games are deals."""
        found = [self.rating(name) for name in self.names]
        return sorted(found, key=lambda line: (-(line.elo or 0.0), line.player))

    def rating(self, name: str) -> Rating:
        """One player's line; games are deals.

        Raises:
            KeyError: it is not in the table.
        """
        if self.anchor == MEAN:
            error = self._sigma[name]
        else:
            error = self.difference(name, self.anchor)[1]
        met: Counter[str] = Counter()
        points = 0.0
        for sheet in self._results.sheets:
            if name in (sheet.a, sheet.b):
                won = sum(_POINTS[outcome] for outcome in sheet.outcomes)
                points += won if name == sheet.a else len(sheet.outcomes) - won
                met[sheet.b if name == sheet.a else sheet.a] += len(sheet.outcomes)
        elo = self.start + (self._mu[name] - self._base)
        return Rating(name, elo, error, "rated", met.total(), points, len(met))

    def difference(self, a: str, b: str) -> tuple[float, float]:
        """Points of a above b, and their standard error.

        Raises:
            KeyError: a player is not in the table.
        """
        if a == b:
            return 0.0, 0.0
        return self._mu[a] - self._mu[b], math.hypot(self._sigma[a], self._sigma[b])

    def bound(self, name: str) -> float | None:
        """None: openskill's prior gives every player a finite rating."""
        self._mu[name]
        return None


def rate_deals(results: DealResults, *, anchor: str, start: float = START) -> Skills:
    """Rate all players of a table.

    Args:
        results: with at least one deal.
        anchor: player with the start value, or ``mean``.
        start: that value.

    Raises:
        KeyError: no such anchor.
    """
    if anchor != MEAN and anchor not in results.names:
        raise KeyError(anchor)
    return Skills(results, anchor=anchor, start=start)
