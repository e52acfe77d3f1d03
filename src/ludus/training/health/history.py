"""Series of figures out of a run's history (the entries of ``run.json``, oldest first)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
History = Sequence[Entry]

PREVIOUS = "previous"
"""The opponent that is another player each time."""

PHASES = ("selfplay", "train", "gate", "evaluate")


@dataclass(frozen=True)
class Points:
    """A figure over iterations.

    Attributes:
        x: numbers of iterations, ascending.
        y: values, finite.
    """

    x: list[float]
    y: list[float]

    def last(self, points: int) -> Points:
        """The newest points."""
        return Points(self.x[-points:], self.y[-points:])

    def __len__(self) -> int:
        return len(self.y)


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < float("inf") else None


def figure(entry: Entry, part: str, *names: str) -> float | None:
    """The first of these figures that a part of an iteration has."""
    found = entry.get(part) or {}
    for name in names:
        value = number(found.get(name))
        if value is not None:
            return value
    return None


def series(history: Iterable[Entry], part: str, *names: str) -> Points:
    """A figure of a part (``selfplay``, ``train``, ``audit``) where it is known."""
    points = Points([], [])
    for entry in history:
        value = figure(entry, part, *names)
        if value is not None:
            points.x.append(float(entry["iteration"]))
            points.y.append(value)
    return points


def win_rates(history: Iterable[Entry]) -> dict[str, Points]:
    """Win rates against each opponent that stays the same, at the newest budget.

    An opponent is the same when name, identity, simulations and worlds are.
    """
    found: dict[str, Points] = {}
    who: dict[str, tuple[str, Any, Any]] = {}
    for entry in history:
        evaluate = entry.get("evaluate") or {}
        for name, result in (evaluate.get("results") or {}).items():
            rate = number(result.get("win_rate"))
            if name == PREVIOUS or rate is None:
                continue
            # The order of keys is another one once the entry has been read from its file.
            player = json.dumps(result.get("player"), sort_keys=True)
            identity = (player, evaluate.get("simulations"), evaluate.get("worlds"))
            if who.setdefault(name, identity) != identity:
                who[name], found[name] = identity, Points([], [])
            points = found.setdefault(name, Points([], []))
            points.x.append(float(entry["iteration"]))
            points.y.append(rate)
    return found


def games(entry: Entry) -> float:
    """Games of self-play of an iteration."""
    return figure(entry, "selfplay", "games") or 0.0


def seconds(entry: Entry) -> float:
    """Seconds worked on an iteration; pauses do not count."""
    return sum(figure(entry, part, "seconds") or 0.0 for part in PHASES)


def rating(entry: Entry) -> Mapping[str, Any] | None:
    """The rating made in an iteration."""
    found = (entry.get("evaluate") or {}).get("rating")
    return found if isinstance(found, Mapping) else None
