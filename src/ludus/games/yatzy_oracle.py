"""The exact oracle of solitaire Yatzy, as players, judge and simulator.

The compiled solver (``ludus._core.YatzyOracle``) fills its table when first asked, in one or two
tenths of a second on two threads. That is all a cache file could save, at the price of one more
file that can be stale, damaged or unwritable; so there is none.

Values are expected points still to come for the seat to move when it plays its own card for points:
those of the mark itself and of a bonus still to be earned are in them, points already on the card
are not. The other seat does not matter to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import PlayerError
from ludus.games.registry import Chooser

EXPECTED = 248.439989
"""Expected points of the optimum, from outside, for comparison."""

BUILD_THREADS = 2
"""The table is built by so many threads, for a tenth of a second; answers use the caller's."""

States = npt.NDArray[np.uint8]


@cache
def shared_oracle() -> _core.YatzyOracle:
    """The oracle of this process, built on the first call; thread-safe."""
    return _core.YatzyOracle(threads=BUILD_THREADS)


def make_player(policy: str) -> Callable[[Mapping[str, str]], Chooser]:
    """A maker of the ``oracle`` or ``greedy`` player, neither of which has options."""

    def make(options: Mapping[str, str]) -> Chooser:
        if options:
            raise PlayerError(f"player {policy} has no option {sorted(options)[0]!r}: it has none")

        def choose(states: States, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
            return shared_oracle().choose(np.ascontiguousarray(states), policy)

        return choose

    return make


def action_values(states: States) -> npt.NDArray[np.float64]:
    """Values of all actions of decisions, NaN where illegal.

    Args:
        states: packed ``u8[n, 16]``.

    Returns: ``f64[n, 47]`` points.

    Raises:
        GameError: a state is no decision.
    """
    return shared_oracle().action_values(np.ascontiguousarray(states), "oracle")


def best_actions(states: States) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """All actions that are as good as the best one, every keep mask of equal dice among them.

    Args:
        states: packed decisions ``u8[n, 16]``.

    Returns: offsets ``i64[n + 1]`` and actions ``i32[offsets[n]]``, ascending within a state.
    """
    values = action_values(states)
    best = np.nanmax(values, axis=1, keepdims=True, initial=-np.inf)
    rows, actions = np.nonzero(values >= best - shared_oracle().tolerance)
    counts = np.bincount(rows, minlength=len(values))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return offsets, actions.astype(np.int32)


def judge(states: States, actions: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    """How good actions are, by the oracle.

    Two actions that keep the same dice are the same answer. The oracle answers a roll that should
    not be touched with a mark, never with the illegal keep-all mask, so no decision is ignored.

    Args:
        states: packed decisions ``u8[n, 16]``.
        actions: legal actions ``i32[n]``.

    Returns: ``matched`` bool[n], ``ignored`` bool[n], ``regret`` f64[n] points, at least 0.
    """
    values = action_values(states)
    best = np.nanmax(values, axis=1, initial=-np.inf)
    regret = best - values[np.arange(len(values)), actions]
    matched = regret <= shared_oracle().tolerance
    return {
        "matched": matched,
        "ignored": np.zeros(len(values), dtype=np.bool_),
        "regret": np.where(matched, 0.0, regret),
    }


@dataclass(frozen=True)
class Simulation:
    """Figures of solitaire games; points unless said.

    Attributes:
        policy_id: ``oracle`` or ``greedy``.
        std: standard deviation of the games (of the population).
        standard_error: of the mean.
        bonus_rate: share of games with the bonus.
        yatzy_rate: share of games with 50 points in yatzy.
        bin_width: of the histogram.
        bin_start: points at which its first bin begins.
        bins: games of each bin.
    """

    policy_id: str
    games: int
    seed: int
    mean: float
    standard_error: float
    std: float
    median: float
    min: int
    max: int
    bonus_rate: float
    yatzy_rate: float
    bin_width: int
    bin_start: int
    bins: tuple[int, ...]


def play_in_slices(
    games: int, seed: int, policy: str = "oracle", threads: int = BUILD_THREADS, size: int = 10_000
) -> Iterator[tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Solitaire games 0..games-1 of a seed, so many at a time.

    Yields: points ``i16[k]``, bonus ``u8[k]`` and yatzy ``u8[k]`` (1 or 0) of the next k games. The
        games depend on the seed and their number only.
    """
    for first in range(0, games, size):
        yield shared_oracle().simulate(
            min(size, games - first), seed, policy=policy, threads=threads, first=first
        )


def summarise(
    slices: list[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]],
    *,
    seed: int,
    policy: str,
    bin_width: int = 10,
) -> Simulation:
    """Figures of what :func:`play_in_slices` gave; at least one game."""
    total = np.concatenate([part[0] for part in slices]).astype(np.int64)
    bonus = np.concatenate([part[1] for part in slices])
    yatzy = np.concatenate([part[2] for part in slices])
    start = int(total.min()) // bin_width * bin_width
    std = float(total.std())
    return Simulation(
        policy_id=policy,
        games=len(total),
        seed=seed,
        mean=float(total.mean()),
        standard_error=std / float(np.sqrt(len(total))),
        std=std,
        median=float(np.median(total)),
        min=int(total.min()),
        max=int(total.max()),
        bonus_rate=float(bonus.mean()),
        yatzy_rate=float(yatzy.mean()),
        bin_width=bin_width,
        bin_start=start,
        bins=tuple(int(n) for n in np.bincount((total - start) // bin_width)),
    )


def simulate(
    games: int, seed: int, policy: str = "oracle", threads: int = BUILD_THREADS
) -> Simulation:
    """Play solitaire games and summarise them; the same whatever the number of threads."""
    return summarise(list(play_in_slices(games, seed, policy, threads)), seed=seed, policy=policy)
