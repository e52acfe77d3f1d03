"""Sums over blocks of consecutive games, whatever the order in which the games end.

Games end in an order that depends on lanes and interruptions. A block is complete when all of its
games have ended, so what is said of it is the same whenever that happens. All sums are of whole
numbers in double precision: exact, in any order, up to 2**53.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.replay import GameRecords

SCALE = 1024.0
"""Scores and values are summed in units of 1/1024."""

F64 = npt.NDArray[np.float64]


def _fixed(values: F64) -> F64:
    return np.rint(values * SCALE)


@dataclass
class Table:
    """Figures of games that have ended, one row a game.

    Attributes:
        ids: games, ascending.
        seats: of the game.
        sums: columns by name.
        low, high: least and largest root value; infinite where nothing was searched.
    """

    ids: npt.NDArray[np.int64]
    seats: int
    sums: dict[str, F64]
    low: F64
    high: F64

    @classmethod
    def of_results(
        cls,
        first: int,
        differences: npt.NDArray[Any],
        plies: npt.NDArray[Any],
        *,
        points: float,
    ) -> Table:
        """Of games for two of which only the outcome is known.

        Args:
            first: id of the first game; the others follow.
            differences: by how many points seat 0 was ahead.
            plies: lengths.
            points: of both seats together, at the end of every game.
        """
        games = len(differences)
        apart = differences.astype(np.float64)
        nothing = np.zeros(games)
        return cls(
            ids=np.arange(first, first + games, dtype=np.int64),
            seats=2,
            sums={
                "games": np.ones(games),
                "draws": (apart == 0).astype(np.float64),
                "plies": plies.astype(np.float64),
                "score": np.full(games, points / 2 * SCALE),
                "difference": _fixed(apart),
                "difference_squares": _fixed(apart * apart),
                "searched": nothing,
                "simulations": nothing,
                "value": nothing,
                "value_squares": nothing,
                "wins_0": (apart > 0).astype(np.float64),
                "wins_1": (apart < 0).astype(np.float64),
            },
            low=np.full(games, np.inf),
            high=np.full(games, -np.inf),
        )

    @classmethod
    def of(cls, records: GameRecords) -> Table:
        """From whole records, in one pass over their plies."""
        columns = records.columns
        games, seats = len(records), records.seats
        returns = columns["returns"].astype(np.float64)
        scores = columns["scores"].astype(np.float64)
        sits = records.seats_in_play
        best = sits & (returns == np.where(sits, returns, -np.inf).max(axis=1, keepdims=True))
        alone = best & (best.sum(axis=1, keepdims=True) == 1)
        playing = sits.sum(axis=1)
        points = scores.sum(axis=1)
        others = (points - scores[:, 0]) / np.maximum(1, playing - 1)
        difference = scores[:, 0] - others if seats > 1 else np.zeros(games)
        plies = columns["plies"].astype(np.int64)
        starts = np.cumsum(plies) - plies
        searched = (columns["edges"] > 0).astype(np.float64)
        value = columns["root_value"].astype(np.float64)
        fixed = _fixed(value) * searched
        add = np.add.reduceat
        sums: dict[str, F64] = {
            "games": np.ones(games),
            "draws": (~alone.any(axis=1)).astype(np.float64),
            "plies": plies.astype(np.float64),
            "score": _fixed(points / playing),
            "difference": _fixed(difference),
            "difference_squares": _fixed(difference * difference),
            "searched": add(searched, starts),
            "simulations": add(columns["simulations"].astype(np.float64), starts),
            "value": add(fixed, starts),
            "value_squares": add(fixed * fixed, starts),
            **{f"wins_{seat}": alone[:, seat].astype(np.float64) for seat in range(seats)},
        }
        low = np.where(searched > 0, value, np.inf)
        high = np.where(searched > 0, value, -np.inf)
        return cls(
            ids=records.game_ids,
            seats=seats,
            sums=sums,
            low=np.minimum.reduceat(low, starts),
            high=np.maximum.reduceat(high, starts),
        )


@dataclass
class Sums:
    """What a number of games adds up to.

    Attributes:
        first: id of the first game.
        end: id after the last one.
        of: sums by name, in the units of :class:`Table`.
        low, high: least and largest root value; None without a searched ply.
    """

    first: int
    end: int
    of: dict[str, float]
    low: float | None = None
    high: float | None = None

    def __getitem__(self, name: str) -> float:
        return self.of.get(name, 0.0)

    def mean(self, name: str, count: str = "games", scale: float = 1.0) -> float | None:
        """A mean; None when there was nothing to count."""
        return self[name] / self[count] / scale if self[count] else None

    def std(self, name: str, squares: str, count: str, scale: float) -> float | None:
        """Standard deviation of the population; None when there was nothing to count."""
        mean = self.mean(name, count)
        if mean is None:
            return None
        return float(max(0.0, self[squares] / self[count] / scale - (mean / SCALE) ** 2) ** 0.5)

    def merge(self, other: Sums) -> Sums:
        """Both together."""
        names = {*self.of, *other.of}
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Sums(
            min(self.first, other.first),
            max(self.end, other.end),
            {name: self[name] + other[name] for name in sorted(names)},
            min(lows, default=None),
            max(highs, default=None),
        )

    def as_json(self) -> dict[str, Any]:
        """For a commit."""
        return {
            "first": self.first,
            "end": self.end,
            "of": self.of,
            "low": self.low,
            "high": self.high,
        }


class Blocks:
    """Blocks of ``every`` games that are complete or being filled."""

    def __init__(self, every: int, first: int = 0) -> None:
        """Begin at a game.

        Args:
            every: games of a block.
            first: id of the first game of the first block.
        """
        self.every = every
        self._next = first
        self._open: dict[int, Sums] = {}
        self._closed: list[Sums] = []

    def begin(self, every: int, first: int) -> None:
        """An iteration begins: blocks of another size from here on, if asked for.

        The block that is open then ends here, with fewer games.

        Args:
            every: games of a block.
            first: id of the first game of the iteration; all before it have ended.
        """
        if every == self.every:
            return
        for sums in self._open.values():
            sums.end = first
            self._closed.append(sums)
        self._open.clear()
        self.every, self._next = every, first

    def _begin_of(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return self._next + (ids - self._next) // self.every * self.every

    def add(self, table: Table) -> None:
        """Count games that have ended."""
        begins = self._begin_of(table.ids)
        for begin in np.unique(begins).tolist():
            mine = begins == begin
            low, high = float(table.low[mine].min()), float(table.high[mine].max())
            sums = Sums(
                begin,
                begin + self.every,
                {name: float(column[mine].sum()) for name, column in table.sums.items()},
                low if np.isfinite(low) else None,
                high if np.isfinite(high) else None,
            )
            before = self._open.get(begin)
            self._open[begin] = sums if before is None else before.merge(sums)

    def take(self, played: int) -> list[Sums]:
        """Blocks that are complete, in order; they are handed out once.

        Args:
            played: id below which every game has ended or will never be: games that their own
                rules ended count nowhere.
        """
        found, self._closed = self._closed, []
        while True:
            end = self._next + self.every
            sums = self._open.get(self._next)
            if end > played and (sums is None or sums["games"] < self.every):
                return found
            if sums is not None:
                found.append(self._open.pop(self._next))
            self._next = end

    def as_json(self) -> dict[str, Any]:
        """For a commit."""
        return {
            "every": self.every,
            "next": self._next,
            "open": [sums.as_json() for sums in self._open.values()],
            "closed": [sums.as_json() for sums in self._closed],
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Blocks:
        """Back from :meth:`as_json`."""
        blocks = cls(int(saved["every"]), int(saved["next"]))
        for one in saved["open"]:
            blocks._open[int(one["first"])] = Sums(**one)
        blocks._closed = [Sums(**one) for one in saved["closed"]]
        return blocks
