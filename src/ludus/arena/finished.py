"""The finished games of a match: a table by game id, and what says how far it is complete."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.errors import CorruptError

Columns = Mapping[str, npt.NDArray[Any]]
"""Game records in columns, as of ``ludus._core.Slots.finished``."""

GameFigures = Callable[[Columns], Mapping[str, npt.NDArray[np.float64]]]
"""Figures of each game, f64[n] by name: additive counts that a match sums over its games. The set
of names is always the same. Player 0 of the records is the one that the figures are about."""


DISTINCT_LEAST = 0.9
"""A match with a smaller share of distinct games gets a warning."""


def distinct_warning(distinct: int, games: int, unit: str = "games") -> str | None:
    """The sentence for a match that repeats its games; None where it does not.

    Players that choose alike every time play the same game on the same seed again, and a copy of a
    game tells nothing new, though it is counted.
    """
    if games < 2 or distinct >= DISTINCT_LEAST * games:
        return None
    return (
        f"only {distinct} of {games} {unit} are distinct ({distinct / games:.0%}): these players "
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


class Table(ABC):
    """The finished games of a match between players A (0) and B (1), by game id.

    Games that share a seed are a *unit* and have consecutive ids. What a subclass keeps of a game
    is in columns of its own, which :meth:`own` names.

    Args:
        firsts: the first game of each unit and, at the end, the number of games, ``i64[units + 1]``

    Attributes:
        firsts: as given.
        digests: u64[games], as of :func:`game_digests`.
        figures: further figures by name, f64[games].
    """

    def __init__(self, firsts: npt.NDArray[np.int64]) -> None:
        self.firsts = firsts
        self.digests = np.zeros(self.games, np.uint64)
        self.figures: dict[str, npt.NDArray[np.float64]] = {}

    @property
    @abstractmethod
    def done(self) -> npt.NDArray[np.bool_]:
        """Which games are finished, bool[games]."""

    @abstractmethod
    def own(self) -> dict[str, npt.NDArray[Any]]:
        """The subclass's columns, each with one row a game."""

    @abstractmethod
    def enter(self, ids: npt.NDArray[np.int64], columns: Columns) -> None:
        """Fill the subclass's columns for finished games, whose player 0 is A."""

    @property
    def games(self) -> int:
        """Number of games, finished or not."""
        return int(self.firsts[-1])

    @property
    def finished(self) -> int:
        """Number of finished games."""
        return int(self.done.sum())

    @property
    def prefix(self) -> int:
        """Number of finished units before the first unfinished one.

        Only these count for decisions: which units finish first depends on speed, but the prefix
        at its end does not.
        """
        done = np.logical_and.reduceat(self.done, self.firsts[:-1])
        return int(done.size if done.all() else done.argmin())

    def absorb(self, columns: Columns, figures: GameFigures | None) -> None:
        """Enter finished games."""
        ids = columns["game_id"]
        if len(ids) == 0:
            return
        self.enter(ids, columns)
        self.digests[ids] = game_digests(columns)
        if figures is not None:
            for name, values in figures(columns).items():
                if name not in self.figures:
                    self.figures[name] = np.zeros(self.games)
                self.figures[name][ids] = values

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The table as arrays for a state object."""
        return {
            **self.own(),
            "digests": self.digests,
            **{f"figure.{name}": values for name, values in self.figures.items()},
        }

    def load(self, arrays: Columns) -> None:
        """The inverse of :meth:`arrays`, for a match of the same units.

        Raises:
            CorruptError: a column is missing or has another shape.
        """
        mine = {**self.own(), "digests": self.digests}
        self.figures = {
            name.removeprefix("figure."): np.array(values, dtype=np.float64)
            for name, values in arrays.items()
            if name.startswith("figure.")
        }
        if missing := next((name for name in mine if name not in arrays), None):
            raise CorruptError(f"the state of a match lacks the column {missing!r}")
        fits = all(arrays[name].shape == column.shape for name, column in mine.items())
        if not fits or any(values.shape != (self.games,) for values in self.figures.values()):
            raise CorruptError(f"the state of a match does not have {self.games} games")
        for name, column in mine.items():
            column[:] = arrays[name]
