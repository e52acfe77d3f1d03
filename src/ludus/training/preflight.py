"""What is looked at before a run is started: ``ludus train --check``, and the start form."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ludus.errors import LudusError, RunError, UserError
from ludus.games import GameEntry
from ludus.runs import Run, lock_holder, require_free
from ludus.training.kinds import session_class
from ludus.training.request import TrainRequest, current_settings
from ludus.training.session import Session
from ludus.training.settings import Settings

Level = Literal["good", "warning", "bad"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: one word.
        level: ``bad`` where a start would be refused, useless, or would hold at once; ``warning``
            where it works now and may not go well for long.
        text: what was found, one sentence.
    """

    name: str
    level: Level
    text: str


def look_before(make: Callable[[], TrainRequest]) -> list[Check]:
    """All checks of a request that is yet to be made; changes nothing.

    Args:
        make: makes the request; what it refuses is the only check then.
    """
    try:
        request = make()
    except LudusError as error:
        return [Check("request", "bad", str(error))]
    return preflight(request)


def preflight(request: TrainRequest) -> list[Check]:
    """Look at everything that a start needs; changes nothing.

    Settings were checked when the request was made: a request that is there is valid.

    Args:
        request: as ``TrainRequest.make`` gave it.

    Returns: the checks, in a fixed order.
    """
    path = Path(request.path)
    checks = [Check("settings", "good", f"valid; {len(request.explicit)} given explicitly")]
    holder = lock_holder(path)
    checks.append(
        Check("lock", "bad", f"{path} is in use by {holder}")
        if holder is not None
        else Check("lock", "good", f"nobody trains {path}")
    )
    checks.append(_writable(path, create=request.create))
    if request.nothing_to_do:
        checks.append(Check("limit", "bad", request.nothing_to_do))
    try:
        entry, settings = _what(request)
    except UserError as error:
        return [*checks, Check("game", "bad", str(error))]
    checks.append(Check("game", "good", f"{entry.name}, rules {entry.rules.rules_id}"))
    kind = session_class(request.learner)
    checks.append(_backend(kind, settings))
    if request.create:
        checks += _first_weights(kind, request, settings, entry)
    elif checks[-1].level == "good":  # else nothing can be computed to be compared
        checks.append(_environment(request, settings, entry))
    return [*checks, *_room(kind, request, settings, entry)]


def _what(request: TrainRequest) -> tuple[GameEntry, Settings]:
    from ludus.games import get_game
    from ludus.training.birth import require_opponents
    from ludus.training.plays import game_of_run

    if request.create:
        entry, settings = get_game(request.game), Settings.model_validate(request.settings)
        require_opponents(settings, entry)
        return entry, settings
    run = Run.open(Path(request.path), write=False)
    return game_of_run(run, request.game or None), current_settings(run, coming=True)


def _writable(path: Path, *, create: bool) -> Check:
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("directory", "bad", f"{folder} cannot be written to")
    if create:
        try:
            require_free(path)
        except RunError as error:
            return Check("directory", "bad", str(error))
    return Check("directory", "good", f"{path} " + ("will be made" if create else "is there"))


def _backend(kind: type[Session], settings: Settings) -> Check:
    try:
        return Check("backend", "good", kind.plays_with(settings))
    except UserError as error:
        return Check("backend", "bad", str(error))


def _first_weights(
    kind: type[Session], request: TrainRequest, settings: Settings, entry: GameEntry
) -> list[Check]:
    """Whether the source of a new run's weights fits; nothing where they follow from its seed."""
    if not request.init_from:
        return []
    try:
        kind.weights_of(request.init_from, settings, entry.rules)
    except UserError as error:
        return [Check("weights", "bad", str(error))]
    return [Check("weights", "good", f"those of the champion of {request.init_from['path']}")]


def _environment(request: TrainRequest, settings: Settings, entry: GameEntry) -> Check:
    """Whether numbers come out here as where the run was made."""
    from ludus.training.birth import changes_of_environment

    run = Run.open(Path(request.path), write=False)
    try:
        found, _ = changes_of_environment(run, settings, entry.rules)
    except UserError as error:
        return Check("numbers", "bad", str(error))
    if not found:
        return Check("numbers", "good", "come out as where the run was made")
    text = f"come out differently than where the run was made: {'; '.join(found)}"
    if settings.run.deterministic and not request.accept_change:
        return Check("numbers", "bad", f"{text}; --accept-change goes on all the same")
    return Check("numbers", "warning", text)


def _room(
    kind: type[Session], request: TrainRequest, settings: Settings, entry: GameEntry
) -> list[Check]:
    """Disk and memory, by bounds: nothing of what is asked was measured."""
    from ludus.training.forecast import reckon
    from ludus.training.forecaster import games_to_come
    from ludus.training.memory import available_bytes

    limits = {"iterations": request.iterations, "games": request.games}
    forecast = reckon(
        settings,
        entry,
        kind.needs(settings, entry.rules),
        Path(request.path),
        games_to_come(settings, limits),
    )
    found, warned, free = forecast.parts(), forecast.warnings, forecast.disk_free
    disk = Check(
        "disk", "warning" if "disk" in warned else "good", warned.get("disk", found["disk"])
    )
    few, floor = f"{free // 10**6} MB are free", settings.run.floor_free_mb
    if free < floor * 1_000_000:
        disk = Check("disk", "bad", f"{few}, and the run would wait until there are {floor} MB")
    elif disk.level == "good" and free < settings.run.warn_free_mb * 1_000_000:
        disk = Check("disk", "warning", f"{few}, which is little: {found['disk']}")
    memory, available = Check("memory", "good", found["memory"]), available_bytes()
    if "memory" in warned:
        memory = Check("memory", "warning", warned["memory"])
    if available is not None:
        text = f"{available // 10**6} MB of memory are available now"
        if available < forecast.memory["rest"]:
            memory = Check("memory", "bad", f"{text}, too little to start")
        elif memory.level == "good" and available < forecast.memory_total:
            memory = Check("memory", "warning", f"{text}: {found['memory']}")
    return [disk, memory]
