"""Rows of iterations and curves, made from the history of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ludus.monitor.report.reading import RunData, number

CLOCKS = ("iterations", "games", "minutes")
"""What curves over a run's life may be drawn over."""

MOST_POINTS = 600
"""Points of a curve; neighbours are merged into their mean beyond."""

_FIELDS = {
    "loss": ("train", "loss_total"),
    "loss_policy": ("train", "loss_policy"),
    "loss_value": ("train", "loss_value"),
    "network_entropy": ("train", "entropy"),
    "target_entropy": ("audit", "target_entropy"),
    "policy_entropy": ("selfplay", "policy_entropy"),
    "learning_rate": ("train", "learning_rate"),
    "mean_score": ("selfplay", "mean_score"),
    "score_difference": ("selfplay", "score_difference"),
    "mean_plies": ("selfplay", "mean_plies"),
    "games_per_second": ("selfplay", "games_per_second"),
    "leaves_per_second": ("selfplay", "leaves_per_second"),
}
"""Name of a curve -> phase and field of an entry of the history."""


@dataclass
class Curve:
    """A figure over a clock, with an interval where one is known.

    Attributes:
        name: of the figure; ``win_rate:<opponent>`` for matches.
        clock: what x counts.
        x, y: points in order of x.
        low, high: 95 % interval of each point; empty if there is none.
        notes: a word for each point (``promoted``, ``kept``, ``bound``); empty if there is none.
    """

    name: str
    clock: str
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        x: float,
        y: float,
        interval: tuple[float, float] | None = None,
        note: str | None = None,
    ) -> None:
        """Take a point; all points of a curve have an interval, or none."""
        self.x.append(x)
        self.y.append(y)
        if interval is not None:
            self.low.append(interval[0])
            self.high.append(interval[1])
        if note is not None:
            self.notes.append(note)

    def thinned(self, most: int = MOST_POINTS) -> Curve:
        """The curve with at most so many points: means of neighbours."""
        each = -(-len(self.x) // most)
        if each <= 1:
            return self
        parts = [slice(at, at + each) for at in range(0, len(self.x), each)]

        def means(values: list[float]) -> list[float]:
            return [sum(values[part]) / len(values[part]) for part in parts] if values else []

        return Curve(
            self.name,
            self.clock,
            [self.x[part][-1] for part in parts],
            means(self.y),
            means(self.low),
            means(self.high),
            [self.notes[part][-1] for part in parts] if self.notes else [],
        )

    def as_json(self) -> dict[str, Any]:
        """For ``metrics.json``; what is empty is left out."""
        whole = {"clock": self.clock, "x": self.x, "y": self.y}
        more = {"low": self.low, "high": self.high, "notes": self.notes}
        return {**whole, **{name: values for name, values in more.items() if values}}


def iteration_rows(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One flat row an iteration: clocks, figures, gate, rating, win rates; None where unknown.

    ``games`` and ``minutes`` count from the run's birth to the end of the iteration; minutes are
    those of its phases.
    """
    rows: list[dict[str, Any]] = []
    games = minutes = 0.0
    for entry in history:
        seconds = _seconds(entry)
        played = number(_part(entry, "selfplay").get("games")) or 0.0
        games, minutes = games + played, minutes + (seconds or 0.0) / 60.0
        gate, evaluate = _part(entry, "gate"), _part(entry, "evaluate")
        rating = _part(evaluate, "rating")
        rows.append(
            {
                "iteration": int(number(entry.get("iteration")) or 0),
                "finished": number(entry.get("finished_ms")) is not None,
                "games": int(games),
                "minutes": minutes,
                "seconds": seconds,
                "games_per_hour": 3600.0 * played / seconds if seconds and played else None,
                **{
                    name: number(_part(entry, phase).get(key))
                    for name, (phase, key) in _FIELDS.items()
                },
                "promoted": entry.get("promoted"),
                "gate_reason": gate.get("reason"),
                "gate_games": number(gate.get("games")),
                "gate_win_rate": number(gate.get("win_rate")),
                "gate_low": number(gate.get("win_rate_low")),
                "gate_high": number(gate.get("win_rate_high")),
                "elo": number(rating.get("elo")),
                "elo_se": number(rating.get("elo_se")),
                "elo_standing": rating.get("standing"),
                "elo_bound": number(rating.get("bound")),
                "elo_anchor": rating.get("anchor"),
                "matches": {str(who): _match(one) for who, one in _results(evaluate)},
            }
        )
    return rows


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = entry.get(name)
    return found if isinstance(found, Mapping) else {}


def _results(evaluate: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    found = evaluate.get("results")
    if isinstance(found, Mapping):
        for who, one in found.items():
            if isinstance(one, Mapping):
                yield who, one


def _match(result: Mapping[str, Any]) -> dict[str, float | None]:
    wanted = ("win_rate", "win_rate_low", "win_rate_high", "games", "mean", "std")
    return {name: number(result.get(name)) for name in wanted}


def _seconds(entry: Mapping[str, Any]) -> float | None:
    known = [
        number(_part(entry, phase).get("seconds"))
        for phase in ("selfplay", "train", "gate", "evaluate")
    ]
    if any(seconds is not None for seconds in known):
        return sum(seconds or 0.0 for seconds in known)
    return None


def history_curves(rows: Sequence[Mapping[str, Any]], clock: str = "iterations") -> list[Curve]:
    """All curves over the run's life.

    Args:
        rows: of :func:`iteration_rows`.
        clock: one of :data:`CLOCKS`; iterations are numbered from 1 here, as finished ones.
    """
    curves: dict[str, Curve] = {}

    def curve(name: str) -> Curve:
        return curves.setdefault(name, Curve(name, clock))

    for row in rows:
        x = row["iteration"] + 1.0 if clock == "iterations" else float(row[clock])
        for name in (*_FIELDS, "games_per_hour"):
            if row[name] is not None:
                curve(name).add(x, row[name])
        if row["gate_win_rate"] is not None and row["gate_low"] is not None:
            note = "promoted" if row["promoted"] else "kept"
            interval = (row["gate_low"], row["gate_high"] or row["gate_win_rate"])
            curve("gate_win_rate").add(x, row["gate_win_rate"], interval, note)
        if row["elo"] is not None and row["elo_standing"] == "rated":
            error = 1.96 * (row["elo_se"] or 0.0)
            curve("elo").add(x, row["elo"], (row["elo"] - error, row["elo"] + error))
        for who, one in row["matches"].items():
            if one["mean"] is not None and one["games"]:
                # A suite that each seat plays for itself: its points are what it measures.
                error = 1.96 * (one["std"] or 0.0) / one["games"] ** 0.5
                curve(f"mean:{who}").add(x, one["mean"], (one["mean"] - error, one["mean"] + error))
            elif one["win_rate"] is not None:
                low, high = one["win_rate_low"], one["win_rate_high"]
                interval = (
                    one["win_rate"] if low is None else low,
                    one["win_rate"] if high is None else high,
                )
                curve(f"win_rate:{who}").add(x, one["win_rate"], interval)
    return [one.thinned() for one in curves.values()]


def step_curves(data: RunData) -> list[Curve]:
    """Curves over optimizer steps and over the run's minutes, from the logs."""
    curves = [
        Curve(f"step:{name}", "train_step", list(series.x), list(series.y)).thinned()
        for name, series in data.steps.items()
        if len(series)
    ]
    if len(data.memory):
        curves.append(
            Curve("memory", "minutes", list(data.memory.x), list(data.memory.y)).thinned()
        )
    return curves
