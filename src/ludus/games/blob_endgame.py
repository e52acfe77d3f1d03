"""The exact solver of Blob's last cards with open hands, and what it says of players.

The solver is compiled (``cpp/oracles/blob_endgame.h``, which tells method and tie rule). Values are
points of the round. With all hands open they are exact; over worlds they are the mean of what is
exact in each of many deals that the seat to move thinks possible. That mean is a yardstick and not
the truth: it takes all later decisions as made with open hands. It asks nothing that the seat does
not see, and the same of everybody.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ludus import _core

JUDGED: Final = 15
"""Cards in all hands together from which on plays are judged: three each of five players. A
position takes a quarter of a millisecond, on average, in :data:`WORLDS` worlds."""

WORLDS: Final = 16
"""Worlds of a judgement."""

EQUAL: Final = 1e-6
"""Points; values that differ by less are equal."""

_HANDS: Final = 64
"""Bytes at the beginning of a packed position that hold the hands, eight for each seat."""

States = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@cache
def solver(rules: _core.Game) -> _core.BlobEndgame:
    """The solver of this process for Blob with these options; thread-safe, one call at a time."""
    return _core.BlobEndgame(rules)


def cards_held(states: States) -> npt.NDArray[np.int64]:
    """Cards in all hands together, ``i64[n]``, of packed positions ``u8[n, state_size]``."""
    hands = np.unpackbits(np.ascontiguousarray(states[:, :_HANDS]), axis=1)
    return np.asarray(hands.sum(axis=1), np.int64)


def judged(rules: _core.Game, states: States, most: int = JUDGED) -> npt.NDArray[np.bool_]:
    """Which positions are plays with at most ``most`` cards in all hands together, ``bool[n]``.

    Args:
        rules: Blob with its options.
        states: packed ``u8[n, state_size]``.
        most: at most ``BlobEndgame.most_cards``.

    Raises:
        GameError: bytes that are no position of these rules.
    """
    solved = solver(rules).solves(np.ascontiguousarray(states)).astype(np.bool_)
    return np.asarray(solved & (cards_held(states) <= most))


def open_values(rules: _core.Game, states: States) -> Floats:
    """Points that the seat to move can expect behind each card, all hands open.

    Args:
        rules: Blob with its options.
        states: packed plays ``u8[n, state_size]``.

    Returns: ``f64[n, 66]``, NaN where illegal.

    Raises:
        GameError: a position that is no play, or one with more than ``BlobEndgame.most_cards``
            cards in all hands.
    """
    return solver(rules).action_values(np.ascontiguousarray(states))


def world_values(rules: _core.Game, states: States, worlds: int = WORLDS, seed: int = 0) -> Floats:
    """The mean of :func:`open_values` over worlds that the seat to move thinks possible.

    The worlds of a position follow from what its seat sees and the seed, and are the same for all
    of its actions.

    Args:
        rules: Blob with its options.
        states: packed plays ``u8[n, state_size]``.
        worlds: of each position.
        seed: of the worlds.

    Returns: ``f64[n, 66]`` points, NaN where illegal.

    Raises:
        GameError: see :func:`open_values`.
    """
    states = np.ascontiguousarray(states)
    keys = np.array(
        [zlib.crc32(row[_HANDS:].tobytes()) + (seed << 32) for row in states], np.uint64
    )
    return solver(rules).world_values(states, keys, worlds)


def suites(rules: _core.Game) -> dict[str, Callable[..., Any]]:
    """``action_values`` and ``judge`` of ``GameEntry.suites`` (:mod:`ludus.games.yatzy_oracle`).

    Both answer plays with at most :data:`JUDGED` cards in hands, over :data:`WORLDS` worlds, and
    say nothing of others: values are NaN there, and decisions ``ignored``.

    Args:
        rules: Blob with its options.
    """

    def action_values(states: States) -> Floats:
        values = np.full((len(states), rules.num_actions), np.nan)
        late = judged(rules, states)
        values[late] = world_values(rules, states[late])
        return values

    def judge(states: States, actions: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
        return judge_plays(rules, states, actions)

    return {"action_values": action_values, "judge": judge}


def judge_plays(
    rules: _core.Game,
    states: States,
    actions: npt.NDArray[np.int32],
    *,
    worlds: int = WORLDS,
    most: int = JUDGED,
    seed: int = 0,
) -> dict[str, npt.NDArray[Any]]:
    """How good actions are, by the exact solver over worlds.

    The best action is the best of the mean over the same worlds, so with few worlds the regret of
    everybody is too high by the same noise.

    Args:
        rules: Blob with its options.
        states: packed decisions ``u8[n, state_size]``.
        actions: legal actions ``i32[n]``.
        worlds: of each position.
        most: cards in all hands together from which on plays are judged.
        seed: of the worlds.

    Returns: ``matched`` bool[n]; ``ignored`` bool[n], bids, plays with more cards and plays without
        a choice; ``regret`` f64[n], points given away, 0 where ignored.

    Raises:
        GameError: bytes that are no position of these rules.
    """
    regret = np.zeros(len(states))
    late = judged(rules, states, most)
    values = world_values(rules, states[late], worlds, seed)
    choice = (~np.isnan(values)).sum(axis=1) > 1
    late[late] = choice
    values = values[choice]
    regret[late] = np.nanmax(values, axis=1, initial=-np.inf)
    regret[late] -= values[np.arange(len(values)), actions[late]]
    return {
        "matched": late & (regret <= EQUAL),
        "ignored": ~late,
        "regret": np.where(regret <= EQUAL, 0.0, regret),
    }
