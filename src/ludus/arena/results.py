"""What a match leaves: a table of finished games, and the figures made of its first pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.arena import stats
from ludus.errors import CorruptError

Columns = Mapping[str, npt.NDArray[Any]]
"""Game records in columns, as of ``ludus._core.Slots.finished``."""

GameFigures = Callable[[Columns], Mapping[str, npt.NDArray[np.float64]]]
"""Figures of each game, f64[n] by name: additive counts that a match sums over its games. The set
of names is always the same. Player 0 of the records is the one that the figures are about."""


DISTINCT_LEAST = 0.9
"""A match with a smaller share of distinct games gets a warning."""


def distinct_warning(distinct: int, games: int) -> str | None:
    """The sentence for a match that repeats its games; None where it does not.

    Players that choose alike every time play the same game on the same seed again, and a copy of a
    game tells nothing new, though it is counted.
    """
    if games < 2 or distinct >= DISTINCT_LEAST * games:
        return None
    return (
        f"only {distinct} of {games} games are distinct ({distinct / games:.0%}): these players "
        "repeat themselves on these seeds, so the errors and intervals may promise more than was "
        "measured"
    )


def game_digests(columns: Columns) -> npt.NDArray[np.uint64]:
    """A digest of each game over its actions and chance outcomes, ``u64[n]``.

    Two games with the same digest went the same way, whatever their seeds and players.
    """
    ends = np.cumsum(columns["plies"], dtype=np.int64)
    actions = np.ascontiguousarray(columns["action"], dtype="<u2")
    outcomes = np.asarray(columns["outcome"])
    out = np.zeros(len(ends), dtype=np.uint64)
    start = 0
    for i, end in enumerate(ends.tolist()):
        digest = hashlib.blake2b(actions[start:end].tobytes(), digest_size=8)
        mine = outcomes[start:end]
        # 16 bits where they will do: digests of stored matches are of that width.
        narrow = bool((mine < 2**15).all())
        digest.update(mine.astype("<i2" if narrow else "<i4").tobytes())
        digest.update(int(columns["opening"][i]).to_bytes(4, "little", signed=True))
        out[i] = int.from_bytes(digest.digest(), "little")
        start = end
    return out


@dataclass
class GameTable:
    """The finished games of a match between players A (0) and B (1), by game id.

    Game ``2 i`` has A in seat 0 and game ``2 i + 1`` has B there; both together are pair ``i``.

    Attributes:
        points: i8[games], twice A's score: 0, 1 or 2; -1 while unfinished.
        scores: f32[games, 2], points on the cards of A and B.
        digests: u64[games], as of :func:`game_digests`.
        figures: further figures by name, f64[games].
    """

    points: npt.NDArray[np.int8]
    scores: npt.NDArray[np.float32]
    digests: npt.NDArray[np.uint64]
    figures: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def empty(cls, games: int) -> GameTable:
        """A table in which no game is finished."""
        return cls(
            np.full(games, -1, np.int8),
            np.zeros((games, 2), np.float32),
            np.zeros(games, np.uint64),
        )

    @property
    def finished(self) -> int:
        """Number of finished games."""
        return int((self.points >= 0).sum())

    @property
    def prefix(self) -> int:
        """Number of finished pairs before the first unfinished one.

        Only these count for decisions: which pairs finish first depends on speed, but the prefix
        at its end does not.
        """
        done = (self.points >= 0).reshape(-1, 2).all(axis=1)
        return int(done.size if done.all() else done.argmin())

    def pair_scores(self, pairs: int) -> npt.NDArray[np.float64]:
        """A's mean score in each of the first ``pairs`` pairs."""
        points = self.points[: 2 * pairs].reshape(-1, 2)
        return np.asarray(points.sum(axis=1) / 4.0, dtype=np.float64)

    def absorb(self, columns: Columns, figures: GameFigures | None) -> None:
        """Enter finished games, whose player 0 is A."""
        ids = columns["game_id"]
        if len(ids) == 0:
            return
        # Seat of A: where seat_players is 0.
        seat = np.argmin(columns["seat_players"], axis=1)
        rows = np.arange(len(ids))
        self.points[ids] = np.rint(columns["returns"][rows, seat] + 1.0).astype(np.int8)
        self.scores[ids, 0] = columns["scores"][rows, seat]
        self.scores[ids, 1] = columns["scores"][rows, 1 - seat]
        self.digests[ids] = game_digests(columns)
        if figures is not None:
            for name, values in figures(columns).items():
                if name not in self.figures:
                    self.figures[name] = np.zeros(len(self.points))
                self.figures[name][ids] = values

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The table as arrays for a state object."""
        return {
            "points": self.points,
            "scores": self.scores,
            "digests": self.digests,
            **{f"figure.{name}": values for name, values in self.figures.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Columns, games: int) -> GameTable:
        """The inverse of :meth:`arrays`.

        Raises:
            CorruptError: a column is missing or has another length.
        """
        try:
            table = cls(
                np.array(arrays["points"], dtype=np.int8),
                np.array(arrays["scores"], dtype=np.float32),
                np.array(arrays["digests"], dtype=np.uint64),
                {
                    name.removeprefix("figure."): np.array(values, dtype=np.float64)
                    for name, values in arrays.items()
                    if name.startswith("figure.")
                },
            )
        except KeyError as error:
            raise CorruptError(f"the state of a match lacks the column {error}") from error
        lengths = {len(table.points), len(table.scores), len(table.digests)}
        if lengths | {len(values) for values in table.figures.values()} != {games}:
            raise CorruptError(f"the state of a match does not have {games} games")
        return table


@dataclass(frozen=True)
class MatchResult:
    """A match as seen from player A, over its first ``pairs`` pairs.

    Attributes:
        player_a, player_b: names of the players.
        pairs, games: how many were counted; two games a pair.
        wins, losses, draws: of A.
        rate: A's win rate over pairs, draws half.
        score_difference: mean of A's points less B's, a game.
        score_difference_se: its standard error, pairs as units.
        mean_scores: mean points of A and B.
        seat_rates: A's win rate in seat 0 and in seat 1.
        distinct_games: games that went different ways.
        pair_scores: A's score in each pair, 0..1 in quarters.
        pair_differences: mean score difference in each pair.
        figures: sums over the games of the match's further figures.
        seeds_id, seeds_hash: the seeds, all that the match was given, in order.
        paired: whether the games of a pair share their seed.
    """

    player_a: str
    player_b: str
    pairs: int
    games: int
    wins: int
    losses: int
    draws: int
    rate: stats.Rate
    score_difference: float
    score_difference_se: float
    mean_scores: tuple[float, float]
    seat_rates: tuple[float, float]
    distinct_games: int
    pair_scores: tuple[float, ...]
    pair_differences: tuple[float, ...]
    figures: Mapping[str, float]
    seeds_id: str
    seeds_hash: str
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
            *players,
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

    @property
    def warnings(self) -> list[str]:
        """Sentences that belong to these figures."""
        warning = distinct_warning(self.distinct_games, self.games)
        return [] if warning is None else [warning]

    def as_json(self, *, per_pair: bool = False) -> dict[str, Any]:
        """The report of a match; with ``per_pair`` also the result of each pair, in order."""
        rate = self.rate.as_json()
        report: dict[str, Any] = {
            "player_a": self.player_a,
            "player_b": self.player_b,
            "pairs": self.pairs,
            "games": self.games,
            "wins": self.wins,
            "losses": self.losses,
            "draws": self.draws,
            "win_rate": rate["rate"],
            "win_rate_se": rate["error"],
            "win_rate_low": rate["low"],
            "win_rate_high": rate["high"],
            "win_rate_bound": rate["bound"],
            "win_rate_by_seat": list(self.seat_rates),
            "mean_score_difference": self.score_difference,
            "score_difference_se": _finite(self.score_difference_se),
            "mean_scores": list(self.mean_scores),
            "distinct_games": self.distinct_games,
            "pentanomial": list(stats.pentanomial(self.pair_scores)),
            "unit": "seed pair" if self.paired else "two games of different seeds",
            "seeds_id": self.seeds_id,
            "seeds_hash": self.seeds_hash,
            "warnings": self.warnings,
        }
        if per_pair:
            report["per_seed"] = [
                {"score": score, "score_difference": difference}
                for score, difference in zip(self.pair_scores, self.pair_differences, strict=True)
            ]
        return report


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
