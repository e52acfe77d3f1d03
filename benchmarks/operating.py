"""What the operation of a run costs: commits, and all that tells of it, as shares of a Yatzy run.

Training goes on in this process by the recipe, with a clock on everything that is not playing or
learning. Between units nothing plays, so a share of the time is that share of the throughput.
"""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ludus.measure import Figure, Goal, calibrate, in_turns
from ludus.runs import read_status
from ludus.runs.ndjson import NdjsonLog
from ludus.runs.status import StatusWriter
from ludus.training.birth import open_session
from ludus.training.callbacks import Callbacks
from ludus.training.loop import Loop
from ludus.training.messages import Sender
from ludus.training.reporter import Reporter
from ludus.training.request import TrainRequest
from ludus.training.selfplay import SelfplayPhase
from ludus.training.stream import GameStream

ROOT = Path(__file__).resolve().parents[1]

TOLD = "status, metrics, events"
PLACES: tuple[tuple[type, str, str], ...] = (
    (Loop, "_commit", "commits"),
    (Loop, "_guard", "guards"),
    (Reporter, "worked", TOLD),
    (Reporter, "status", TOLD),
    (NdjsonLog, "append", TOLD),
    (GameStream, "add", TOLD),
    (SelfplayPhase, "_look_at_roots", TOLD),
    (Callbacks, "unit", TOLD),
)
"""What is timed: class, method, and the group that it belongs to."""


class Clock:
    """Seconds by group; of two calls inside each other only the outer one counts.

    Attributes:
        seconds: by group.
        calls: seconds of each call, by group.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, list[float]] = defaultdict(list)
        self._inside = False

    def timed(self, group: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        @functools.wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            if self._inside:
                return function(*args, **options)
            self._inside = True
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent = time.perf_counter() - began
                self._inside = False
                self.seconds[group] += spent
                self.calls[group].append(spent)

        return wrapped

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Time :data:`PLACES` meanwhile."""
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in PLACES]
        for owner, name, group in PLACES:
            setattr(owner, name, self.timed(group, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, function in before:
                setattr(owner, name, function)


def _train(path: Path, minutes: float) -> tuple[Clock, float]:
    """Train on; the clock, and the seconds of the loop."""
    request = TrainRequest.make("yatzy", run=path, minutes=minutes, environment={})
    session = open_session(request, lambda text: None)
    clock = Clock()
    with session.run, clock.on():
        loop = Loop(session, request, Sender(None), lambda: False)
        began = time.perf_counter()
        loop.run()
        return clock, time.perf_counter() - began


def p95(values: list[float]) -> float:
    """What 95 of 100 stay below."""
    return sorted(values)[int(0.95 * (len(values) - 1))] if values else 0.0


def _shares(folder: Path, quick: bool) -> list[Figure]:
    minutes, turns = (0.25, 2) if quick else (1.0, 5)
    path = folder / "run"
    found: dict[str, list[float]] = defaultdict(list)
    calls: dict[str, list[float]] = defaultdict(list)
    speed = []
    for _ in range(turns):
        speed.append(calibrate())
        clock, seconds = _train(path, minutes)
        for group in ("commits", "guards", TOLD):
            found[group].append(1000.0 * clock.seconds[group] / seconds)
            calls[group] += clock.calls[group]
    goals = {"commits": 0.01, TOLD: 0.005}
    return [
        Figure(
            f"yatzy: {group}",
            "ms/s",
            rates,
            speed,
            "the whole run",
            statistics.median(rates) / 1000.0,
            goal=Goal(goals[group], "most", "ratio") if group in goals else None,
            extra={"calls": len(calls[group]), "p95_ms": round(1000.0 * p95(calls[group]), 2)},
        )
        for group, rates in found.items()
    ]


def _plain(path: Path, data: bytes) -> float:
    """The same bytes into a new file, put in place by a rename."""
    other = path.with_suffix(".new")
    other.write_bytes(data)
    os.replace(other, path)
    return 1.0


def measure(quick: bool) -> list[Figure]:
    """Shares of a run, and how often a second its status could be written."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        figures = _shares(folder, quick)
        status = read_status(folder / "run") or {}
        data = (folder / "run" / "status.json").read_bytes()
        writer = StatusWriter(folder, run_id="bench", incarnation="bench")
        times = 200

        def write() -> float:
            for _ in range(times):
                writer.write(status)
            return float(times)

        def plain() -> float:
            return sum(_plain(folder / "plain.json", data) for _ in range(times))

        written = in_turns(
            "status.json of a run",
            "writes/s",
            write,
            against=("the bytes alone", plain),
            quick=quick,
            goal=Goal(100.0),  # 10 ms each
        )
    return [*figures, written]
