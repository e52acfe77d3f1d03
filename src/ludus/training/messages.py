"""What trainer and supervisor say to each other: one JSON object a line, over pipes.

Trainer to supervisor, field ``kind``:

``note``   ``text``: a sentence for the user.
``beat``   progress: ``work`` (a number that only changes when work was done), ``waiting`` (a
           guard's pause: nothing is expected to move) and whatever is shown.
``end``    ``state``, ``code``, ``text``; ``final`` when a restart must not be tried.

Supervisor to trainer: the request first, then ``{"command": "stop"}``; the end of the stream
means that the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any


class Sender:
    """The trainer's end of the heartbeat pipe. Never blocks on a slow reader for long lines."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message; a reader that is gone does not matter here."""
        if self._descriptor is None:
            return
        line = json.dumps({"kind": kind, **fields}, default=str) + "\n"
        with contextlib.suppress(BrokenPipeError):
            os.write(self._descriptor, line.encode())


class Lines:
    """Collects the pieces that a pipe gives into whole JSON lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are complete with this piece; damaged lines are left out."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                yield message
