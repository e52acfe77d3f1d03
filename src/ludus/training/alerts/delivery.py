"""How alerts leave the machine: a command, a webhook. Works in the supervisor, never in training.

A thread of its own takes documents from a bounded queue, so that neither a program that hangs nor
a network that is dead holds up anything. Each target is tried three times; failures are counted,
and the first of a row is told.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PAUSES = (1.0, 2.0)
"""Seconds before the second and the third try."""

_MOST_WAITING = 100
_LOG_LIMIT = 1 << 20
_OUTPUT_LIMIT = 1 << 14


@dataclass(frozen=True)
class Target:
    """Where alerts go.

    Attributes:
        command: program with its arguments; empty for none.
        webhook: address; None for none.
        timeout_seconds: after which a try is given up.
    """

    command: tuple[str, ...] = ()
    webhook: str | None = None
    timeout_seconds: float = 10.0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Target:
        """From the section ``alerts`` of settings as JSON."""
        return cls(
            tuple(settings.get("command") or ()),
            settings.get("webhook"),
            float(settings.get("timeout_seconds", 10.0)),
        )

    @property
    def off(self) -> bool:
        """Whether nothing leaves the machine."""
        return not self.command and self.webhook is None


class DeliveryError(Exception):
    """A try that did not work; the sentence says why."""


class Delivery:
    """Delivers alerts in its own daemon thread.

    Attributes:
        target: where they go; may be replaced at any time.
        delivered, failed, dropped: documents that arrived at a target, that did not after all
            tries, and that found the queue full.
    """

    def __init__(
        self,
        target: Target,
        *,
        about: Mapping[str, Any],
        log: Path | None = None,
        note: Callable[[str], None] = lambda text: None,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        """Prepare; the thread starts with the first alert.

        Args:
            target: where alerts go.
            about: fields of every document: the run, the machine.
            log: file that gets what the command prints; nothing is written where its folder lacks.
            note: is told the first failure of a row.
            pauses: seconds between tries.
        """
        self.target = target
        self.delivered = self.failed = self.dropped = 0
        self._about, self._log, self._note = dict(about), log, note
        self._pauses = pauses
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._told: set[str] = set()
        self._child: subprocess.Popen[bytes] | None = None

    def put(self, alert: Mapping[str, Any]) -> None:
        """Deliver an alert soon; returns at once."""
        if self.target.off or self._closed.is_set():
            return
        try:
            self._queue.put_nowait(finite({**self._about, **alert}))
        except queue.Full:
            self.dropped += 1
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
            self._thread.start()

    def close(self, seconds: float, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Wait for what is under way, at most so long; then end the command, if one runs.

        Args:
            seconds: to wait.
            hurry: whether to wait no longer.
        """
        end = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < end and not hurry():
            time.sleep(0.02)
        self._closed.set()
        if self._child is not None:
            _end(self._child)
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(None)  # wakes the thread
            self._thread.join(1.0)

    def _work(self) -> None:
        while not self._closed.is_set():
            document = self._queue.get()
            try:
                if document is not None:
                    self._deliver(document)
            finally:
                self._queue.task_done()

    def _deliver(self, document: Mapping[str, Any]) -> None:
        target = self.target
        ways: list[tuple[str, Callable[[], None]]] = []
        if target.command:
            ways.append(("command", lambda: self._run(target, document)))
        if target.webhook is not None:
            ways.append(("webhook", lambda: post(target, document)))
        for way, send in ways:
            reason = self._try(send)
            if reason is None:
                self.delivered += 1
                self._told.discard(way)
                continue
            self.failed += 1
            if way not in self._told and not self._closed.is_set():
                self._told.add(way)
                self._note(f"ludus: alerts do not leave the machine by alerts.{way}: {reason}")

    def _try(self, send: Callable[[], None]) -> str | None:
        """Three tries; returns why the last one failed, None if one worked."""
        reason: str | None = None
        for pause in (0.0, *self._pauses):
            if self._closed.wait(pause):
                return reason or "the run ended"
            try:
                send()
                return None
            except DeliveryError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - nothing of this may end the thread
                reason = f"{type(error).__name__}: {error}"
        return reason

    def _run(self, target: Target, document: Mapping[str, Any]) -> None:
        def began(child: subprocess.Popen[bytes] | None) -> None:
            self._child = child
            if child is not None and self._closed.is_set():
                _end(child)

        output = b""
        try:
            output = run_command(target, document, began)
        except CommandError as error:
            output = error.output
            raise
        finally:
            self._write_log(target.command[0], output)

    def _write_log(self, program: str, output: bytes) -> None:
        """Append what a command printed; the file is begun anew when it is large."""
        if self._log is None or not output.strip():
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError):
            if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
                os.replace(self._log, self._log.with_suffix(".log.old"))
            with open(self._log, "ab") as file:
                file.write(f"{stamp} {program}:\n".encode() + output.rstrip() + b"\n")


