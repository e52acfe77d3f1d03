"""Players of Othello made of pattern tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import PlayerError
from ludus.games.pattern_tables import tables_of
from ludus.games.registry import Chooser


def chooser(
    arrays: Mapping[str, npt.NDArray[Any]],
    meta: Mapping[str, Any],
    options: Mapping[str, str],
) -> Chooser:
    """A player that looks one move ahead.

    Raises:
        PlayerError: an option that it does not have.
        CorruptError: no tables, see :func:`tables_of`.
    """
    for key, value in options.items():
        if (key, value) != ("depth", "1"):
            raise PlayerError(f"player td has no option {key}={value} yet: it looks one move ahead")
    tables = tables_of(arrays, meta)

    def choose(
        states: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int32]:
        return _core.one_ply_choose(
            tables, np.ascontiguousarray(states), np.ascontiguousarray(keys)
        )

    return choose
