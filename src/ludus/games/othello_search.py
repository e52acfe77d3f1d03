"""Search of Othello positions over pattern tables.

The search is compiled (``cpp/patterns/othello_search.h``: method and sources): alpha-beta with
iterative deepening, a transposition table, forward pruning whose risk is calibrated, and exact
endgames. ``docs/othello-search.md`` has its options and figures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from ludus import _core
from ludus.games.othello_position import PASS, SQUARES, Discs

DISC: Final = 256
"""Units of a compiled score in a disc."""

DEEPEST: Final = 60
"""Discs that can be put after the start: no search looks further."""


@dataclass(frozen=True)
class Analysis:
    """What a search found out about a position.

    Attributes:
        action: the best one, a square or 64 for a pass; None once the game is over.
        score: discs at the end by which black is ahead, as the search expects.
        exact: the score is proved, with best play of both sides.
        depth: discs that the last finished search looked ahead.
        stopped: a limit came before the depth that was asked for.
        line: best play by name, ``action`` first; where ``exact`` to the end of the game, unless a
            limit came before all of it was found.
        leaf: the position at the end of the line, where the score comes from.
        nodes: positions looked at, by all threads.
        hit_rate: share of look-ups in the transposition table that found their position.
        seconds: time taken.
    """

    action: int | None
    score: float
    exact: bool
    depth: int
    stopped: bool
    line: tuple[str, ...]
    leaf: _core.State
    nodes: int
    hit_rate: float
    seconds: float

    @property
    def nodes_per_second(self) -> float:
        """Positions looked at in a second."""
        return self.nodes / max(self.seconds, 1e-9)

    def text(self) -> str:
        """One line: score, depth, best play, speed."""
        how = "exact" if self.exact else f"depth {self.depth}"
        return (
            f"{self.score:+.2f}  {how}  {' '.join(self.line)}  "
            f"({self.nodes / 1e6:.2f} million nodes, {self.nodes_per_second / 1e6:.1f} million/s, "
            f"table hit rate {self.hit_rate:.0%})"
        )


class OthelloSearch:
    """Searches with one transposition table, one after the other.

    What an earlier search left in the table speeds up the next one. Calls of several threads wait
    for each other; Ctrl-C gets through.
    """

    def __init__(self, tables: _core.PatternTables, *, megabytes: float = 128.0) -> None:
        """Search over tables.

        Args:
            tables: such as those of :class:`ludus.evaluators.tables.TableEvaluator`.
            megabytes: of the transposition table; memory is used as it fills.

        Raises:
            GameError: a size out of range.
            MemoryError: there is not so much.
        """
        self._core = _core.OthelloSearch(tables, megabytes)

    def analyse(
        self,
        state: _core.State,
        *,
        depth: int = DEEPEST,
        ms: float = 0.0,
        nodes: int = 0,
        endgame: int = 14,
        certainty: int = 3,
        threads: int = 1,
    ) -> Analysis:
        """Search a position until the first limit.

        Args:
            state: of Othello.
            depth: discs to look ahead, 1 to 60; all that are left: to the end, exactly.
            ms: milliseconds; 0: no limit. A depth of 1 is always finished.
            nodes: positions looked at by the first thread; 0: no limit.
            endgame: empty squares from which on it searches to the end, exactly, whatever
                ``depth`` says.
            certainty: 0 to 7, how little is pruned on the word of a shallow search; 7: nothing.
                Exact results never depend on it.
            threads: 1 gives the same answer each time unless time is limited.

        Raises:
            GameError: a limit out of range.
        """
        discs = Discs.of(state)
        found = self._core.search(
            *sides(discs),
            depth=depth,
            endgame=endgame,
            nodes=nodes,
            seconds=ms / 1000.0,
            certainty=certainty,
            threads=threads,
        )
        return _analysis(discs.seat, found)

    def analyse_actions(
        self,
        state: _core.State,
        *,
        depth: int = DEEPEST,
        ms: float = 0.0,
        nodes: int = 0,
        endgame: int = 14,
        certainty: int = 3,
        threads: int = 1,
    ) -> dict[int, Analysis]:
        """What each legal action leads to, best first for the side to move; see :meth:`analyse`.

        Time and nodes are shared out evenly.
        """
        discs = Discs.of(state)
        results = self._core.search_actions(
            *sides(discs),
            depth=depth,
            endgame=endgame,
            nodes=nodes,
            seconds=ms / 1000.0,
            certainty=certainty,
            threads=threads,
        )
        results.sort(key=lambda found: (-found["score"], found["move"]))
        return {int(found["move"]): _analysis(discs.seat, found) for found in results}

    def stop(self) -> None:
        """End the search that another thread is in; it answers with what it has."""
        self._core.stop()

    def forget(self) -> None:
        """Find nothing again: after the tables have changed, or to measure from nothing."""
        self._core.forget()

    def resize(self, megabytes: float) -> None:
        """Another size of the transposition table, empty; memory is given back.

        Raises:
            GameError: a size out of range.
            MemoryError: there is not so much; the table is a few bytes then.
        """
        self._core.resize(megabytes)

    def statistics(self) -> dict[str, float]:
        """Figures of the transposition table.

        Returns: ``megabytes``, ``fill`` (share of places in use), and since the start ``probes``,
            ``hits``, ``hit_rate``, ``stores`` and ``evictions``.
        """
        return {
            "megabytes": self._core.table_bytes / 2**20,
            "fill": self._core.fill,
            **self._core.counts,
        }


def sides(discs: Discs) -> tuple[int, int]:
    """Discs of the side to move and of the other, as the compiled search wants them."""
    return (discs.black, discs.white) if discs.seat == 0 else (discs.white, discs.black)


def _analysis(seat: int, found: Mapping[str, Any]) -> Analysis:
    own, opp = found["leaf"]
    mover = seat ^ int(found["mirrored"])
    black, white = (own, opp) if mover == 0 else (opp, own)
    sign = 1 if seat == 0 else -1
    return Analysis(
        action=None if found["move"] < 0 else int(found["move"]),
        score=sign * found["score"] / DISC + 0.0,
        exact=found["exact"],
        depth=found["depth"],
        stopped=found["stopped"],
        line=tuple("pass" if action == PASS else SQUARES[action] for action in found["line"]),
        leaf=_core.othello_state(black, white, mover),
        nodes=found["nodes"],
        hit_rate=found["hit_rate"],
        seconds=found["seconds"],
    )


class Stoppable(Protocol):
    """What a pool lends: compiled, used by one thread at a time, stopped by any."""

    def stop(self) -> None:
        """End the call that is going on."""
        ...


Lent = TypeVar("Lent", bound=Stoppable)


class Pool(Generic[Lent]):
    """One thing for each thread that asks at the same time, made when it is needed."""

    def __init__(self, make: Callable[[], Lent]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._idle: list[Lent] = []
        self._busy: list[Lent] = []

    @contextmanager
    def lend(self) -> Iterator[Lent]:
        """One that nobody uses."""
        with self._lock:
            one = self._idle.pop() if self._idle else None
        one = one if one is not None else self._make()
        with self._lock:
            self._busy.append(one)
        try:
            yield one
        finally:
            with self._lock:
                self._busy.remove(one)
                self._idle.append(one)

    def stop(self) -> None:
        """End all calls that are going on."""
        with self._lock:
            for one in self._busy:
                one.stop()
