"""What the supervisor tells the outside: alerts of the trainer, and its own about the trainer."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ludus.errors import LudusError
from ludus.runs import Run, StatusWriter, read_status
from ludus.training.alerts.delivery import Delivery, Target
from ludus.training.keys import Given, flat_values, validate
from ludus.training.request import TrainRequest, current_settings
from ludus.training.settings import Settings

_LAST_SECONDS = 15.0
"""How long the end of the supervisor waits for alerts under way."""

_ASKED_SECONDS = 1.0
"""The same after Ctrl-C, which ends a run within 5 s."""

_WRITER = ("protocol_version", "run_id", "incarnation", "pid", "ts_ms", "number")
"""Fields of a status document that belong to who wrote it."""


class Outside:
    """Delivers alerts while a request is worked on.

    Attributes:
        watchdog_seconds: of the run's settings when the request was made.
    """

    def __init__(self, request: TrainRequest, note: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            request: which run; its settings say where alerts go.
            note: shows a sentence to the user.
        """
        settings = _settings(request)
        path = Path(request.path)
        self.watchdog_seconds = settings.guards.watchdog_seconds
        self._delivery = Delivery(
            Target.of(settings.alerts.model_dump(mode="json")),
            about={"run": str(path.absolute()), "recipe": request.recipe, "host": platform.node()},
            log=path / "logs" / "alerts.log",
            note=note,
        )
        self._waiting: str | None = None

    def alert(self, name: str, message: str, *, severity: str = "error") -> None:
        """An alert of the supervisor's own."""
        self._send("alert", name, message, severity)

    def _send(self, event: str, name: str, message: str, severity: str) -> None:
        self._delivery.put(
            {
                "event": event,
                "name": name,
                "severity": severity,
                "metric": None,
                "value": None,
                "condition": None,
                "limit": None,
                "action": "tell",
                "message": message,
                "ts_ms": time.time_ns() // 1_000_000,
            }
        )

    def passed_on(self, message: Mapping[str, Any]) -> None:
        """A message ``alert`` of the trainer."""
        alert, settings = message.get("alert"), message.get("settings")
        if isinstance(settings, Mapping):
            self._delivery.target = Target.of(settings)
        if isinstance(alert, Mapping):
            self._delivery.put(alert)

    def waiting(self, beat: Mapping[str, Any]) -> None:
        """Tell when a guard's pause begins and ends."""
        reason = str(beat.get("reason", "")) if beat.get("waiting") else None
        if (reason is None) == (self._waiting is None):
            return
        event = "alert_cleared" if reason is None else "alert"
        text = f"going on after: {self._waiting}" if reason is None else reason
        self._waiting = reason
        self._send(event, "run_waiting", text, "error")

    def close(self, *, asked: bool, hurry: Callable[[], bool]) -> None:
        """Wait a little for alerts under way; a command that still runs then is ended.

        Args:
            asked: whether somebody asked for the end, and waits for it.
            hurry: whether to wait no longer.
        """
        self._delivery.close(_ASKED_SECONDS if asked else _LAST_SECONDS, hurry=hurry)


def _settings(request: TrainRequest) -> Settings:
    """Settings that a request leads to; the defaults where that cannot be said yet."""
    try:
        if request.create:
            return Settings.model_validate(request.settings)
        settings = current_settings(Run.open(request.path, write=False))
        flat = {key: Given(value, "run") for key, value in flat_values(settings).items()}
        flat.update({key: Given(value, "asked") for key, value in request.changes.items()})
        return validate(flat)
    except (LudusError, OSError, ValueError):  # the trainer will say what is wrong with the run
        return Settings()


def leave_in_status(path: Path, state: str, reason: str) -> bool:
    """Write into a run's status how it ended, keeping what its trainer said last.

    Returns: whether there is such a run.
    """
    try:
        run = Run.open(path, write=False)
    except LudusError:
        return False
    last = {key: value for key, value in (read_status(path) or {}).items() if key not in _WRITER}
    status = StatusWriter(path, run_id=run.id, incarnation=f"supervisor-{secrets.token_hex(4)}")
    status.write(
        {
            **last,
            "state": state,
            "phase": None,
            "error": reason,
            "controller_error": reason,
            "reason": reason,
            "eta_seconds": None,
        }
    )
    return True
