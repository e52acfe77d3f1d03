"""What a game offers to be measured by, found in its registry entry; all of it is optional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ludus.arena import GameFigures, match_figures, match_rates
from ludus.games import GameEntry


def oracle_figures(entry: GameEntry) -> GameFigures | None:
    """Counts of decisions that agree with the game's oracle; None for a game without one."""
    judge = entry.suites.get("judge")
    return None if judge is None else match_figures(entry.rules, judge)


def oracle_rates(entry: GameEntry, figures: Mapping[str, float]) -> dict[str, Any] | None:
    """Match rates by kind of decision from summed figures; None if there are none."""
    if "ignored" not in figures:
        return None
    return match_rates(figures, list(entry.rules.decision_kinds))
