"""What trainer and supervisor say to each other: one JSON object a line, over pipes.

Trainer to supervisor, field ``kind``:

``note``   ``text``: a sentence for the user.
``beat``   progress: ``work`` (a number that only changes when work was done), ``waiting`` (a
           guard's pause: nothing is expected to move), ``watchdog`` (seconds without progress
           after which the trainer is replaced), ``uncommitted_seconds`` (work that a crash would
           lose), and whatever is shown.
``alert``  ``alert``: what was raised or cleared; ``settings``: how it leaves the machine
           (``command``, ``webhook``, ``timeout_seconds``).
``told``   ``restarts``: so many restarts of the request are in the run's events now.
``end``    ``state``, ``code``, ``text``; ``final`` when a restart must not be tried.

Supervisor to trainer: the request first, then lines with ``command``: ``stop``, or ``notice`` with
a ``message`` for the run's events; the end of the stream means that the supervisor is gone.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterator
from typing import Any

_PATIENCE_SECONDS = 5.0
"""How long a message other than a heartbeat waits for a reader that does not read."""


class Sender:
    """The trainer's end of the heartbeat pipe.

    A supervisor that does not read (stopped by Ctrl-Z, say) never stops the training: heartbeats
    are dropped when the pipe is full, other messages wait a few seconds first.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message; a reader that is gone does not matter here."""
        if self._descriptor is None:
            return
        line = (json.dumps({"kind": kind, **fields}, default=str) + "\n").encode()
        end = time.monotonic() + (0.0 if kind == "beat" else _PATIENCE_SECONDS)
        begun = False
        while line:
            try:
                # A line up to the pipe's atomic size is written whole or not at all.
                line = line[os.write(self._descriptor, line) :]
                begun = True
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0.0 and not begun:
                    return
                # What is begun must be ended, or the next message would be damaged.
                select.select((), (self._descriptor,), (), max(0.01, left))
            except OSError:
                return


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
