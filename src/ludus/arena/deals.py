"""Figures of duplicate matches: what is kept of each game, and what a match of deals comes to.

The unit is the *deal*: one episode seed with ``n`` players, played ``2 n`` times. In the first
``n`` games A sits alone among B's, once on each seat; in the other ``n`` B sits alone among A's.
A game's figure is the mean points a round of A's seats less that of B's; a deal's figure is the
mean of its games' figures. Either player has held each hand equally long, counted by what a game
weighs, so the luck of the cards cancels: a player against a copy of itself that chooses alike has
the figure 0 in every deal. All games of a deal count the same in all other means too, and all deals
in those of a match.

Intervals of the mean difference are normal over deals, with the standard error of the deals'
figures; intervals of the share of deals won are Wilson's with the effective number of deals
(:func:`ludus.arena.stats.pair_rate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena import stats
from ludus.arena.finished import Columns, Table, distinct_warning
from ludus.arena.replays import stages_of
from ludus.arena.results import Result

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
"""Of the interval of the mean difference, and of its one-sided bound by itself."""


def deal_firsts(players: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first game of each deal and, at the end, their number: ``2 n`` games a deal."""
    return np.concatenate([[0], np.cumsum(2 * players)]).astype(np.int64)


class DealTable(Table):
    """The finished games of a duplicate match.

    Of a deal with n players, game k < n has A alone on seat k and game n + k has B alone there.

    Args:
        game: the rules, by which records are played again.
        players: number of players of each deal, ``i64[deals]``.

    Attributes:
        players: as given.
        stages: i32[games], rounds of the game; 0 while unfinished.
        points: f64[games, 2], mean points a round of A's and of B's seats.
        made: f64[games, 2], share of rounds won by A's and by B's seats (Blob: bids made).
        ranks: f64[games], rank of the player who sits alone, by points: 1 is the best, seats with
            equal points share the mean of their ranks.
    """

    def __init__(self, game: _core.Game, players: npt.NDArray[np.int64]) -> None:
        super().__init__(deal_firsts(players))
        self._game = game
        self.players = players
        self.stages = np.zeros(self.games, np.int32)
        self.points = np.zeros((self.games, 2))
        self.made = np.zeros((self.games, 2))
        self.ranks = np.zeros(self.games)

    @property
    def done(self) -> npt.NDArray[np.bool_]:
        """Which games are finished, bool[games]."""
        return self.stages > 0

    def own(self) -> dict[str, npt.NDArray[Any]]:
        """Rounds, points, rounds won and ranks."""
        return {
            "stages": self.stages,
            "points": self.points,
            "made": self.made,
            "ranks": self.ranks,
        }

    def enter(self, ids: npt.NDArray[np.int64], columns: Columns) -> None:
        """Points and rounds won by player, and the rank of the lone one."""
        deals = np.searchsorted(self.firsts, ids, side="right") - 1
        players = self.players[deals]
        lone_seat = (ids - self.firsts[deals]) % players
        scores = columns["scores"].astype(np.float64)
        seats = np.arange(scores.shape[1])
        playing = seats < players[:, None]
        stages, won = stages_of(self._game, columns)
        for who in (0, 1):
            held = playing & (columns["seat_players"] == who)
            rounds = held.sum(axis=1) * stages
            self.points[ids, who] = (scores * held).sum(axis=1) / rounds
            self.made[ids, who] = (won * held).sum(axis=1) / rounds
        lone = scores[np.arange(len(ids)), lone_seat][:, None]
        above = (playing & (scores > lone)).sum(axis=1)
        level = (playing & (scores == lone)).sum(axis=1) - 1
        self.ranks[ids] = 1.0 + above + 0.5 * level
        self.stages[ids] = stages

    def deal_means(self, games: Floats, deals: int) -> Floats:
        """Means of a column ``f64[games]`` over the games of each of the first deals."""
        last = int(self.firsts[deals])
        sums = np.add.reduceat(games[:last], self.firsts[:deals])
        return np.asarray(sums / (2 * self.players[:deals]), dtype=np.float64)

    def differences(self, deals: int) -> Floats:
        """The figure of each of the first deals, ``f64[deals]``.

        Differences under a millionth of a point are rounding and count as none.
        """
        found = self.deal_means(self.points[:, 0] - self.points[:, 1], deals)
        return np.where(np.abs(found) < 1e-6, 0.0, found)

    def lone_ranks(self, deals: int) -> Floats:
        """Mean rank of A alone and of B alone in each of the first deals, ``f64[deals, 2]``."""
        out = np.zeros((deals, 2))
        for deal in range(deals):
            first, n = int(self.firsts[deal]), int(self.players[deal])
            out[deal] = self.ranks[first : first + 2 * n].reshape(2, n).mean(axis=1)
        return out


@dataclass(frozen=True)
class DealFigures:
    """Means over deals, of a match or of its deals with one number of players.

    Attributes:
        deals: how many.
        difference, difference_se: mean of the deals' figures and its standard error.
        scores: mean points a round of A and of B.
        made: share of rounds won by A and by B (Blob: bids made).
        ranks: mean rank of A alone among B's, and of B alone among A's; 1 is the best.
        rank_expected: what equal players would have, the mean of (n + 1) / 2.
    """

    deals: int
    difference: float
    difference_se: float
    scores: tuple[float, float]
    made: tuple[float, float]
    ranks: tuple[float, float]
    rank_expected: float

    def as_json(self) -> dict[str, Any]:
        """Fields for a report."""
        return {
            "deals": self.deals,
            "mean_score_difference": self.difference,
            "score_difference_se": stats.finite(self.difference_se),
            "mean_scores": list(self.scores),
            "made": list(self.made),
            "rank": list(self.ranks),
            "rank_expected": self.rank_expected,
        }


