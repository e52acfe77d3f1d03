"""What a run will need: disk, memory and time, first reckoned, then measured.

Before there is anything to measure, sizes on disk are bounds that follow from the settings and the
game, and memory is near to one. From the first finished iteration on, sizes and times are those of
this very run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ludus.games import GameEntry
from ludus.runs import KEEP_MANIFESTS, duration_text, free_bytes, is_run, part_sizes
from ludus.training.memory import memory_limit, peak_bytes, resident_bytes
from ludus.training.needs import Needs
from ludus.training.session import Session
from ludus.training.settings import Settings

WORK_BYTES = 100 * 10**6
"""Assumed of what playing and learning need besides what is reckoned."""

DAY = 86400.0
_LINGERING = 2
"""Iterations whose games have left the replay and are on disk still, for one of the newest commits
names them: every phase ends with a commit."""

_KEPT = ("checkpoints", "logs", "games", "reports", "other")
"""Parts of a run directory that only grow; of ``models`` it is the champions."""


@dataclass(frozen=True)
class Forecast:
    """What a run is going to need.

    Attributes:
        measured: whether an iteration of this run was measured; else sizes on disk are bounds, and
            what grows for ever is left out.
        at_limit: whether sizes are those when the limit that was asked for is reached; else those
            of a full replay.
        endless: whether all games are kept and there is no limit, so that the replay has no full
            size; it is counted as it is now.
        disk: bytes by component: ``replay``, ``checkpoints`` (those that go away again),
            ``commits`` (states of the newest ones), ``kept`` (what stays for ever: logs, champions,
            reports, permanent checkpoints; as much as is there now, or with what comes until
            the limit).
        disk_total: of those.
        disk_there: bytes of the run directory now.
        disk_free: bytes now.
        disk_a_day: bytes of what stays for ever that each day adds; None until measured.
        memory: bytes by component: ``replay``, ``window`` (a second copy, while it learns),
            ``trees`` (until measured), ``rest``.
        memory_total: of them.
        memory_limit: of machine or container; None if unknown.
        iteration_seconds: mean of the newest ones; None until one of this process was measured.
        seconds_left: to the limit that was asked for; None without one, or unknown.
        warnings: sentences about what may not suffice, by ``disk`` and ``memory``.
    """

    measured: bool
    at_limit: bool
    endless: bool
    disk: dict[str, int]
    disk_total: int
    disk_there: int
    disk_free: int
    disk_a_day: int | None
    memory: dict[str, int]
    memory_total: int
    memory_limit: int | None
    iteration_seconds: float | None = None
    seconds_left: float | None = None
    warnings: dict[str, str] = field(default_factory=dict)

    def parts(self) -> dict[str, str]:
        """A few words about ``disk``, ``memory`` and, if known, ``time`` and ``end``."""
        most = "" if self.measured else "at most "
        disk = f"{most}{_size_text(self.disk_total)} of disk " + (
            "at the limit" if self.at_limit else "with a full replay"
        )
        if self.endless:
            disk = f"{_size_text(self.disk_total)} of disk, and more with every game"
        if self.disk_a_day is None:
            disk += ", logs and champions besides"
        elif not self.at_limit:
            disk += f" and {_size_text(self.disk_a_day)} more each day"
        found = {
            "disk": f"{disk} ({_size_text(self.disk_free)} free)",
            "memory": f"about {_size_text(self.memory_total)} of memory"
            + ("" if self.memory_limit is None else f" (of {_size_text(self.memory_limit)})"),
        }
        if self.iteration_seconds is not None:
            found["time"] = f"{duration_text(self.iteration_seconds)} an iteration"
        if self.seconds_left is not None:
            found["end"] = f"{duration_text(self.seconds_left)} to the limit"
        return found

    def text(self) -> str:
        """One line for people."""
        return ", ".join(self.parts().values())

    def as_json(self) -> dict[str, Any]:
        """For status, ``run.json`` and the event; ``text`` leaves out time, which goes by."""
        parts = self.parts()
        return {**asdict(self), "text": f"{parts['disk']}, {parts['memory']}"}


@dataclass(frozen=True)
class _Known:
    """What sizes follow from.

    Attributes:
        where: the run directory, or where it will be.
        needs: of the learner.
        ply: bytes of a stored ply; 0 where nothing is replayed.
        plies: of a game.
        tail: bytes of a commit's games that no shard holds yet, at most.
        present: plies in the replay now.
        to_come: games until the limit; None without one.
        rest: bytes of memory besides the replay.
        kept: bytes on disk that stay for ever; None before there are any.
        a_day: of them, that come in a day; None until measured.
    """

    where: Path
    needs: Needs
    ply: float
    plies: float
    tail: int
    present: int
    to_come: int | None
    rest: dict[str, int]
    kept: int | None = None
    a_day: int | None = None


def reckon(
    settings: Settings,
    entry: GameEntry,
    needs: Needs,
    where: Path,
    to_come: int | None = None,
) -> Forecast:
    """The forecast of a run that has not played yet: bounds.

    Args:
        settings: of the run.
        entry: the game.
        needs: of the learner.
        where: the run directory, which need not be there.
        to_come: games until the limit; None without one.
    """
    plies = entry.rules.max_plies
    known = _Known(
        where=where,
        needs=needs,
        ply=float(needs.ply),
        plies=float(plies),
        tail=settings.replay.games_per_shard * plies * needs.ply,
        present=0,
        to_come=to_come,
        rest={**needs.memory, "rest": _base(needs)},
    )
    return _forecast(settings, known)


def measure(session: Session, to_come: int | None = None) -> Forecast:
    """The forecast of a run that has played, from what it has used so far.

    Args:
        session: of the run, between two iterations.
        to_come: games until the limit; None without one.
    """
    run, settings = session.run, session.settings
    needs = session.needs(settings, session.rules)
    games, samples = session.stored
    done = [entry for entry in run.iterations if entry.get("finished_ms")]
    if not done or (needs.ply and not (games and samples)):
        return reckon(settings, session.entry, needs, run.path, to_come)
    packed = session.memory_parts().get("replay_packed", 0)
    kept = kept_bytes(run.path)
    # Learning has held its window beside the records. Where this process has not learned yet, the
    # subtraction takes too much, and the base stands for what is to come.
    rest = max((peak_bytes() or 0) - 2 * packed, needs.base)
    known = _Known(
        where=run.path,
        needs=needs,
        ply=packed / max(1, samples),
        plies=samples / max(1, games),
        tail=0,
        present=samples,
        to_come=to_come,
        rest={"rest": rest},
        kept=kept,
        a_day=int(kept / max(1.0, run.elapsed_seconds) * DAY),
    )
    return _forecast(settings, known)


def _base(needs: Needs) -> int:
    """Memory of a trainer without replay and trees: libraries, and the learner's arrays."""
    return max(needs.base, resident_bytes() or 0) + WORK_BYTES + needs.learning


