"""What is looked at before a training is started from the form."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ludus.errors import LudusError
from ludus.monitor.tui.words import size_text

if TYPE_CHECKING:
    from ludus.monitor.tui.draft import Draft


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what was looked at.
        good: whether a training can start.
        text: a sentence.
    """

    name: str
    good: bool
    text: str


def preflight(draft: Draft) -> list[Check]:
    """Settings and game, lock, disk, memory; the first ones are those of ``ludus train`` itself.

    Args:
        draft: saved already.
    """
    from ludus.runs import lock_holder
    from ludus.training.request import TrainRequest

    holder = lock_holder(draft.path) if draft.exists else None
    if holder is not None:
        return [Check("run", False, f"it is being trained by {holder}")]
    config = draft.file if draft.changes else None
    try:
        request = TrainRequest.make(
            None if draft.exists else draft.recipe,
            game=draft.game,
            run=draft.path,
            preset=None if draft.exists else draft.preset,
            config=config,
        )
    except LudusError as error:
        return [Check("settings", False, str(error))]
    if request.nothing_to_do:
        return [Check("limits", False, request.nothing_to_do)]
    checks = [Check("settings", True, "recipe, game and settings fit together")]
    return [*checks, _disk(draft.path, _warn_bytes(draft)), _memory()]


def _warn_bytes(draft: Draft) -> float:
    value = draft.value("run.floor_free_mb")
    return float(value) * 1e6 if isinstance(value, int | float) else 0.0


def _disk(path: Path, floor: float) -> Check:
    """Free space where the run is."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check("disk", False, f"{there} cannot be looked at: {error.strerror}")
    if free < floor:
        return Check("disk", False, f"only {size_text(free)} free, and the run would wait for more")
    return Check("disk", True, f"{size_text(free)} free")


def _memory() -> Check:
    available = _available_bytes()
    if available is None:
        return Check("memory", True, "not known on this system")
    if available < 512e6:
        return Check("memory", False, f"only {size_text(available)} available")
    return Check("memory", True, f"{size_text(available)} available")


def _available_bytes() -> float | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
