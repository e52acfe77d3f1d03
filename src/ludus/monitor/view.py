"""The view: a run directory becomes a picture of the run. Terminal, report and page only draw it.

Nothing is locked or changed, and nothing but the directory is needed. What cannot be read is left
out and said, never raised: a run may be half born, torn by a power cut, or written by another
version.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ludus.errors import LudusError
from ludus.monitor.logs import Curves, Tail
from ludus.monitor.series import Series
from ludus.monitor.sources import Pulse, changed_settings, read_settings, seen_from_here
from ludus.runs import (
    PROTOCOL_VERSION,
    RunSummary,
    describe_run,
    lock_holder,
    read_status,
    read_summary,
)

MOST_EVENTS = 500
"""Newest events that a view holds."""

STALE_SECONDS = 15.0
"""A status is written every second; one this old is old."""


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
        settings: every setting by dotted key, as at birth with the changes since; empty if unknown.
        torn: whether the newest status could not be read, so that an older one is shown.
        remote: whether the trainer works on another machine, whose lock cannot be seen from here.
        read: share of the metrics that has been read; below 1 while a long log is caught up with.
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
    settings: Mapping[str, Any] = field(default_factory=dict)
    torn: bool = False
    remote: bool = False
    read: float = 1.0

    @property
    def alive(self) -> bool:
        """Whether a process works on the run, as far as can be seen from here."""
        if self.summary is not None and self.summary.holder is not None:
            return True
        return self.remote and self.status_age is not None and self.status_age < STALE_SECONDS

    @property
    def state(self) -> str:
        """One word for what the run does.

        ``idle``, ``training``, ``paused``, ``done``, ``error``, ``dead``, ``unknown``, or
        ``starting``: a process has the run and has not said anything yet.
        """
        if self.summary is None:
            return "unknown"
        said, holder = self.status.get("state"), self.summary.holder
        if not isinstance(said, str):
            return "starting" if holder is not None else "unknown"
        if holder is not None and holder.pid not in (0, self.status.get("pid")):
            return "starting"
        if said == "training" and not self.alive:
            return "dead"
        return said

    @property
    def stale(self) -> bool:
        """Whether the status is older than that of a process at work should be."""
        old = self.status_age is not None and self.status_age >= STALE_SECONDS
        return old and self.alive and self.state in ("training", "paused")

    @property
    def figures(self) -> Mapping[str, float | None]:
        """The figures of the catalogue by name; empty if unknown."""
        return table(self.status.get("figures"))

    def aged(self, now: float) -> RunView:
        """The same picture some seconds later: ages have grown, nothing else is known."""
        if self.status_age is None:
            return replace(self, taken=now)
        return replace(self, taken=now, status_age=self.status_age + max(0.0, now - self.taken))


def table(value: Any) -> dict[str, Any]:
    """A mapping out of a document of somebody else: anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def is_gated(status: Mapping[str, Any]) -> bool:
    """Whether a run has candidates that become champions; pattern tables have none.

    Args:
        status: of the run; one that does not say is of a run that has.
    """
    phases = status.get("phases")
    return not isinstance(phases, list) or "gate" in phases


def number(value: Any) -> float | None:
    """A finite number out of a document of somebody else: anything else is None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < float("inf") else None


@dataclass
class RunReader:
    """Looks at one run again and again.

    Files that did not change are not read again, logs are read on from where the last look ended.

    Attributes:
        path: the run directory.
        budget: seconds that a look may spend on the metrics; what is left is read by the next one.
            None reads all.
    """

    path: Path
    budget: float | None = None
    _events: Tail = field(init=False)
    _metrics: Curves = field(init=False)
    _status: dict[str, Any] = field(default_factory=dict)
    _torn: bool = False
    _pulse: Pulse = field(default_factory=Pulse)
    _summary: RunSummary | None = None
    _history: list[dict[str, Any]] = field(default_factory=list)
    _changed: dict[str, Any] = field(default_factory=dict)
    _settings: dict[str, Any] = field(default_factory=dict)
    _stamps: dict[str, tuple[int, int, int] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._events = Tail(self.path / "logs" / "events.ndjson", MOST_EVENTS)
        self._metrics = Curves(self.path / "logs" / "metrics.ndjson")

    def look(self) -> RunView:
        """The run as it is now. A status that cannot be parsed leaves the last good one."""
        problem = None
        self._look_at_status()
        try:
            self._look_at_commit()
        except LudusError as error:
            self._summary = None
            self._stamps.pop("manifests", None)
            problem = str(error)
        except OSError as error:
            problem = f"{self.path} cannot be read: {error.strerror}"
        summary = self._summary
        if summary is not None:
            status = self._status or None
            summary = replace(summary, status=status, holder=lock_holder(self.path))
            problem = problem or summary.error or _newer(self._status)
        try:
            self._events.read()
            self._metrics.read(self.budget)
        except OSError as error:
            problem = problem or f"the logs cannot be read: {error.strerror}"
        return RunView(
            path=self.path,
            taken=time.time(),
            problem=problem,
            summary=summary,
            status=self._status,
            status_age=self._pulse.age(),
            iterations=self._history,
            events=list(self._events.kept),
            curves=self._metrics.curves(),
            bad_lines=self._events.bad + self._metrics.bad,
            settings={**self._settings, **self._changed},
            torn=self._torn,
            remote=summary is not None and not seen_from_here(self.path),
            read=self._metrics.share,
        )

    def _new(self, name: str) -> bool:
        """Whether a file or folder changed since it was last asked for."""
        try:
            about = os.stat(self.path / name)
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
        except OSError:
            stamp = None
        if name in self._stamps and self._stamps[name] == stamp:
            return False
        self._stamps[name] = stamp
        return True

    def _look_at_status(self) -> None:
        if not self._new("status.json"):
            return
        found = read_status(self.path)
        self._torn = found is None and self._stamps["status.json"] is not None
        if found is not None:
            self._status = found
            self._pulse.take(found)

    def _look_at_commit(self) -> None:
        """Newest commit, history and settings, when there is a newer commit.

        Raises:
            RunError: no run directory.
        """
        if self._new("manifests") or self._summary is None:
            self._summary = describe_run(self.path)
        if self._new("run.json"):
            document = read_summary(self.path)
            if document is not None:
                history = document.get("iterations")
                entries = history if isinstance(history, list) else []
                self._history = [entry for entry in entries if isinstance(entry, dict)]
                self._changed = changed_settings(document)
        if self._new("config.resolved.yaml"):
            self._settings = read_settings(self.path / "config.resolved.yaml")


def _newer(status: Mapping[str, Any]) -> str | None:
    """What to say of a status that a newer version wrote."""
    version = status.get("protocol_version")
    if isinstance(version, int) and version > PROTOCOL_VERSION:
        return (
            f"the run is written by a newer version of Ludus (protocol {version}, this one knows "
            f"{PROTOCOL_VERSION}): some figures may be missing here"
        )
    return None


def newest(events: deque[dict[str, Any]] | list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The newest event of a name; empty if there is none."""
    return next((one for one in reversed(events) if one.get("event") == name), {})
