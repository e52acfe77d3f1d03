"""Two states of pattern tables side by side: which weights changed, and which of them oddly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import UserError
from ludus.evaluators.tables import DISC, NEUTRAL, TableEvaluator
from ludus.games.othello_position import SQUARES
from ludus.games.pattern_tables import described, fold
from ludus.monitor.inspect.findings import Anomaly
from ludus.monitor.inspect.patterns import contents_text, discs_of

_BOUND = 126.9
"""Discs; a weight beyond is at the bound of what is learned, see ``cpp/patterns/td.cpp``."""

_SHOWN = 5
_FEW = 10
"""Changes of a pattern in a stage that say what is usual there."""


def compare_checkpoints(first: str | Path, second: str | Path, top: int = 20) -> dict[str, Any]:
    """What changed between two files of pattern tables.

    Args:
        first: a run, a checkpoint or a file of ``models/``.
        second: likewise.
        top: entries that are listed.

    Returns: see :func:`compare_tables`.

    Raises:
        RunError: no tables there.
        UserError: tables of different patterns.
    """
    return compare_tables(TableEvaluator(first).tables, TableEvaluator(second).tables, top)


def compare_tables(
    before: _core.PatternTables, after: _core.PatternTables, top: int = 20
) -> dict[str, Any]:
    """What changed from one state of tables to another.

    What a pattern's own symmetry makes equal is one entry. Changes are in discs.

    Args:
        before: tables.
        after: tables of the same patterns.
        top: entries that are listed.

    Returns: JSON: ``entries`` and ``changed`` (numbers), ``mean`` and ``largest`` size of the
        changes of those that changed; ``patterns``, ``stages``: a row for each with the same
        figures; ``most``: the entries that changed most, each with ``pattern``, ``name``,
        ``stage``, ``index``, ``squares``, ``contents``, ``weight_before``, ``weight_after``,
        ``before``, ``after`` and ``change``.

    Raises:
        UserError: tables of different patterns.
    """
    old, new = _folded(before, after)
    change = (new.astype(np.int32) - old).astype(np.float32) / np.float32(DISC)
    patterns = described(before.set)
    return {
        **_figures(change),
        "patterns": [
            {"pattern": number, "name": one["name"], **_figures(change[:, _part(one)])}
            for number, one in enumerate(patterns)
        ],
        "stages": [{"stage": stage, **_figures(row)} for stage, row in enumerate(change)],
        "most": [
            entry_document(before.set, stage, slot, int(old[stage, slot]), int(new[stage, slot]))
            for stage, slot in _largest(np.abs(change), top)
        ],
    }


def _largest(sizes: npt.NDArray[np.float32], top: int) -> list[tuple[int, int]]:
    """Places of the largest numbers above 0, largest first, ties in order."""
    flat = sizes.reshape(-1)
    count = min(top, int(np.count_nonzero(flat)))
    if count == 0:
        return []
    least = np.partition(flat, len(flat) - count)[len(flat) - count]
    found = np.flatnonzero(flat >= least)
    found = found[np.argsort(-flat[found], kind="stable")][:count]
    width = sizes.shape[1]
    return [(place // width, place % width) for place in found.tolist()]


def entry_document(
    patterns: _core.PatternSet, stage: int, slot: int, before: int, after: int
) -> dict[str, Any]:
    """An entry of folded tables and its weights, as in :func:`compare_tables`."""
    for number, one in enumerate(described(patterns)):
        if one["first_slot"] <= slot < one["first_slot"] + one["slots"]:
            index = int(np.argmax(patterns.slots_of(number) == slot - one["first_slot"]))
            squares = one["placements"][0]
            return {
                "pattern": number,
                "name": one["name"],
                "stage": stage,
                "index": index,
                "squares": [SQUARES[square] for square in squares],
                "contents": contents_text(len(squares), index),
                "weight_before": before,
                "weight_after": after,
                "before": discs_of(before),
                "after": discs_of(after),
                "change": (after - before) / DISC,
            }
    raise IndexError(slot)


def entry_text(entry: Mapping[str, Any]) -> str:
    """An entry in a few words: where it is, and its weights."""
    return (
        f"{entry['name']} (pattern {entry['pattern']}) stage {entry['stage']} index "
        f"{entry['index']} [{entry['contents']}]: {entry['weight_before']} -> "
        f"{entry['weight_after']} ({entry['change']:+.3f} discs)"
    )


def changes_text(document: Mapping[str, Any]) -> str:
    """:func:`compare_tables` for people."""
    lines = [
        f"{document['changed']:,} of {document['entries']:,} weights changed, by "
        f"{document['mean']:.3f} discs on average, at most {document['largest']:.3f}",
        "",
        f"{'pattern':<22} {'changed':>9} {'of':>9} {'mean':>7} {'largest':>8}",
    ]
    for one in document["patterns"]:
        lines.append(
            f"{one['name']:<22} {one['changed']:>9,} {one['entries']:>9,} {one['mean']:>7.3f} "
            f"{one['largest']:>8.3f}"
        )
    changed = [one for one in document["stages"] if one["changed"]]
    if changed:
        most = max(changed, key=lambda one: one["mean"])
        lines.append(
            f"stages {changed[0]['stage']} to {changed[-1]['stage']} changed, stage "
            f"{most['stage']} most ({most['mean']:.3f} discs on average)"
        )
    lines += ["", *map(entry_text, document["most"])]
    return "\n".join(lines).rstrip()


def find_table_anomalies(
    before: _core.PatternTables,
    after: _core.PatternTables,
    *,
    discs: float = 8.0,
    times: float = 30.0,
) -> list[Anomaly]:
    """Sudden large changes, and weights at the bound.

    A change is odd when it is larger than ``discs`` and than ``times`` the median of its pattern
    and stage (of what changed there, if that is ten weights or more). Tables that were neutral
    before have only learned.

    Args:
        before: tables.
        after: tables of the same patterns.
        discs: that a change is odd from.
        times: likewise.

    Raises:
        UserError: tables of different patterns.
    """
    old, new = _folded(before, after)
    found = []
    if (old != NEUTRAL).any():
        size = np.abs(new.astype(np.int32) - old) / np.float32(DISC)
        odd = np.zeros_like(size)
        for one in described(before.set):
            part = _part(one)
            for stage in range(len(size)):
                row = size[stage, part]
                changed = row[row > 0]
                usual = float(np.median(changed)) if len(changed) >= _FEW else 0.0
                odd[stage, part] = np.where(row > max(discs, times * usual), row, 0)
        text = (
            f"{{count}} weights changed by more than {discs:g} discs and {times:g} times what is "
            "usual for their pattern and stage"
        )
        found += _told("weights_jumped", before.set, old, new, odd, text)
    size = np.abs(new.astype(np.int32) - NEUTRAL) / np.float32(DISC)
    bound = np.where(size > _BOUND, size, 0)
    return found + _told(
        "weights_at_bound", before.set, old, new, bound, "{count} weights are at the bound"
    )


def _told(
    kind: str,
    patterns: _core.PatternSet,
    old: npt.NDArray[np.uint16],
    new: npt.NDArray[np.uint16],
    sizes: npt.NDArray[np.float32],
    text: str,
) -> list[Anomaly]:
    count = int(np.count_nonzero(sizes))
    if not count:
        return []
    entries = [
        entry_document(patterns, stage, slot, int(old[stage, slot]), int(new[stage, slot]))
        for stage, slot in _largest(sizes, _SHOWN)
    ]
    return [
        Anomaly(
            kind,
            "warning",
            f"{text.format(count=count)}, most of all {entry_text(entries[0])}",
            {"count": count, "entries": entries},
        )
    ]


def _folded(
    before: _core.PatternTables, after: _core.PatternTables
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    if before.set.digest != after.set.digest:
        raise UserError(
            f"tables of different patterns cannot be compared: {before.set.digest} and "
            f"{after.set.digest}"
        )
    return fold(before.set, before.all()), fold(after.set, after.all())


def _part(pattern: Mapping[str, Any]) -> slice:
    return slice(pattern["first_slot"], pattern["first_slot"] + pattern["slots"])


def _figures(change: npt.NDArray[np.float32]) -> dict[str, Any]:
    size = np.abs(change[change != 0])
    return {
        "entries": int(change.size),
        "changed": int(size.size),
        "mean": float(size.mean()) if size.size else 0.0,
        "largest": float(size.max()) if size.size else 0.0,
    }
