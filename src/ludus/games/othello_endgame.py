"""The exact oracle of Othello endgames: a player, and what it says of other players' moves.

The solver is compiled (``cpp/oracles/othello_oracle.h``) and needs no evaluation. Values are discs
at the end by which the side to move is ahead, empty squares to the winner.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import PlayerError
from ludus.games.othello_search import Pool
from ludus.games.registry import Chooser

JUDGED: Final = 12
"""Empty squares from which on moves are judged: a position takes a millisecond."""

MOST: Final = 24
"""Empty squares that the player may be asked to solve from: seconds to minutes for a move there."""

_BEFORE: Final = ("corners", "weights")
_DISCS: Final = 16
"""Bytes of a packed position that hold its discs."""

States = npt.NDArray[np.uint8]


@cache
def _solvers() -> Pool[_core.OthelloEndgame]:
    """Of this process, shared by player and suites."""
    return Pool(_core.OthelloEndgame)


def empty_squares(states: States) -> npt.NDArray[np.int64]:
    """How many squares are empty, of packed positions ``u8[n, 32]``; ``i64[n]``."""
    discs = np.unpackbits(np.ascontiguousarray(states[:, :_DISCS]), axis=1)
    return np.asarray(64 - discs.sum(axis=1), np.int64)


class EndgameChooser:
    """Plays perfectly from so many empty squares on, and by a rule of thumb before."""

    def __init__(self, begin: int, before: str) -> None:
        self.begin, self.before = begin, before

    def __call__(self, states: States, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
        """Actions ``i32[n]`` for packed positions ``u8[n, 32]``.

        Raises:
            GameError: a position whose game is over, or the search was interrupted.
        """
        states, keys = np.ascontiguousarray(states), np.ascontiguousarray(keys)
        late = empty_squares(states) <= self.begin
        actions = np.empty(len(states), np.int32)
        actions[~late] = _core.othello_choose(states[~late], keys[~late], self.before)
        if late.any():
            with _solvers().lend() as solver:
                actions[late] = solver.choose(states[late])
        return actions

    def interrupt(self) -> None:
        """End the searches that are going on, by another thread."""
        _solvers().stop()


def endgame_player(options: Mapping[str, str]) -> Chooser:
    """The ``endgame`` player.

    Args:
        options: ``from``, empty squares from which on it plays perfectly (default 14);
            ``before``, the rule of thumb that it follows until then (default ``weights``).

    Raises:
        PlayerError: an option that it does not have, or a value out of range.
    """
    for key in options:
        if key not in ("from", "before"):
            raise PlayerError(
                f"player endgame has no option {key!r}: its options are from and before"
            )
    begin, before = options.get("from", "14"), options.get("before", "weights")
    if not begin.isdecimal() or int(begin) > MOST:
        raise PlayerError(f"player endgame: from={begin} must be a whole number from 0 to {MOST}")
    if before not in _BEFORE:
        raise PlayerError(f"player endgame: before={before} must be one of {', '.join(_BEFORE)}")
    return EndgameChooser(int(begin), before)


def action_values(states: States) -> npt.NDArray[np.float64]:
    """Values of all actions of decisions with at most :data:`JUDGED` empty squares.

    Args:
        states: packed ``u8[n, 32]``.

    Returns: ``f64[n, 65]`` discs; NaN where illegal, and for positions with more empty squares.
    """
    values = np.full((len(states), _core.game("othello").num_actions), np.nan)
    late = empty_squares(states) <= JUDGED
    if late.any():
        with _solvers().lend() as solver:
            values[late] = solver.action_values(np.ascontiguousarray(states[late]))
    return values


def best_actions(states: States) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """All best actions of each position; none of a position with too many empty squares.

    Args:
        states: packed decisions ``u8[n, 32]``.

    Returns: offsets ``i64[n + 1]`` and actions ``i32[offsets[n]]``, ascending within a position.
    """
    values = np.nan_to_num(action_values(states), nan=-np.inf)
    best = values.max(axis=1, keepdims=True, initial=-np.inf)
    rows, actions = np.nonzero((values == best) & np.isfinite(values))
    counts = np.bincount(rows, minlength=len(values))
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), actions.astype(np.int32)


def judge(states: States, actions: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    """How good actions are, by the exact solver.

    Args:
        states: packed decisions ``u8[n, 32]``.
        actions: legal actions ``i32[n]``.

    Returns: ``matched`` bool[n]; ``ignored`` bool[n], positions with more than :data:`JUDGED` empty
        squares; ``regret`` f64[n], discs given away, 0 where ignored.
    """
    late = empty_squares(states) <= JUDGED
    values = action_values(states[late])
    regret = np.zeros(len(states))
    regret[late] = np.nanmax(values, axis=1, initial=-np.inf)
    regret[late] -= values[np.arange(len(values)), actions[late]]
    return {"matched": late & (regret == 0.0), "ignored": ~late, "regret": regret}
