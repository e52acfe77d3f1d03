"""Published Othello endgames with their scores, and how a search does on them.

The problems are those of FForum, the magazine of the French federation, that programs have been
compared on since the 1990s: numbers 1 to 19 with 14 to 16 empty squares, 40 to 44 with 20 to 23.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from ludus import _core
from ludus.errors import CorruptError, GameError
from ludus.games.othello_position import SQUARES, Discs, parse_position
from ludus.games.othello_search import Analysis, OthelloSearch

FILE: Final = "othello_endgames.txt"


@dataclass(frozen=True)
class Problem:
    """An endgame and its solution.

    Attributes:
        number: in the published set.
        state: the position.
        score: discs by which the side to move wins with best play of both, empty squares to the
            winner.
        best: all best actions.
    """

    number: int
    state: _core.State
    score: int
    best: tuple[int, ...]

    @property
    def empty(self) -> int:
        """Empty squares."""
        return 64 - sum(Discs.of(self.state).counts)


@dataclass(frozen=True)
class Solved:
    """What a search says of a problem.

    Attributes:
        problem: the problem.
        analysis: the answer.
    """

    problem: Problem
    analysis: Analysis

    @property
    def score(self) -> float:
        """Discs for the side to move."""
        return self.analysis.score * (1 if Discs.of(self.problem.state).seat == 0 else -1)

    @property
    def right(self) -> bool:
        """An exact answer with the published score and one of the best actions."""
        answer = self.analysis
        return (
            answer.exact and self.score == self.problem.score and answer.action in self.problem.best
        )


def problems(empty: int = 16) -> tuple[Problem, ...]:
    """The problems with at most so many empty squares.

    Raises:
        CorruptError: the file of the installation is damaged.
    """
    return tuple(one for one in _all() if one.empty <= empty)


@cache
def _all() -> tuple[Problem, ...]:
    text = resources.files("ludus.games").joinpath("data", FILE).read_text(encoding="ascii")
    found = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        try:
            number, board, side, score, *best = line.split()
            squares = tuple(SQUARES.index(square) for square in best)
            state = parse_position(f"{board} {side}")
            found.append(Problem(int(number), state, int(score), squares))
        except (ValueError, GameError):
            raise CorruptError(f"{FILE} has {line!r}, no position with its solution") from None
    return tuple(found)


def solve(
    asked: tuple[Problem, ...], tables: _core.PatternTables | None = None, *, threads: int = 1
) -> Iterator[Solved]:
    """Solve problems one after the other, each without what was found out on those before.

    Args:
        asked: the problems.
        tables: that put moves in order; without any all positions look alike, which changes the
            time only.
        threads: of the search.

    Raises:
        GameError: a number of threads out of range.
    """
    search = OthelloSearch(_core.PatternTables() if tables is None else tables)
    for problem in asked:
        search.forget()
        yield Solved(problem, search.analyse(problem.state, threads=threads))
