"""Players of Othello made of pattern tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from ludus.games.othello_chooser import OnePlyChooser, SearchChooser, search_limits
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
        options: see :func:`ludus.games.othello_chooser.search_limits`. Looking one move ahead is
            the default; equally good moves are then chosen among by the keys.

    Raises:
        PlayerError: an option that it does not have, or a value out of range.
        CorruptError: no tables, see :func:`tables_of`.
    """
    search = search_limits(options)
    tables = tables_of(arrays, meta)
    return OnePlyChooser(tables) if search is None else SearchChooser(tables, search)
