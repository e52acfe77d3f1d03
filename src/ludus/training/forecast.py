"""What a run will need: disk, memory and time, first reckoned, then measured.

Before there is anything to measure, sizes follow from the settings and the game, with a word about
what is assumed. From the first finished iteration on, sizes and times are those of this very run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ludus.games import GameEntry
from ludus.runs import duration_text, free_bytes
from ludus.training.memory import memory_limit, resident_bytes
from ludus.training.session import PHASES, Session
from ludus.training.settings import Settings

PLY_BYTES, EDGE_BYTES = 17, 6
"""Of a stored ply, and of each searched action at its root (``ludus.replay.records``)."""

LOG_BYTES_A_SECOND = 500
"""Assumed until the logs of the run are there to be measured."""

BASE_BYTES = 400 * 10**6
"""Interpreter and libraries, assumed until they are there to be measured."""

COMMITS_KEPT = 8
"""Manifests with a learner's state each."""

_DAY = 86400.0
_REFINED = (1, 2, 5, 10, 50, 100, 500, 1000)
"""Iterations of this process after which the forecast is told anew."""


@dataclass(frozen=True)
class Forecast:
    """What a run is going to need.

    Attributes:
        measured: whether an iteration of this run has been measured.
        disk: bytes by component when the replay is full: ``replay``, ``checkpoints``, ``commits``,
            ``logs_a_day``; what stays for ever grows on (``permanent_a_checkpoint``).
        disk_total: of those, with the logs of a day.
        disk_free: now.
        memory: bytes by component.
        memory_total: of them.
        memory_limit: of machine or container; None if unknown.
        iteration_seconds: None until one was measured.
        seconds_left: to the limit that was asked for; None without one, or unknown.
        warnings: sentences about what will not suffice.
    """

    measured: bool
    disk: dict[str, int]
    disk_total: int
    disk_free: int
    memory: dict[str, int]
    memory_total: int
    memory_limit: int | None
    iteration_seconds: float | None = None
    seconds_left: float | None = None
    warnings: list[str] = field(default_factory=list)

    def text(self) -> str:
        """One line for people."""
        parts = [
            f"{_gb(self.disk_total)} of disk when the replay is full ({_gb(self.disk_free)} free)",
            f"{_gb(self.memory_total)} of memory"
            + ("" if self.memory_limit is None else f" of {_gb(self.memory_limit)}"),
        ]
        if self.iteration_seconds is not None:
            parts.append(f"{duration_text(self.iteration_seconds)} an iteration")
        if self.seconds_left is not None:
            parts.append(f"{duration_text(self.seconds_left)} to the limit")
        return "forecast: " + ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """For status, ``run.json`` and the event."""
        return asdict(self)


def parameters_of(settings: Settings, entry: GameEntry) -> int:
    """Weights of the network. Imports torch."""
    from ludus.training.derived import make_network

    return int(make_network(entry.rules, settings).parameter_count)


