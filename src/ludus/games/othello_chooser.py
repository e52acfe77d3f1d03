"""Players of Othello that search over pattern tables, and what they say of positions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.games.analysis import Limits, Line, Told
from ludus.games.othello_position import Discs
from ludus.games.othello_search import DEEPEST, DISC, Pool, Stoppable, sides
from ludus.games.player_options import number_option, require_known

PLAYER_MEGABYTES: Final = 32.0
"""Transposition table of a player, for each lane that asks it at the same time."""

_TICK: Final = 0.01
"""Seconds between two looks at whether an analysis is to end."""


class SearchChooser:
    """A player that searches, asked from any lane; and an analyst of positions.

    Attributes:
        limits: of a search, as the compiled core names them.
    """

    def __init__(self, tables: _core.PatternTables, limits: Mapping[str, Any]) -> None:
        self.limits = dict(limits)
        self._pool = Pool(lambda: _core.OthelloSearch(tables, PLAYER_MEGABYTES))

    def __call__(
        self, states: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int32]:
        """Actions ``i32[n]`` for packed positions ``u8[n, 32]``; the keys are of no use.

        Raises:
            GameError: a position whose game is over, or the search was interrupted.
        """
        with self._pool.lend() as search:
            return search.choose(np.ascontiguousarray(states), **self.limits)

    def interrupt(self) -> None:
        """End the searches that are going on, by another thread."""
        self._pool.stop()

    def analyse(
        self, state: npt.NDArray[np.uint8], limits: Limits, lines: int = 1, tell: Told | None = None
    ) -> Sequence[Line]:
        """The best actions of a position; see :class:`ludus.games.analysis.Analyst`.

        One line is the search that chooses. For several, each action is searched, deeper and
        deeper, and ``tell`` hears of every depth. The player's own ``endgame`` holds whatever depth
        is asked for.
        """
        discs = Discs.of(_core.game("othello").state(state.tobytes()))
        own = dict(self.limits)
        own["depth"] = min(own.get("depth", DEEPEST), limits.depth or DEEPEST)
        given = [seconds for seconds in (own.get("seconds"), limits.seconds) if seconds]
        own["seconds"] = 0.0
        seconds = min(given, default=None)
        with self._pool.lend() as search:
            search.forget()
            if lines == 1 or discs.moves & (discs.moves - 1) == 0:
                with _ended_by(search, limits.stop, None):
                    own["seconds"] = seconds or 0.0
                    return [_line(search.search(*sides(discs), **own))]
            with _ended_by(search, limits.stop, seconds) as over:
                return _several(search, discs, own, over, lines, tell)


class OnePlyChooser(SearchChooser):
    """A player that looks one move ahead, and chooses among equally good ones by the keys."""

    def __init__(self, tables: _core.PatternTables) -> None:
        super().__init__(tables, {"depth": 1, "endgame": 0})
        self._tables = tables

    def __call__(
        self, states: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int32]:
        """Actions ``i32[n]`` for packed positions ``u8[n, 32]`` and keys ``u64[n]``."""
        return _core.one_ply_choose(
            self._tables, np.ascontiguousarray(states), np.ascontiguousarray(keys)
        )


@contextmanager
def _ended_by(
    search: Stoppable, stop: threading.Event | None, seconds: float | None
) -> Iterator[Callable[[], bool]]:
    """End searches from the event or the time on; yields whether it has come to that."""
    deadline = None if seconds is None else time.monotonic() + seconds
    done = threading.Event()

    def over() -> bool:
        asked = stop is not None and stop.is_set()
        return asked or (deadline is not None and time.monotonic() >= deadline)

    def watch() -> None:
        while not done.wait(_TICK):
            if over():
                search.stop()  # again and again: a search that only now begins forgets it

    watcher = threading.Thread(target=watch, name="end-of-analysis", daemon=True)
    if stop is not None or deadline is not None:
        watcher.start()
    try:
        yield over
    finally:
        done.set()
        if watcher.ident is not None:
            watcher.join()


def _several(
    search: _core.OthelloSearch,
    discs: Discs,
    limits: Mapping[str, Any],
    over: Callable[[], bool],
    lines: int,
    tell: Told | None,
) -> list[Line]:
    """The best actions, those of the deepest search of all that was finished."""
    empty = 64 - sum(discs.counts)
    deepest = min(limits["depth"], empty)
    nodes, best = 0, list[Line]()
    for depth in [*range(1, deepest, 2), deepest]:
        last = depth == deepest
        how = {**limits, "depth": depth, "endgame": limits["endgame"] if last else 0}
        found = search.search_actions(*sides(discs), **how)
        nodes += sum(one["nodes"] for one in found)
        if best and any(one["stopped"] for one in found):
            break
        found.sort(key=lambda one: (-one["score"], one["move"]))
        best = [_line(one) for one in found[:lines]]
        if over():
            break
        if tell is not None and not last:
            tell(best)
    return [replace(line, nodes=nodes) for line in best]


def _line(found: Mapping[str, Any]) -> Line:
    """What a search found, for the side to move."""
    return Line(
        actions=tuple(found["line"]) or (found["move"],),
        value=found["score"] / DISC,
        depth=found["depth"],
        exact=found["exact"],
        nodes=found["nodes"],
    )


OPTIONS: Final = ("depth", "ms", "endgame", "threads")
"""Of :func:`search_limits`."""


def search_limits(options: Mapping[str, str], player: str = "td") -> dict[str, Any] | None:
    """Limits of a searching player by its options, as texts.

    Args:
        options: ``depth`` in discs (default 1; no limit where ``ms`` is given), ``ms`` for a move,
            ``endgame`` (empty squares from which on it solves exactly, default 0), ``threads`` of
            a search (default 1).
        player: whose options they are, for messages.

    Returns: what :class:`SearchChooser` wants; None where looking one move ahead is all
        (:class:`OnePlyChooser`).

    Raises:
        PlayerError: an option that it does not have, or a value out of range.
    """
    require_known(player, options, OPTIONS)
    ms = number_option(options, "ms", 0.0, 3.6e6, whole=False)
    depth = int(number_option(options, "depth", 1, DEEPEST, default=DEEPEST if ms else 1))
    endgame = int(number_option(options, "endgame", 0, DEEPEST))
    threads = int(number_option(options, "threads", 1, 64, default=1))
    if depth == 1 and endgame == 0:
        return None
    return {"depth": depth, "endgame": endgame, "threads": threads, "seconds": ms / 1000.0}
