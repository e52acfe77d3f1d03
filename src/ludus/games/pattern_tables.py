"""Pattern tables between their two forms: whole for look-up, folded for keeping.

A symmetry that maps a pattern onto itself makes pairs of its contents equal; folded tables hold one
weight for each such pair. The compiled core learns folded and looks up whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import CorruptError

Weights = npt.NDArray[np.uint16]


def described(patterns: _core.PatternSet) -> list[dict[str, Any]]:
    """Each pattern: ``name``, ``placements`` (squares), ``contents``, ``first_entry``, ..."""
    return [patterns.describe(number) for number in range(len(patterns))]


def fold(patterns: _core.PatternSet, whole: Weights) -> Weights:
    """Folded tables ``u16[stages, slots]`` of whole ones ``u16[stages, entries]``."""
    folded = np.empty((patterns.stages, patterns.slots), np.uint16)
    for number, pattern in enumerate(described(patterns)):
        first, entry = pattern["first_slot"], pattern["first_entry"]
        rows = whole[:, entry : entry + pattern["contents"]]
        folded[:, first + patterns.slots_of(number).astype(np.intp)] = rows
    return folded


def unfold(patterns: _core.PatternSet, folded: Weights) -> Weights:
    """Whole tables ``u16[stages, entries]`` of folded ones ``u16[stages, slots]``.

    Raises:
        CorruptError: tables of another pattern set.
    """
    if folded.shape != (patterns.stages, patterns.slots):
        raise CorruptError(
            f"the tables have the shape {folded.shape}, their patterns want "
            f"{(patterns.stages, patterns.slots)}"
        )
    whole = np.empty((patterns.stages, patterns.entries), np.uint16)
    for number, pattern in enumerate(described(patterns)):
        first, entry = pattern["first_slot"], pattern["first_entry"]
        slots = first + patterns.slots_of(number).astype(np.intp)
        whole[:, entry : entry + pattern["contents"]] = folded[:, slots]
    return whole


def tables_of(
    arrays: Mapping[str, npt.NDArray[Any]], meta: Mapping[str, Any]
) -> _core.PatternTables:
    """Compiled tables from what a file of them holds.

    Args:
        arrays: ``weights`` u16[stages, slots], folded.
        meta: ``patterns``: ``name`` and ``squares`` of each.

    Raises:
        CorruptError: something is missing, or does not fit together.
        GameError: patterns that cannot be.
    """
    try:
        text = "\n".join(f"{one['name']}: {' '.join(one['squares'])}" for one in meta["patterns"])
        weights = np.ascontiguousarray(arrays["weights"], np.uint16)
    except (KeyError, TypeError) as error:
        raise CorruptError(f"these are no pattern tables: {error} is missing") from None
    patterns = _core.PatternSet.parse(text)
    tables = _core.PatternTables(patterns)
    tables.load(unfold(patterns, weights))
    return tables
