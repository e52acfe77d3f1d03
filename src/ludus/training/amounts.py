"""How many games an iteration has: so many at first, more each time, up to a most.

Pure numbers, so that readers of a run work them out without the settings' classes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any


def games_in(iteration: int, first: int, growth: int = 0, most: int | None = None) -> int:
    """Games of an iteration.

    Args:
        iteration: from 0.
        first: games of iteration 0.
        growth: games that each iteration has more than the one before.
        most: games of an iteration at most; None for any number.
    """
    grown = first + growth * iteration
    return grown if most is None else min(grown, most)


def games_before(iteration: int, first: int, growth: int = 0, most: int | None = None) -> int:
    """Games of all iterations before this one, which is the number of its first game.

    Args:
        iteration: from 0.
        first: as of :func:`games_in`.
        growth: likewise.
        most: likewise.
    """
    growing = iteration
    if growth and most is not None:
        growing = min(iteration, -(-(most - first) // growth))
    grown = first * growing + growth * (growing * (growing - 1) // 2)
    return grown + (iteration - growing) * games_in(iteration, first, growth, most)


def iteration_of(game: int, first: int, growth: int = 0, most: int | None = None) -> int:
    """The iteration that plays a game: the inverse of :func:`games_before`.

    Args:
        game: number of the game, from 0.
        first: as of :func:`games_in`.
        growth: likewise.
        most: likewise.
    """
    found: Callable[[int], int] = lambda i: games_before(i, first, growth, most)  # noqa: E731
    return bisect_right(range(game // first + 2), game, key=found) - 1


def amounts_of(selfplay: Mapping[str, Any]) -> tuple[int, int, int | None]:
    """First, growth and most from the section ``selfplay`` of a run's configuration."""
    most = selfplay.get("games_most")
    return (
        int(selfplay["games_per_iteration"]),
        int(selfplay.get("games_growth") or 0),
        None if most is None else int(most),
    )