@dataclass(frozen=True, kw_only=True)
class DuplicateResult(Result):
    """A duplicate match as seen from player A, over its first ``deals`` deals.

    Wins, losses and draws are of deals, by the sign of their figures, and the win rate is the share
    of deals won. Points and their difference are those of a round.

    Attributes:
        deals: how many were counted.
        distinct_deals: those that went different ways. Games of one deal may well coincide: it is
            dealt often so that its luck cancels.
        rounds: played in all games.
        low, high: interval of the mean difference, 95 %, normal over deals.
        bound: lower end of its one-sided 95 % interval.
        whole: the means of the match.
        by_players: those by number of players.
        deal_players: number of players of each deal.
        deal_differences: figure of each deal.
    """

    deals: int
    distinct_deals: int
    rounds: int
    low: float
    high: float
    bound: float
    whole: DealFigures
    by_players: dict[int, DealFigures]
    deal_players: tuple[int, ...]
    deal_differences: tuple[float, ...]

    @property
    def warnings(self) -> list[str]:
        """Sentences that belong to these figures."""
        warning = distinct_warning(self.distinct_deals, self.deals, "deals")
        return [] if warning is None else [warning]

    @classmethod
    def of(
        cls, table: DealTable, deals: int, *, players: tuple[str, str], seeds: tuple[str, str]
    ) -> DuplicateResult:
        """Compute the figures of the first ``deals`` deals of a table.

        Raises:
            ValueError: no deal, or one that is not finished.
        """
        if not 1 <= deals <= table.prefix:
            raise ValueError(f"{deals} deals are asked for where {table.prefix} are finished")
        games = int(table.firsts[deals])
        differences = table.differences(deals)
        columns = [differences]
        columns += [table.deal_means(table.points[:, who], deals) for who in (0, 1)]
        columns += [table.deal_means(table.made[:, who], deals) for who in (0, 1)]
        by_deal = np.column_stack([*columns, table.lone_ranks(deals)])
        numbers = table.players[:deals]
        whole = _figures(by_deal, numbers)
        low, high, bound = normal_interval(whole.difference, whole.difference_se)
        return cls(
            player_a=players[0],
            player_b=players[1],
            games=games,
            wins=int((differences > 0).sum()),
            losses=int((differences < 0).sum()),
            draws=int((differences == 0).sum()),
            rate=stats.pair_rate(0.5 + 0.5 * np.sign(differences), games=1),
            score_difference=whole.difference,
            score_difference_se=whole.difference_se,
            mean_scores=whole.scores,
            distinct_games=len(np.unique(table.digests[:games])),
            figures={name: float(values[:games].sum()) for name, values in table.figures.items()},
            seeds_id=seeds[0],
            seeds_hash=seeds[1],
            deals=deals,
            distinct_deals=len(np.unique(table.digests[table.firsts[:deals]])),
            rounds=int(table.stages[:games].sum()),
            low=low,
            high=high,
            bound=bound,
            whole=whole,
            by_players={
                int(n): _figures(by_deal[numbers == n], numbers[numbers == n])
                for n in np.unique(numbers)
            },
            deal_players=tuple(numbers.tolist()),
            deal_differences=tuple(differences.tolist()),
        )

    def details(self) -> dict[str, Any]:
        """Deals, the interval of the difference, bids and ranks, also by number of players."""
        return {
            **self.whole.as_json(),
            "rounds": self.rounds,
            "score_difference_low": stats.finite(self.low),
            "score_difference_high": stats.finite(self.high),
            "score_difference_bound": stats.finite(self.bound),
            "by_players": {str(n): found.as_json() for n, found in self.by_players.items()},
            "unit": "deal",
            "interval": "normal over deals, 95 %",
        }

    def per_unit(self) -> list[dict[str, Any]]:
        """Players, figure and score of each deal."""
        return [
            {
                "players": players,
                "score": 0.5 + 0.5 * float(np.sign(difference)),
                "score_difference": difference,
            }
            for players, difference in zip(self.deal_players, self.deal_differences, strict=True)
        ]


def normal_interval(mean: float, error: float) -> tuple[float, float, float]:
    """Low and high end of the two-sided interval, and the one-sided lower bound."""
    wide = stats.normal_quantile(CONFIDENCE, sided=2) * error
    return mean - wide, mean + wide, mean - stats.normal_quantile(CONFIDENCE, sided=1) * error


def _figures(by_deal: Floats, players: npt.NDArray[np.int64]) -> DealFigures:
    """Means of columns difference, points, made and rank, the last three of A and of B."""
    difference, error = stats.mean_and_error(by_deal[:, 0])
    mean = by_deal.mean(axis=0).tolist()
    return DealFigures(
        deals=len(by_deal),
        difference=difference,
        difference_se=error,
        scores=(mean[1], mean[2]),
        made=(mean[3], mean[4]),
        ranks=(mean[5], mean[6]),
        rank_expected=float((players + 1).mean() / 2.0),
    )
