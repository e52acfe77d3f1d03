"""What a report is made of, read from a run directory without touching it.

Logs of any length are read in one pass: curves have a bounded number of points, events a bounded
number of entries, and what is left out is counted.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ludus import reading
from ludus.errors import CorruptError, LudusError
from ludus.monitor.series import Series
from ludus.runs import Run, RunSummary, describe_run, read_asked, read_summary

MOST_EVENTS = 2000
"""Newest events that a report tells of."""

_QUIET = frozenset(
    (
        "commit",
        "checkpoint_saved",
        "checkpoint_removed",
        "checkpoint_loaded",
        "temporary_files_swept",
    )
)
"""Events that are counted only."""

_STEPS = ("loss_total", "loss_policy", "loss_value", "entropy", "target_entropy", "lr", "grad_norm")
_HEAD = b'{"event":"'
_LONGEST_LINE = 64 << 20


class _Step(msgspec.Struct):
    """What of a record of training steps becomes a curve; the rest is skipped, not decoded."""

    step: Any = None
    loss_total: Any = None
    loss_policy: Any = None
    loss_value: Any = None
    entropy: Any = None
    target_entropy: Any = None
    lr: Any = None
    grad_norm: Any = None


@dataclass
class RunData:
    """A run as a report sees it.

    Attributes:
        path: the directory.
        taken: when it was looked at, seconds since 1970.
        summary: commit, counters, status, holder.
        manifest: of the newest commit, as a document.
        config: resolved settings at birth; empty if they cannot be read.
        asked: what was asked for, as the file says it; empty likewise.
        iterations: history, oldest first; the last may be in progress.
        events: newest of those worth telling, oldest first.
        event_counts: all events by name.
        steps: curves over the optimizer step, by field.
        memory: ``(minutes worked, bytes)`` over the run's life.
        details: newest ``game_details`` record, for memory by component and caches.
        health: newest ``health`` record.
        bad_lines: lines of the logs that were no JSON.
        trouble: sentences about what could not be read.
    """

    path: Path
    taken: float
    summary: RunSummary
    manifest: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    iterations: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    event_counts: Counter[str] = field(default_factory=Counter)
    steps: dict[str, Series] = field(default_factory=dict)
    memory: Series = field(default_factory=lambda: Series("minutes"))
    details: Mapping[str, Any] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    bad_lines: int = 0
    trouble: list[str] = field(default_factory=list)

    @property
    def status(self) -> Mapping[str, Any]:
        """The status document; empty if unknown."""
        return self.summary.status or {}


def read_run(path: str | Path, *, now: float | None = None) -> RunData:
    """Read a run for a report; nothing is locked or changed.

    Args:
        path: the run directory.
        now: seconds since 1970; the clock's by default.

    Raises:
        RunError: no run directory.
        CorruptError: no commit of the run can be read.
    """
    summary = describe_run(path)
    if summary.sequence is None:
        raise CorruptError(summary.error or f"no commit of {summary.path} can be read")
    data = RunData(summary.path, time.time() if now is None else now, summary)
    _read_commit(data)
    _read_events(data)
    _read_metrics(data)
    if data.bad_lines:
        data.trouble.append(
            f"{data.bad_lines} line{'s' * (data.bad_lines != 1)} of the logs could not be read"
        )
    return data


def _read_commit(data: RunData) -> None:
    try:
        run = Run.open(data.path, write=False)
    except LudusError as error:
        data.trouble.append(str(error))
        document = read_summary(data.path) or {}
        data.manifest, history = document, document.get("iterations")
    else:
        data.manifest, data.config, history = run.manifest.document(), run.config, run.iterations
        try:
            tree = reading.parse_yaml(read_asked(data.path, run.manifest))
        except (LudusError, ValueError) as error:
            data.trouble.append(f"config.yaml cannot be read: {error}")
        else:
            data.asked = tree if isinstance(tree, dict) else {}
    data.iterations = [entry for entry in history or () if isinstance(entry, dict)]


def _lines(data: RunData, name: str) -> Iterator[tuple[str, bytes]]:
    """Event and line of each record; a last line without newline is still being written."""
    path = data.path / "logs" / name
    try:
        with reading.open_regular(path) as file:
            while line := file.readline(_LONGEST_LINE):
                if not line.endswith(b"\n"):
                    return
                end = line.find(b'"', len(_HEAD)) if line.startswith(_HEAD) else -1
                yield ("" if end < 0 else line[len(_HEAD) : end].decode("ascii", "replace")), line
    except FileNotFoundError:
        return
    except OSError as error:
        data.trouble.append(f"logs/{name} cannot be read: {error.strerror}")


def _record(data: RunData, line: bytes) -> dict[str, Any]:
    """A line as a record, empty (and counted) if it is none."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    data.bad_lines += 1
    return {}


def _read_events(data: RunData) -> None:
    kept: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
    for name, line in _lines(data, "events.ndjson"):
        if name in _QUIET:
            data.event_counts[name] += 1
            continue
        record = _record(data, line)
        if isinstance(record.get("event"), str):
            data.event_counts[record["event"]] += 1
            kept.append(record)
    data.events = list(kept)


def _read_metrics(data: RunData) -> None:
    decode = msgspec.json.Decoder(_Step).decode
    worked: float | None = None
    for name, line in _lines(data, "metrics.ndjson"):
        if name == "train_step":
            try:
                _draw(data, decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                data.bad_lines += 1
        elif name in ("game_stats", "game_details", "health"):
            record = _record(data, line)
            # Not the time of day: clocks jump, and a run that pauses does not work.
            seconds = number(record.get("elapsed_seconds"))
            worked = worked if seconds is None else max(worked or 0.0, seconds / 60.0)
            size = memory_of(record)
            if worked is not None and size is not None:
                data.memory.add(worked, size)
            if name == "game_details":
                data.details = record or data.details
            elif name == "health":
                data.health = record or data.health
        elif not name:
            _record(data, line)  # torn or foreign: counted if it is no JSON


def _draw(data: RunData, point: _Step) -> None:
    x = number(point.step)
    if x is None:
        return
    for name in _STEPS:
        y = number(getattr(point, name))
        if y is not None:
            series = data.steps.setdefault(name, Series("train_step"))
            if not series.x or x >= series.x[-1]:
                series.add(x, y)


def number(value: Any) -> float | None:
    """A finite number, else None; what logs hold need not be what was meant."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    found = float(value)
    return found if abs(found) < float("inf") else None


def memory_of(record: Mapping[str, Any]) -> float | None:
    """Resident bytes that a record tells of."""
    memory = record.get("memory")
    if isinstance(memory, Mapping):
        return number(memory.get("total"))
    return number(record.get("memory_bytes")) if memory is None else number(memory)
