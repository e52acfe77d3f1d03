"""Who met whom, with what score: the table that ratings are made of.

The unit is what shares luck: a seed pair (two games) where games were paired, else a single game.
Sheets that were played on the same seeds share luck across pairings too, and say so by a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ludus.arena.stats import PAIR_SCORES

Floats = npt.NDArray[np.float64]

_QUARTERS = "01234"


def quarters_text(scores: npt.ArrayLike) -> str:
    """Scores of pairs as one character each: ``0`` for 0, ``1`` for 1/4, up to ``4`` for 1."""
    quarters = np.rint(np.asarray(scores, dtype=np.float64) * 4.0).astype(int)
    return "".join(_QUARTERS[q] for q in quarters.tolist())


def quarters_scores(text: str) -> Floats:
    """The inverse of :func:`quarters_text`, f64[pairs].

    Raises:
        ValueError: a character that stands for no score.
    """
    if not set(text) <= set(_QUARTERS):
        raise ValueError("scores of pairs are written with the characters 0 to 4")
    return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.float64) / 4.0 - 12.0


@dataclass(frozen=True)
class Sheet:
    """Results of one kind in one pairing, from the view of its first player.

    Attributes:
        unit_games: games of a unit: 2 for seed pairs, 1 for single games.
        scores: mean score of a unit, f64[k] in 0..1.
        counts: how often it occurred, i64[k].
        seeds: key of the seeds, one unit a seed in order, if other sheets may share them.
    """

    unit_games: int
    scores: Floats
    counts: npt.NDArray[np.int64]
    seeds: str | None = None

    @property
    def games(self) -> int:
        """All games of the sheet."""
        return self.unit_games * int(self.counts.sum())

    @property
    def points(self) -> float:
        """Points of the first player, draws half."""
        return float(self.unit_games * (self.scores @ self.counts))

    def squares(self, rate: float) -> float:
        """Sum over units of the squared difference of points from ``rate`` a game."""
        away = self.unit_games * (self.scores - rate)
        return float((away * away) @ self.counts)


@dataclass
class Pairing:
    """Two players and all that they played.

    Attributes:
        a, b: indices of the players, a < b.
        sheets: results from a's view.
    """

    a: int
    b: int
    sheets: list[Sheet] = field(default_factory=list)

    @property
    def games(self) -> int:
        """Games played."""
        return sum(sheet.games for sheet in self.sheets)

    @property
    def units(self) -> int:
        """Units of variance: pairs, or single games."""
        return sum(int(sheet.counts.sum()) for sheet in self.sheets)

    @property
    def points(self) -> float:
        """Points of a, draws half."""
        return sum(sheet.points for sheet in self.sheets)


class ResultTable:
    """Results of games between any number of players.

    Args:
        names: players in the order wanted; others join when they are first seen.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names: dict[str, int] = {}
        self._pairings: dict[tuple[int, int], Pairing] = {}
        for name in names:
            self._index(name)

    @property
    def names(self) -> list[str]:
        """All players, by index."""
        return list(self._names)

    @property
    def pairings(self) -> list[Pairing]:
        """Pairings with at least one game, in the order of their first."""
        return [pairing for pairing in self._pairings.values() if pairing.games]

    def __iter__(self) -> Iterator[Pairing]:
        return iter(self.pairings)

    def index(self, name: str) -> int:
        """Index of a player.

        Raises:
            KeyError: it is not in the table.
        """
        return self._names[name]

    def pairing(self, a: str, b: str) -> Pairing | None:
        """What two players played, from the view of the one with the lower index."""
        pair = sorted((self._names.get(a, -1), self._names.get(b, -1)))
        return self._pairings.get((pair[0], pair[1]))

    def add_pairs(self, a: str, b: str, scores: npt.ArrayLike, *, seeds: str | None = None) -> None:
        """Enter seed pairs one by one.

        Args:
            a: the first player.
            b: its opponent.
            scores: a's mean score in each pair, in 0..1.
            seeds: key of the seeds (their hash): pair number i of all sheets with that key shares
                its luck, and the errors of ratings take that into account. None: shared by none.

        Raises:
            ValueError: a score out of range, a player against itself, or the same seeds a second
                time in the same pairing, which would count the same games twice.
        """
        array = np.array(scores, dtype=np.float64).reshape(-1)
        self._add(a, b, Sheet(2, array, np.ones(len(array), dtype=np.int64), seeds))

    def add_pentanomial(self, a: str, b: str, counts: Sequence[int]) -> None:
        """Enter seed pairs by how often each of ``PAIR_SCORES`` occurred; see :meth:`add_pairs`."""
        if len(counts) != len(PAIR_SCORES):
            raise ValueError("a pentanomial result has five counts")
        self._add(a, b, Sheet(2, np.array(PAIR_SCORES), np.array(counts, dtype=np.int64)))

    def add_games(self, a: str, b: str, wins: int, draws: int, losses: int) -> None:
        """Enter single games that share no luck, as counts of a's results."""
        scores = np.array([1.0, 0.5, 0.0])
        self._add(a, b, Sheet(1, scores, np.array([wins, draws, losses], dtype=np.int64)))

    def without(self, a: int, b: int) -> ResultTable:
        """The same table without one pairing."""
        copy = ResultTable(self.names)
        copy._pairings = {key: value for key, value in self._pairings.items() if key != (a, b)}
        return copy

    def joined_by(self, names: Sequence[str]) -> ResultTable:
        """The same results with further players that have not played yet."""
        copy = ResultTable([*self.names, *names])
        copy._pairings = dict(self._pairings)
        return copy

    # -- inside ------------------------------------------------------------------------------

    def _index(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))

    def _add(self, a: str, b: str, sheet: Sheet) -> None:
        if a == b:
            raise ValueError(f"{a} cannot be rated by games against itself")
        if (sheet.counts < 0).any():
            raise ValueError("results of games cannot be counted below 0")
        if not ((sheet.scores >= 0.0) & (sheet.scores <= 1.0)).all():
            raise ValueError("a score lies in 0..1")
        first, second = self._index(a), self._index(b)
        if first > second:
            first, second = second, first
            sheet = Sheet(sheet.unit_games, 1.0 - sheet.scores, sheet.counts, sheet.seeds)
        pairing = self._pairings.setdefault((first, second), Pairing(first, second))
        if sheet.seeds is not None and any(old.seeds == sheet.seeds for old in pairing.sheets):
            raise ValueError(f"the games of {a} and {b} on these seeds are counted already")
        pairing.sheets.append(sheet)