class CommandError(DeliveryError):
    """A command that failed, with what it printed."""

    def __init__(self, reason: str, output: bytes = b"") -> None:
        super().__init__(reason)
        self.output = output


def run_command(
    target: Target,
    document: Mapping[str, Any],
    began: Callable[[subprocess.Popen[bytes] | None], None] = lambda child: None,
) -> bytes:
    """Run the command with the document as JSON on its input; no shell is involved.

    Args:
        target: names the command and the time that it has.
        document: JSON.
        began: is given the process while it runs, and None afterwards.

    Returns: the end of what it printed.

    Raises:
        CommandError: it cannot be started, failed, or was killed after the time.
    """
    data = (json.dumps(document, allow_nan=False, default=str) + "\n").encode()
    try:
        child = subprocess.Popen(
            list(target.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all it starts can be ended with it
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"{target.command[0]} cannot be started: {why}") from None
    began(child)
    try:
        output, _ = child.communicate(data, timeout=target.timeout_seconds)
    except subprocess.TimeoutExpired as error:
        _end(child)
        raise CommandError(
            f"{target.command[0]} did not end within {target.timeout_seconds:g} s",
            (error.output or b"")[-_OUTPUT_LIMIT:],
        ) from None
    finally:
        began(None)
        for stream in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
    if child.returncode != 0:
        raise CommandError(
            f"{target.command[0]} ended with exit code {child.returncode}",
            output[-_OUTPUT_LIMIT:],
        )
    return output[-_OUTPUT_LIMIT:]


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill a command and everything that it started."""
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        child.wait(1.0)


def post(target: Target, document: Mapping[str, Any]) -> None:
    """POST the document as JSON; any answer of 200 to 299 is success.

    Raises:
        DeliveryError: no connection, no answer in time, or another answer. The sentence names the
            host alone, since the rest of an address may be a secret.
    """
    import http.client
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        """A redirection would be followed without the document: it is an answer like any other."""

        def redirect_request(self, *about: Any) -> None:
            return None

    assert target.webhook is not None
    host = urlsplit(target.webhook).hostname or "?"
    request = Request(  # noqa: S310 - the settings allow http and https only
        target.webhook,
        data=json.dumps(document, allow_nan=False, default=str).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "ludus"},
        method="POST",
    )
    try:
        with build_opener(Stay).open(request, timeout=target.timeout_seconds) as answer:
            answer.read(1024)
    except HTTPError as error:
        error.close()
        raise DeliveryError(f"{host} answered {error.code}") from None
    except URLError as error:
        raise DeliveryError(f"{host} cannot be reached: {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DeliveryError(f"{host}: {str(error) or type(error).__name__}") from None


def send_now(target: Target, document: Mapping[str, Any]) -> dict[str, str | None]:
    """One try on every target; what went wrong by way, None where it worked."""
    found: dict[str, str | None] = {}
    for way, there, send in (
        ("command", bool(target.command), run_command),
        ("webhook", target.webhook is not None, post),
    ):
        if not there:
            continue
        try:
            send(target, finite(document))
            found[way] = None
        except DeliveryError as error:
            found[way] = str(error)
    return found


def finite(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with null for numbers that are not finite, which JSON does not know."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in document.items()
    }
