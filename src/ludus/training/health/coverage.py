"""How much of what there is has been seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def distinct_share(rows: npt.NDArray[Any]) -> float | None:
    """Share of rows that differ from all rows before them; None without rows.

    Args:
        rows: [n, ...], compared byte by byte: observations of positions, say.
    """
    if not len(rows):
        return None
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    return len({row.tobytes() for row in flat}) / len(rows)


def visited_share(visits: npt.NDArray[Any], *, least: int = 1) -> float | None:
    """Share of the entries of a table that were visited; None for an empty table.

    Args:
        visits: counts, one an entry, of any shape: of a pattern table, or of listed states.
        least: visits from which on an entry counts.
    """
    return float(np.count_nonzero(visits >= least)) / visits.size if visits.size else None
