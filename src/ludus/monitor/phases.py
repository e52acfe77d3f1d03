"""How far a run and the phases of its iteration have come, for bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ludus.monitor.view import RunView, number, table
from ludus.training import amounts

PHASES = ("selfplay", "train", "gate", "evaluate")
"""Phases of an iteration in their order, where a status does not say which ones a run has."""


@dataclass(frozen=True)
class Bar:
    """Progress of one phase of the iteration in progress.

    Attributes:
        phase: its name.
        state: ``done``, ``now`` or ``next``.
        done: units done; None if unknown.
        total: units in all; None if unknown.
        unit: ``games``, ``steps``, ``pairs``, ...
    """

    phase: str
    state: Literal["done", "now", "next"]
    done: float | None
    total: float | None
    unit: str

    @property
    def share(self) -> float:
        """In 0..1."""
        if self.state == "done":
            return 1.0
        if self.state == "next" or self.done is None or not self.total:
            return 0.0
        return min(1.0, max(0.0, self.done / self.total))


def iteration_number(view: RunView) -> int | None:
    """The iteration in progress as people count: from 1; the last one when the run is done."""
    index = number(view.status.get("iteration"))
    if index is None:
        return None
    total = number(view.status.get("total_iterations"))
    shown = int(index) + 1
    return shown if total is None else min(shown, max(1, int(total)))


def games_now(view: RunView) -> float | None:
    """Games of self-play in the iteration in progress, as the settings have it."""
    index = number(view.status.get("iteration"))
    selfplay = {
        key.removeprefix("selfplay."): value
        for key, value in view.settings.items()
        if key.startswith("selfplay.")
    }
    if number(selfplay.get("games_per_iteration")) is None:
        return None
    return float(amounts.games_in(int(index or 0), *amounts.amounts_of(selfplay)))


def run_share(view: RunView) -> float | None:
    """Share of the run's iterations that is done, in 0..1; None without an end."""
    share = number(view.figures.get("progress"))
    if share is None:
        index = number(view.status.get("iteration"))
        total = number(view.status.get("total_iterations"))
        if index is None or total is None:
            return None
        share = index / total if total > 0 else 0.0
    return min(1.0, max(0.0, share))


def phase_bars(view: RunView) -> list[Bar]:
    """The phases of the iteration in progress; empty when there is none."""
    status = view.status
    phase = status.get("phase")
    phases = _phases(view)
    if phase not in phases:
        phase = _standing(view)
    if phase is None:
        return []
    record = _record(view)
    now = phases.index(phase)
    bars = []
    for index, name in enumerate(phases):
        done, total, unit = _target(view, name, record)
        state: Literal["done", "now", "next"] = "next"
        if index < now:
            state, done = "done", total if done is None else done
        elif index == now:
            state = "now"
            progress = table(status.get("progress"))
            done = number(progress.get("done")) if progress.get("total") else done
            total = number(progress.get("total")) or total
            unit = str(progress.get("unit") or unit)
        bars.append(Bar(name, state, done, total, unit))
    return bars


def _phases(view: RunView) -> tuple[str, ...]:
    found = view.status.get("phases")
    known = tuple(name for name in PHASES if isinstance(found, list) and name in found)
    return known or PHASES


def _standing(view: RunView) -> str | None:
    """The phase in which a run that rests would go on."""
    if view.state == "done" or not view.iterations:
        return None
    record = _record(view)
    if not record:
        return None
    for name in _phases(view):
        if not table(record.get(name)).get("finished_ms"):
            return name
    return None


def _record(view: RunView) -> Mapping[str, Any]:
    """What the history says of the iteration in progress."""
    index = number(view.status.get("iteration"))
    found = (entry for entry in reversed(view.iterations) if entry.get("iteration") == index)
    return table(next(found, None))


def _target(
    view: RunView, name: str, record: Mapping[str, Any]
) -> tuple[float | None, float | None, str]:
    """Units done and in all, as history and settings say."""
    part = table(record.get(name))
    settings = view.settings
    if name == "selfplay":
        return number(part.get("games")), games_now(view), "games"
    if name == "train":
        total = number(part.get("steps_target"))
        total = total or number(settings.get("training.steps_per_iteration"))
        return number(part.get("steps_completed")), total, "steps"
    if name == "gate":
        if settings.get("gating.mode") == "duplicate":
            deals = number(part.get("deals"))
            return deals, deals or number(settings.get("gating.deals")), "deals"
        pairs = number(part.get("pairs"))
        return pairs, pairs or number(settings.get("gating.max_pairs")), "pairs"
    return None, None, "games"
