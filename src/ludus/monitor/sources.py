"""What a view reads besides the logs: settings, the pulse of the status, whose machine it is."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludus import reading

_LIMIT = 1 << 17


def read_settings(path: Path) -> dict[str, Any]:
    """Every setting of ``config.resolved.yaml`` by dotted key; empty if it cannot be read.

    Mappings are entered to the last level, so a schedule is ``selfplay.temperature.start`` and so
    on; those of names that are no settings (kinds of decisions) are too.
    """
    try:
        tree = reading.parse_yaml(reading.read_regular(path, _LIMIT), _LIMIT)
    except (OSError, ValueError):
        return {}
    flat: dict[str, Any] = {}
    _flatten(tree, "", flat)
    return flat


def _flatten(tree: Any, prefix: str, flat: dict[str, Any]) -> None:
    if isinstance(tree, dict) and prefix.count(".") < 8:
        for name, value in tree.items():
            _flatten(value, f"{prefix}{name}.", flat)
    elif prefix:
        flat[prefix[:-1]] = tree


def changed_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were changed in the run's life, from ``run.json``, by dotted key."""
    progress = document.get("progress")
    changed = progress.get("changed") if isinstance(progress, dict) else None
    flat: dict[str, Any] = {}
    if isinstance(changed, dict):
        for name, value in changed.items():
            _flatten(value, f"{name}.", flat)
    return flat


def seen_from_here(run: Path) -> bool:
    """Whether the lock of a run tells the truth here: not when another machine holds it.

    A lock is not seen through sshfs; the lock file says which machine's process took it last.
    """
    try:
        host = reading.parse_json(reading.read_regular(run / "run.lock", 4096) or b"{}").get("host")
    except (OSError, ValueError, AttributeError):
        return True
    return host is None or host == socket.gethostname()


class Pulse:
    """How old the status is, also where the clocks of two machines differ."""

    def __init__(self) -> None:
        self._written: float | None = None
        self._mark: tuple[Any, Any] | None = None
        self._moved: float | None = None

    def take(self, status: Mapping[str, Any]) -> None:
        """A status was read."""
        written = status.get("ts_ms")
        known = isinstance(written, int | float) and not isinstance(written, bool)
        self._written = float(written) / 1000 if known and written is not None else None
        mark = (status.get("incarnation"), status.get("number"))
        if self._mark is not None and mark != self._mark:
            self._moved = time.monotonic()  # it moved before our eyes, whatever the clocks say
        self._mark = mark

    def age(self) -> float | None:
        """Seconds; None if unknown."""
        if self._written is None:
            return None
        age = max(0.0, time.time() - self._written)
        return age if self._moved is None else min(age, time.monotonic() - self._moved)
