"""What a match leaves: figures; of two seats also the table of games that they are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.arena import stats
from ludus.arena.finished import Columns, Table, distinct_warning


@dataclass(frozen=True, kw_only=True)
class Result(ABC):
    """A match as seen from player A, over its first units.

    Attributes:
        player_a, player_b: names of the players.
        games: how many were counted.
        wins, losses, draws: of A.
        rate: A's win rate over units, draws half.
        score_difference: mean of A's points less B's.
        score_difference_se: its standard error over units.
        mean_scores: mean points of A and B.
        distinct_games: games that went different ways.
        figures: sums over the games of the match's further figures.
        seeds_id, seeds_hash: the seeds, all that the match was given, in order.
    """

    player_a: str
    player_b: str
    games: int
    wins: int
    losses: int
    draws: int
    rate: stats.Rate
    score_difference: float
    score_difference_se: float
    mean_scores: tuple[float, float]
    distinct_games: int
    figures: Mapping[str, float]
    seeds_id: str
    seeds_hash: str

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """What this kind of match adds to the report; ``unit`` is in it."""

    @abstractmethod
    def per_unit(self) -> list[dict[str, Any]]:
        """The result of each unit, in order."""

    @property
    def warnings(self) -> list[str]:
        """Sentences that belong to these figures."""
        warning = distinct_warning(self.distinct_games, self.games)
        return [] if warning is None else [warning]

    def as_json(self, *, per_unit: bool = False) -> dict[str, Any]:
        """The report of a match; with ``per_unit`` also the result of each unit, in order."""
        rate = self.rate.as_json()
        report: dict[str, Any] = {
            "player_a": self.player_a,
            "player_b": self.player_b,
            "games": self.games,
            "wins": self.wins,
            "losses": self.losses,
            "draws": self.draws,
            "win_rate": rate["rate"],
            "win_rate_se": rate["error"],
            "win_rate_low": rate["low"],
            "win_rate_high": rate["high"],
            "win_rate_bound": rate["bound"],
            "mean_score_difference": self.score_difference,
            "score_difference_se": stats.finite(self.score_difference_se),
            "mean_scores": list(self.mean_scores),
            "distinct_games": self.distinct_games,
            **self.details(),
            "seeds_id": self.seeds_id,
            "seeds_hash": self.seeds_hash,
            "warnings": self.warnings,
        }
        if per_unit:
            report["per_seed"] = self.per_unit()
        return report


class GameTable(Table):
    """The finished games of a match of seed pairs.

    Game ``2 i`` has A in seat 0 and game ``2 i + 1`` has B there; both together are pair ``i``.

    Args:
        pairs: number of pairs.

    Attributes:
        points: i8[games], twice A's score: 0, 1 or 2; -1 while unfinished.
        scores: f32[games, 2], points on the cards of A and B.
    """

    def __init__(self, pairs: int) -> None:
        super().__init__(np.arange(pairs + 1, dtype=np.int64) * 2)
        self.points = np.full(2 * pairs, -1, np.int8)
        self.scores = np.zeros((2 * pairs, 2), np.float32)

    @property
    def done(self) -> npt.NDArray[np.bool_]:
        """Which games are finished, bool[games]."""
        return self.points >= 0

    def own(self) -> dict[str, npt.NDArray[Any]]:
        """Points and scores."""
        return {"points": self.points, "scores": self.scores}

    def enter(self, ids: npt.NDArray[np.int64], columns: Columns) -> None:
        """Who won, and the scores."""
        # Seat of A: where seat_players is 0.
        seat = np.argmin(columns["seat_players"], axis=1)
        rows = np.arange(len(ids))
        self.points[ids] = np.rint(columns["returns"][rows, seat] + 1.0).astype(np.int8)
        self.scores[ids, 0] = columns["scores"][rows, seat]
        self.scores[ids, 1] = columns["scores"][rows, 1 - seat]

    def pair_scores(self, pairs: int) -> npt.NDArray[np.float64]:
        """A's mean score in each of the first ``pairs`` pairs."""
        points = self.points[: 2 * pairs].reshape(-1, 2)
        return np.asarray(points.sum(axis=1) / 4.0, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class MatchResult(Result):
    """A match of two seats as seen from player A, over its first ``pairs`` pairs.

    Points and their difference are those of a game.

    Attributes:
        pairs: how many were counted; two games a pair.
        seat_rates: A's win rate in seat 0 and in seat 1.
        pair_scores: A's score in each pair, 0..1 in quarters.
        pair_differences: mean score difference in each pair.
        paired: whether the games of a pair share their seed.
    """

    pairs: int
    seat_rates: tuple[float, float]
    pair_scores: tuple[float, ...]
    pair_differences: tuple[float, ...]
    paired: bool

    @classmethod
    def of(
        cls,
        table: GameTable,
        pairs: int,
        *,
        players: tuple[str, str],
        seeds: tuple[str, str],
        paired: bool,
    ) -> MatchResult:
        """Compute the figures of the first ``pairs`` pairs of a table.

        Raises:
            ValueError: no pair, or one that is not finished.
        """
        if not 1 <= pairs <= table.prefix:
            raise ValueError(f"{pairs} pairs are asked for where {table.prefix} are finished")
        points = table.points[: 2 * pairs]
        scores = table.scores[: 2 * pairs].astype(np.float64)
        differences = (scores[:, 0] - scores[:, 1]).reshape(-1, 2).mean(axis=1)
        mean, error = stats.mean_and_error(differences)
        pair_scores = table.pair_scores(pairs)
        return cls(
            player_a=players[0],
            player_b=players[1],
            pairs=pairs,
            games=2 * pairs,
            wins=int((points == 2).sum()),
            losses=int((points == 0).sum()),
            draws=int((points == 1).sum()),
            rate=stats.pair_rate(pair_scores),
            score_difference=mean,
            score_difference_se=error,
            mean_scores=(float(scores[:, 0].mean()), float(scores[:, 1].mean())),
            seat_rates=(float(points[0::2].mean() / 2.0), float(points[1::2].mean() / 2.0)),
            distinct_games=len(np.unique(table.digests[: 2 * pairs])),
            pair_scores=tuple(pair_scores.tolist()),
            pair_differences=tuple(differences.tolist()),
            figures={
                name: float(values[: 2 * pairs].sum()) for name, values in table.figures.items()
            },
            seeds_id=seeds[0],
            seeds_hash=seeds[1],
            paired=paired,
        )

    def details(self) -> dict[str, Any]:
        """Pairs, seats, the five outcomes of a pair and what a pair is."""
        return {
            "pairs": self.pairs,
            "win_rate_by_seat": list(self.seat_rates),
            "pentanomial": list(stats.pentanomial(self.pair_scores)),
            "unit": "seed pair" if self.paired else "two games of different seeds",
        }

    def per_unit(self) -> list[dict[str, Any]]:
        """Score and score difference of each pair."""
        return [
            {"score": score, "score_difference": difference}
            for score, difference in zip(self.pair_scores, self.pair_differences, strict=True)
        ]