def reckon(settings: Settings, entry: GameEntry, parameters: int, where: Path) -> Forecast:
    """The forecast of a run that has not played yet.

    Args:
        settings: of the run.
        entry: the game.
        parameters: weights of the network.
        where: a folder on the run's disk.
    """
    rules = entry.rules
    # Searched actions at a root: no more than there are, than are legal, or than simulations.
    budget = max(settings.search.budget, *settings.search.budget_by_kind.values(), 0)
    edges = min(rules.num_actions, rules.max_legal, max(budget, settings.search.considered))
    ply = PLY_BYTES + EDGE_BYTES * edges
    plies = max(1, rules.max_plies // 2) if not rules.has_chance else rules.max_plies
    return _forecast(settings, parameters, where, ply=ply, plies=float(plies), logs=None, memory={})


def measure(session: Session) -> Forecast:
    """The forecast of a run that has played, from what it has used so far.

    Args:
        session: of the run, between two iterations.
    """
    run, replay = session.run, session.replay
    done = [entry for entry in run.iterations if entry.get("finished_ms")]
    if not done or not replay.samples or not replay.games:
        forecast = reckon(session.settings, session.entry, session.net.parameter_count, run.path)
    else:
        logs = sum(path.stat().st_size for path in (run.path / "logs").glob("*.ndjson"))
        a_day = int(logs / max(1.0, run.elapsed_seconds) * _DAY)
        forecast = _forecast(
            session.settings,
            session.net.parameter_count,
            run.path,
            ply=_ply_bytes(session),
            plies=replay.samples / replay.games,
            logs=a_day,
            memory={
                name: int(value)
                for name, value in session.memory.items()
                if value is not None and name not in ("total", "budget", "growth", "fragmentation")
            },
        )
    return forecast


def _ply_bytes(session: Session) -> float:
    """Bytes of a stored ply, by the shards there are."""
    folder = session.run.path / "replay"
    names = [entry.name for entry in session.replay.entries]
    size = sum((folder / name).stat().st_size for name in names if (folder / name).exists())
    samples = sum(entry.samples for entry in session.replay.entries)
    if not samples:
        return session.replay.nbytes / max(1, session.replay.samples)
    return size / samples


def _forecast(
    settings: Settings,
    parameters: int,
    where: Path,
    *,
    ply: float,
    plies: float,
    logs: int | None,
    memory: Mapping[str, int],
) -> Forecast:
    replay, run = settings.replay, settings.run
    if replay.capacity_shards is not None:
        kept = replay.capacity_shards * replay.games_per_shard * plies
    else:
        kept = float(replay.capacity_samples or 0)
    weights = 4 * parameters
    learner = 4 * weights  # weights, average, two moments
    checkpoint = learner + 2 * weights
    newest = run.keep_checkpoints if run.retention == "keep_last" else run.milestone_cache
    disk = {
        "replay": int(kept * ply),
        "checkpoints": (newest + 1) * checkpoint,
        "commits": COMMITS_KEPT * learner,
        "logs_a_day": int(LOG_BYTES_A_SECOND * _DAY) if logs is None else logs,
    }
    if not memory:
        memory = {
            "replay_packed": int(kept * ply),
            "networks": 8 * weights,
            "interpreter": max(BASE_BYTES, resident_bytes() or 0),
        }
    free, limit = free_bytes(_existing(where)), memory_limit()
    total, used = sum(disk.values()), sum(memory.values())
    warnings = []
    floor = run.floor_free_mb * 1_000_000
    there = _size(where)
    if total - there > free - floor:
        warnings.append(
            f"the disk has {_gb(free)} free, and the run will need {_gb(total)}: make room, or "
            "lower replay.capacity_shards and run.keep_checkpoints"
        )
    if limit is not None and used > limit:
        warnings.append(
            f"the run will need {_gb(used)} of memory, and there are {_gb(limit)}: lower "
            "replay.capacity_shards or selfplay.slots"
        )
    return Forecast(
        measured=logs is not None,
        disk=disk,
        disk_total=total,
        disk_free=free,
        memory=dict(memory),
        memory_total=used,
        memory_limit=limit,
        warnings=warnings,
    )


class Forecaster:
    """Tells the forecast at the start of a run, and again when iterations were measured."""

    def __init__(self, session: Session, total_iterations: Callable[[], int | None]) -> None:
        """Prepare.

        Args:
            session: of the run.
            total_iterations: at which the run ends, if any.
        """
        self._session = session
        self._total = total_iterations
        self._first = session.iteration
        self._told: int | None = None
        self._began = time.monotonic()

    def look(self) -> None:
        """Tell what is due; call it before each phase."""
        session = self._session
        if session.phase != PHASES[0] and self._told is not None:
            return
        finished = session.iteration - self._first
        if self._told == finished or (self._told is not None and finished not in _REFINED):
            return
        self._told = finished
        forecast = self._timed(measure(session))
        session.forecast = forecast.as_json()
        session.run.events.append_if_possible("forecast", **session.forecast)
        session.note(forecast.text())
        for warning in forecast.warnings:
            session.run.events.append_if_possible("notice", message=warning)
            session.note(f"warning: {warning}")

    def _timed(self, forecast: Forecast) -> Forecast:
        session = self._session
        seconds = [
            (entry["finished_ms"] - entry["started_ms"]) / 1000.0
            for entry in session.run.iterations[-5:]
            if entry.get("finished_ms") and entry["iteration"] >= self._first
        ]
        if not seconds:
            return forecast
        mean, total = sum(seconds) / len(seconds), self._total()
        left = None if total is None else mean * max(0, total - session.iteration)
        return Forecast(**{**asdict(forecast), "iteration_seconds": mean, "seconds_left": left})


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; 0 if there is none."""
    if not folder.is_dir():
        return 0
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