def _forecast(settings: Settings, known: _Known) -> Forecast:
    capacity = _capacity(settings, known.plies) if known.needs.ply else 0.0
    coming = None if known.to_come is None else known.present + known.to_come * known.plies
    bounds = [one for one in (capacity, coming) if one is not None]
    plies = min(bounds, default=known.present)
    most = settings.selfplay.games_most or settings.selfplay.games_per_iteration
    left = 0.0 if capacity is None else most * known.plies
    stored = plies + _LINGERING * left
    if coming is not None:
        stored = min(stored, coming)
    replay = int(plies * known.ply)
    weights, learner = known.needs.model, known.needs.state
    run = settings.run
    sizes = part_sizes(known.where) if is_run(known.where) else {}
    newest = run.keep_checkpoints if run.retention == "keep_last" else run.milestone_cache
    disk = {
        "replay": int(stored * known.ply),
        "checkpoints": (newest + 1) * (learner + 2 * weights),
        "commits": max(KEEP_MANIFESTS * (learner + known.tail), sizes.get("state", 0)),
        "kept": known.kept or 0,
    }
    memory = {"replay": replay, "window": replay, **known.rest}
    forecast = Forecast(
        measured=known.a_day is not None,
        at_limit=coming is not None,
        endless=not bounds,
        disk=disk,
        disk_total=sum(disk.values()),
        disk_there=sum(sizes.values()),
        disk_free=free_bytes(_existing(known.where)),
        disk_a_day=known.a_day,
        memory=memory,
        memory_total=sum(memory.values()),
        memory_limit=memory_limit(),
    )
    return replace(forecast, warnings=_warnings(forecast, run.floor_free_mb * 1_000_000))


def _capacity(settings: Settings, plies: float) -> float | None:
    """Plies of a full replay; None where all are kept for ever."""
    replay = settings.replay
    if replay.capacity_shards is not None:
        return replay.capacity_shards * replay.games_per_shard * plies
    return None if replay.capacity_samples is None else float(replay.capacity_samples)


def _warnings(forecast: Forecast, floor: int) -> dict[str, str]:
    found = {}
    need = forecast.disk_total
    may = "will" if forecast.measured else "may"
    if need - forecast.disk_there > forecast.disk_free - floor:
        found["disk"] = (
            f"the disk has {_size_text(forecast.disk_free)} free, and the run {may} need "
            f"{_size_text(need)}: make room, or lower replay.capacity_shards and "
            "run.keep_checkpoints"
        )
    limit = forecast.memory_limit
    if limit is not None and forecast.memory_total > limit:
        found["memory"] = (
            f"the run {may} need {_size_text(forecast.memory_total)} of memory, and there are "
            f"{_size_text(limit)}: lower replay.capacity_shards or selfplay.slots"
        )
    return found


def kept_bytes(run: Path) -> int:
    """Bytes in a run directory of what no retention takes away.

    Args:
        run: the run directory.
    """
    sizes = part_sizes(run)
    champions = sum(path.lstat().st_size for path in (run / "models").glob("champion-*"))
    return champions + sum(sizes[name] for name in _KEPT)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _size_text(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
