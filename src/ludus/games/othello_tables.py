"""Players of Othello made of pattern tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.games.othello_search import SearchChooser, search_limits
from ludus.games.pattern_tables import tables_of
from ludus.games.registry import Chooser


def chooser(
    arrays: Mapping[str, npt.NDArray[Any]],
    meta: Mapping[str, Any],
    options: Mapping[str, str],
) -> Chooser:
    """A player that looks one move ahead, or searches.

    Args:
        arrays: of a file of tables, see :func:`tables_of`.
        meta: likewise.
        options: see :func:`ludus.games.othello_search.search_limits`. Looking one move ahead is
            the default; equally good moves are then chosen among by the keys.

    Raises:
        PlayerError: an option that it does not have, or a value out of range.
        CorruptError: no tables, see :func:`tables_of`.
    """
    search = search_limits(options)
    tables = tables_of(arrays, meta)
    if search is not None:
        return SearchChooser(tables, search)

    def choose(
        states: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int32]:
        return _core.one_ply_choose(
            tables, np.ascontiguousarray(states), np.ascontiguousarray(keys)
        )

    return choose
