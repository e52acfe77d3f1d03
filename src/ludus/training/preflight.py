"""What is looked at before a run is started: ``ludus train --check``, and the start form."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import UserError
from ludus.games import GameEntry
from ludus.runs import Run, lock_holder
from ludus.training.request import TrainRequest, current_settings
from ludus.training.settings import Settings


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: one word.
        ok: whether a run can be started with it.
        text: what was found, one sentence.
    """

    name: str
    ok: bool
    text: str


def preflight(request: TrainRequest) -> list[Check]:
    """Look at everything that a start needs; changes nothing. Imports torch.

    Settings were checked when the request was made: a request that is there is valid.

    Args:
        request: as ``TrainRequest.make`` gave it.

    Returns: the checks, in a fixed order.
    """
    path = Path(request.path)
    checks = [Check("settings", True, f"valid; {len(request.explicit)} given explicitly")]
    holder = lock_holder(path)
    checks.append(
        Check("lock", False, f"{path} is in use by {holder}")
        if holder is not None
        else Check("lock", True, f"nobody trains {path}")
    )
    checks.append(_writable(path, create=request.create))
    if request.nothing_to_do:
        checks.append(Check("limit", False, request.nothing_to_do))
    try:
        entry, settings = _what(request)
    except UserError as error:
        return [*checks, Check("game", False, str(error))]
    checks.append(Check("game", True, f"{entry.name}, rules {entry.rules.rules_id}"))
    checks.append(_backend(settings))
    return [*checks, *_room(settings, entry, path)]


def _what(request: TrainRequest) -> tuple[GameEntry, Settings]:
    from ludus.games import get_game
    from ludus.training.plays import game_of_run

    if request.create:
        return get_game(request.game), Settings.model_validate(request.settings)
    run = Run.open(Path(request.path), write=False)
    return game_of_run(run, request.game or None), current_settings(run, coming=True)


def _writable(path: Path, *, create: bool) -> Check:
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("directory", False, f"{folder} cannot be written to")
    return Check("directory", True, f"{path} " + ("will be made" if create else "is there"))


def _backend(settings: Settings) -> Check:
    from ludus.evaluators import BACKENDS

    name = settings.runtime.backend
    if name == "auto":
        found = [key for key, backend in BACKENDS.items() if backend.unavailable() is None]
        return Check("backend", True, f"the fastest of {', '.join(found)}, measured at the start")
    reason = BACKENDS[name].unavailable()
    if reason is None:
        return Check("backend", True, f"{name} is available")
    return Check("backend", False, f"{name} is unavailable: {reason}; {BACKENDS[name].remedy()}")


def _room(settings: Settings, entry: GameEntry, path: Path) -> list[Check]:
    from ludus.runs import SavePolicy
    from ludus.training.forecast import parameters_of, reckon

    forecast = reckon(settings, entry, parameters_of(settings, entry), path)
    short = {"disk": "", "memory": ""}
    for warning in forecast.warnings:
        short["disk" if warning.startswith("the disk") else "memory"] = warning
    floor = SavePolicy(floor_bytes=settings.run.floor_free_mb * 1_000_000).floor_bytes
    if not short["disk"] and forecast.disk_free < floor:
        short["disk"] = f"{forecast.disk_free // 10**6} MB are free: the run would wait for space"
    return [
        Check(name, not short[name], short[name] or text)
        for name, text in (
            (
                "disk",
                f"{forecast.disk_total / 1e9:.2f} GB needed when the replay is full, "
                f"{forecast.disk_free / 1e9:.1f} GB free",
            ),
            (
                "memory",
                f"about {forecast.memory_total / 1e9:.2f} GB needed"
                + (
                    ""
                    if forecast.memory_limit is None
                    else f", {forecast.memory_limit / 1e9:.1f} GB there"
                ),
            ),
        )
    ]
