"""The companion itself: ``python -m ludus.monitor.exporters.companion_process``.

Its standard input begins with the request; ``finish`` asks for the end, the end of the input means
that nobody needs it any more. Its standard output carries sentences for people, one JSON object a
line. Each sink has a thread of its own: one that hangs holds up nobody else.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import sys
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from ludus.training.trainer import die_with_parent

_NICE = 19
_WAIT_SECONDS = 0.5
_LOG_BYTES = 1 << 20
HANG_SECONDS = 30.0
"""At one look or one opening, after which it is told that a sink hangs."""

_MOST_FAILURES = 5
"""Looks in a row that may fail before a sink is given up."""


class Notes:
    """Sentences to the process that started this one; each one once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, text: str, *, warning: bool = False) -> None:
        """Tell, unless that was told before.

        Args:
            text: a sentence.
            warning: whether the run's events should have it too.
        """
        with self._lock:
            if text in self._told:
                return
            self._told.add(text)
            try:
                os.write(
                    self._descriptor,
                    json.dumps({"note": text, "warning": warning}).encode() + b"\n",
                )
            except OSError:
                return


class SinkThread(threading.Thread):
    """Feeds one sink until it is told to finish."""

    def __init__(
        self, name: str, path: Path, interval: float, finish: threading.Event, note: Notes
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._busy_since: float | None = None
        self._path, self._interval, self._finish, self._note = path, interval, finish, note

    def run(self) -> None:
        """Wait for the run, open, poll, flush."""
        from ludus.errors import LudusError
        from ludus.monitor.exporters.base import make_sink
        from ludus.monitor.exporters.feed import Feed, default_target, sentence
        from ludus.monitor.exporters.retry import with_retry
        from ludus.runs import read_status

        while read_status(self._path) is None:
            if self._finish.wait(_WAIT_SECONDS):
                break
        self._busy_since = time.monotonic()
        try:
            target = default_target(self._path, self.name)
            sink = make_sink(self.name, target)
            retry = functools.partial(with_retry, tell=_log_in(target, self.name).warning)
            with Feed(self._path, sink, self.name, target, retry=retry) as feed:
                self._poll(feed)
        except LudusError as error:
            self._note(f"sink {self.name}: {error}", warning=True)
        except Exception as error:  # noqa: BLE001 - whatever a service's library raises
            self._note(
                f"sink {self.name} failed: {sentence(error)}; ludus sync goes on later",
                warning=True,
            )

    def _poll(self, feed: Any) -> None:
        from ludus.monitor.exporters.feed import sentence

        failures = 0
        while True:
            last = self._finish.is_set()
            try:
                feed.poll()
                failures = 0
            except Exception as error:
                failures += 1
                if failures >= _MOST_FAILURES or last:
                    raise
                self._note(
                    f"sink {self.name} failed: {sentence(error)}; it is tried again", warning=True
                )
            if last:
                return
            self._busy_since = None
            self._finish.wait(self._interval)
            self._busy_since = time.monotonic()

    def hangs(self) -> bool:
        """Whether it has been at the same thing for longer than a sink should take."""
        since = self._busy_since
        return self.is_alive() and since is not None and time.monotonic() - since > HANG_SECONDS


def _log_in(target: Path, name: str) -> logging.Logger:
    """The record of a sink's retries, beside its output; the file is made with the first line."""
    logger = logging.Logger(f"ludus.sink.{name}")  # in no registry: its lines go nowhere else
    handler = RotatingFileHandler(
        target / "ludus-sync.log", maxBytes=_LOG_BYTES, backupCount=1, delay=True, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    return logger


def serve(path: Path, port: int, note: Notes) -> Any:
    """``/metrics`` of a run; None, and a note, where the port cannot be had."""
    from ludus.errors import UserError
    from ludus.monitor.exporters.prometheus import Exporter
    from ludus.monitor.exporters.server import MetricsServer

    try:
        server = MetricsServer(Exporter(path).text, port=port)
    except UserError as error:
        note(f"no metrics this time: {error}; training goes on", warning=True)
        return None
    server.start()
    note(f"metrics at {server.url}")
    return server


def main() -> int:
    """Work until told to finish; returns the exit code."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    # What libraries print is not for the process that reads our notes.
    note = Notes(os.dup(1))
    os.dup2(2, 1)

    from ludus.monitor.exporters.companion import CompanionRequest

    request = CompanionRequest.from_json(line.decode())
    finish = threading.Event()
    threading.Thread(target=_listen, args=(finish,), name="stdin", daemon=True).start()
    path = Path(request.path)
    threads = [
        SinkThread(name, path, request.interval, finish, note)
        for name in dict.fromkeys(request.sinks)
    ]
    for thread in threads:
        thread.start()
    server = None if request.port is None else serve(path, request.port, note)
    while not finish.wait(_WAIT_SECONDS):
        for thread in threads:
            if thread.hangs():
                note(f"sink {thread.name} hangs; training goes on", warning=True)
        if server is None and not any(thread.is_alive() for thread in threads):
            break
    for thread in threads:
        thread.join()
    if server is not None:
        server.stop()
    return 0


def _listen(finish: threading.Event) -> None:
    for line in sys.stdin.buffer:
        try:
            if json.loads(line).get("command") == "finish":
                finish.set()
        except (ValueError, AttributeError):
            continue
    os._exit(1)  # the other end is gone


if __name__ == "__main__":
    code = main()
    # A sink's library may have threads of its own that wait for a network.
    os._exit(code)
