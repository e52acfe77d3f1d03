"""Training data of pattern tables for outside analysis, as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from ludus import _core
from ludus.errors import UserError
from ludus.games.pattern_tables import described
from ludus.learners.td import TdLearner
from ludus.monitor.inspect.learning import TracedMove, trace_game
from ludus.monitor.inspect.patterns import discs_of

MOVE_COLUMNS: Final = ("game", *TracedMove.__dataclass_fields__)
"""Of :func:`export_moves`."""

ENTRY_COLUMNS: Final = ("pattern", "stage", "index", "weight", "discs", "updates", "steps")
"""Of :func:`export_entries`."""


def export_moves(
    source: _core.PatternTables | TdLearner,
    games: Sequence[str | Sequence[int]],
    target: Path,
    *,
    trace_lambda: float | None = None,
    cut: bool | None = None,
    numbers: Sequence[int] | None = None,
) -> int:
    """Training data of games as CSV: a row a move with value, target and error.

    Args:
        source: tables that judge, or a learner with its tables.
        games: transcripts, or actions.
        target: a new file.
        trace_lambda: share of the later targets in a target; None: the learner's, else 0.3.
        cut: whether a target ends at a move that was not the best; None: the learner's, else yes.
        numbers: of the games, for the column ``game``; from 0 by default.

    Returns: the number of rows.

    Raises:
        GameError: see :func:`trace_game`.
        RunError: the file exists, or cannot be written.
    """
    from ludus.monitor.inspect.tables import as_csv, write_new

    learner = source if isinstance(source, TdLearner) else None
    how = (0.3, True) if learner is None else (learner.options.trace_lambda, learner.options.cut)
    tables = source.tables if isinstance(source, TdLearner) else source
    rows = [
        {"game": number, **asdict(move)}
        for number, game in zip(numbers or range(len(games)), games, strict=True)
        for move in trace_game(
            tables,
            game,
            trace_lambda=how[0] if trace_lambda is None else trace_lambda,
            cut=how[1] if cut is None else cut,
        ).moves
    ]
    write_new(target, as_csv(MOVE_COLUMNS, rows))
    return len(rows)


def export_entries(learner: TdLearner, target: Path, *, stage: int | None = None) -> int:
    """What a learner has learned as CSV: a row an entry that was ever updated.

    Args:
        learner: at rest.
        target: a new file.
        stage: only this one; all stages of a long training are millions of rows.

    Returns: the number of rows.

    Raises:
        UserError: no such stage.
        RunError: the file exists, or cannot be written.
    """
    from ludus.monitor.inspect.tables import as_csv, write_new

    patterns = learner.patterns
    if stage is not None and not 0 <= stage < patterns.stages:
        raise UserError(f"there is no stage {stage}; stages are 0 to {patterns.stages - 1}")
    shape = (int(patterns.stages), int(patterns.slots))
    entries, counts = learner.entries()
    updates, steps = counts.reshape(shape), entries.reshape(*shape, 4)[:, :, 3]
    rows: list[dict[str, Any]] = []
    for at in range(patterns.stages) if stage is None else (stage,):
        for number, one in enumerate(described(patterns)):
            _, index = np.unique(patterns.slots_of(number), return_index=True)
            weights = learner.tables.weights(number, at)
            part = slice(one["first_slot"], one["first_slot"] + one["slots"])
            for slot in np.flatnonzero(updates[at, part]).tolist():
                weight = int(weights[index[slot]])
                rows.append(
                    {
                        "pattern": number,
                        "stage": at,
                        "index": int(index[slot]),
                        "weight": weight,
                        "discs": discs_of(weight),
                        "updates": int(updates[at, part][slot]),
                        "steps": int(steps[at, part][slot]),
                    }
                )
    write_new(target, as_csv(ENTRY_COLUMNS, rows))
    return len(rows)
