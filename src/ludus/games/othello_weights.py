"""The usual positional weights as pattern tables, so that they can be searched with.

A yardstick must look as far ahead as who is measured against it: ``weights:depth=6``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.games.othello_chooser import SearchChooser, search_limits
from ludus.games.pattern_tables import described
from ludus.games.registry import Chooser

_LINES = "\n".join(
    f"line{rank}: {' '.join(f'{file}{rank}' for file in 'abcdefgh')}" for rank in "1234"
)
"""With their symmetries all rows and all columns: each square is in two of them."""

_NEUTRAL = 32768
_HALF_HUNDREDTH = 8
"""Units of a table for half a hundredth of a weight: a board full of corners is below 64 discs."""


def square_weights() -> npt.NDArray[np.int32]:
    """Hundredths of each square, ``i32[64]``, a1 to h8."""
    return np.array(
        [_core.othello_positional_score(1 << square, 0) for square in range(64)], np.int32
    )


@cache
def positional_tables() -> _core.PatternTables:
    """Tables whose scores are the positional weights, own less the other's, times a constant."""
    patterns, weights = _core.PatternSet.parse(_LINES), square_weights()
    tables = _core.PatternTables(patterns)
    whole = np.empty((patterns.stages, patterns.entries), np.uint16)
    for pattern in described(patterns):
        index = np.arange(pattern["contents"])
        score = np.zeros(len(index), np.int64)
        for digit, square in enumerate(pattern["placements"][0]):
            cell = index // 3**digit % 3
            score += weights[square] * ((cell == 1).astype(np.int64) - (cell == 2))
        entry = pattern["first_entry"]
        whole[:, entry : entry + len(index)] = _NEUTRAL + _HALF_HUNDREDTH * score
    tables.load(whole)
    return tables


def searching_weights(options: Mapping[str, str]) -> Chooser | None:
    """The player ``weights`` with a search.

    Args:
        options: see :func:`ludus.games.othello_chooser.search_limits`. Nothing is pruned on the
            word of shallow searches, whose risk is known for trained tables only.

    Returns: None where looking one move ahead is all.

    Raises:
        PlayerError: an option that it does not have, or a value out of range.
    """
    limits = search_limits(options, player="weights")
    return (
        None if limits is None else SearchChooser(positional_tables(), {**limits, "certainty": 7})
    )
