"""Entries of tables that were repaired: told, counted, and learning goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ludus.games.pattern_tables import described
from ludus.learners.td_sums import Repair
from ludus.logs import get_logger
from ludus.training.tables.session import TableSession

_LOG = get_logger("training.tables")

_TOLD = 10
"""Repairs of a unit of work that have an event each; all are counted."""


def tell_repairs(session: TableSession, repairs: Sequence[Repair]) -> None:
    """An event ``divergence`` for each repair, with pattern, stage, index and value.

    Unlike a network, whose weights are all touched by a number that is none, tables are wrong in
    one entry alone: it is neutral again, or at its bound, and nothing has to be undone.
    """
    if not repairs:
        return
    patterns = described(session.learner.patterns)
    texts = []
    for repair in repairs[:_TOLD]:
        finite = math.isfinite(repair.weight)
        what = "range" if finite else "nan" if math.isnan(repair.weight) else "inf"
        name = patterns[repair.pattern]["name"]
        texts.append(
            f"the weight of pattern {repair.pattern} ({name}), stage {repair.stage}, index "
            f"{repair.index} became {repair.weight:g} discs; it is "
            + ("at its bound" if finite else "neutral again")
        )
        session.run.events.append_if_possible(
            "divergence",
            place="table",
            what=what,
            value=str(repair.weight),
            message=texts[-1],
            games=session.learner.games,
            iteration=session.iteration,
            phase="selfplay",
            pattern=repair.pattern,
            pattern_name=name,
            stage=repair.stage,
            index=repair.index,
        )
        _LOG.warning(texts[-1], event="divergence")
    session.book.add(
        "numbers",
        texts[-1],
        games=session.begun_games,
        window=session.settings.guards.error_window_games,
        count=len(repairs),
    )
