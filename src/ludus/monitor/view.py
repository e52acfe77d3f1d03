"""The view: a run directory becomes a picture of the run. Terminal, report and page only draw it.

Nothing is locked or changed, and nothing but the directory is needed. What cannot be read is left
out and said, never raised: a run may be half born, torn by a power cut, or written by another
version.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ludus.errors import LudusError
from ludus.monitor.series import Series
from ludus.runs import NdjsonReader, RunSummary, describe_run, read_summary

MOST_EVENTS = 500
"""Newest events that a view holds."""

CURVES: dict[str, dict[str, tuple[str, ...]]] = {
    "train_step": {
        "train_step": ("loss_total", "loss_policy", "loss_value", "entropy", "lr", "grad_norm")
    },
    "selfplay_iter": {
        "iteration": (
            "games_per_second",
            "leaves_per_second",
            "mean_score",
            "mean_plies",
            "policy_entropy",
            "fallback_rate",
        )
    },
    "gate_summary": {"iteration": ("win_rate",)},
    "rating": {"iteration": ("elo",)},
}
"""Record -> clock -> numeric fields that become curves named ``<record>.<field>``."""


@dataclass(frozen=True)
class RunView:
    """A picture of a run at one moment.

    Attributes:
        path: the directory.
        taken: when, seconds since 1970.
        problem: why the run cannot be read, for people; None when it can.
        summary: run, commit, counters, holder of the lock; None with a problem.
        status: the status document; empty if unknown.
        status_age: seconds since it was written; None if unknown.
        iterations: history, oldest first; its last entry may be in progress.
        events: newest last, at most :data:`MOST_EVENTS`.
        curves: by ``<record>.<field>``.
        bad_lines: lines of the logs that were no JSON.
    """

    path: Path
    taken: float
    problem: str | None
    summary: RunSummary | None
    status: Mapping[str, Any]
    status_age: float | None
    iterations: list[dict[str, Any]]
    events: list[dict[str, Any]]
    curves: Mapping[str, Series]
    bad_lines: int = 0

    @property
    def state(self) -> str:
        """``idle``, ``training``, ``paused``, ``done``, ``error``, ``dead``, ``unknown``."""
        return "unknown" if self.summary is None else self.summary.state

    @property
    def figures(self) -> Mapping[str, float | None]:
        """The figures of the catalogue by name; empty if unknown."""
        return self.status.get("figures") or {}


@dataclass
class RunReader:
    """Looks at one run again and again; logs are read on from where the last look ended."""

    path: Path
    _events: NdjsonReader = field(init=False)
    _metrics: NdjsonReader = field(init=False)
    _restarts: tuple[int, int] = (0, 0)
    _kept: list[dict[str, Any]] = field(default_factory=list)
    _curves: dict[str, Series] = field(default_factory=dict)
    _status: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._events = NdjsonReader(self.path / "logs" / "events.ndjson")
        self._metrics = NdjsonReader(self.path / "logs" / "metrics.ndjson")

    def look(self) -> RunView:
        """The run as it is now. A status that cannot be parsed leaves the last good one."""
        problem, summary = None, None
        try:
            summary = describe_run(self.path)
            problem = summary.error
        except LudusError as error:
            problem = str(error)
        if summary is not None and summary.status is not None:
            self._status = dict(summary.status)
        try:
            self._read_logs()
        except OSError as error:
            problem = problem or f"the logs cannot be read: {error.strerror}"
        written = self._status.get("ts_ms")
        now = time.time()
        history = (read_summary(self.path) or {}).get("iterations") or []
        return RunView(
            path=self.path,
            taken=now,
            problem=problem,
            summary=summary,
            status=self._status,
            status_age=None if written is None else max(0.0, now - written / 1000),
            iterations=[entry for entry in history if isinstance(entry, dict)],
            events=list(self._kept),
            curves=dict(self._curves),
            bad_lines=self._events.bad + self._metrics.bad,
        )

    def _read_logs(self) -> None:
        events, metrics = list(self._events.poll()), list(self._metrics.poll())
        if (self._events.restarts, self._metrics.restarts) != self._restarts:
            # A resumed run cut what was not committed: what was read before is read again.
            self._restarts = (self._events.restarts, self._metrics.restarts)
            self.__post_init__()
            self._restarts = (0, 0)
            self._kept, self._curves = [], {}
            events, metrics = list(self._events.poll()), list(self._metrics.poll())
        self._kept = [*self._kept, *events][-MOST_EVENTS:]
        for record in metrics:
            self._draw(record)

    def _draw(self, record: Mapping[str, Any]) -> None:
        name = str(record.get("event"))
        for clock, fields in CURVES.get(name, {}).items():
            x = record.get("step") if clock == name else record.get(clock)
            if not isinstance(x, int | float):
                continue
            for one in fields:
                y = record.get(one)
                if isinstance(y, int | float) and not isinstance(y, bool):
                    key = f"{name}.{one}"
                    series = self._curves.setdefault(key, Series(clock))
                    if not series.x or x >= series.x[-1]:
                        series.add(float(x), float(y))
