"""Lines from standard input to a protocol, and its answers to standard output.

One thread reads, another thinks: a command that stops the thinking is heard while it goes on. The
end of the input, ``quit``, Ctrl-C, and a reader of the output who has gone away all end it quietly.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from ludus import logs

_LOG = logs.get_logger("players.engines")
_CHUNK = 65536
_LONGEST = 1 << 20
"""Bytes of a line; of a longer one the rest is dropped."""

_PATIENCE = 1.0
"""Seconds that thinking has to stop after Ctrl-C."""


class Server(Protocol):
    """A protocol."""

    stop: threading.Event

    def heard(self, line: str) -> None:
        """By the reading thread, at once; short."""
        ...

    def answer(self, line: str, say: Callable[[str], None]) -> bool:
        """By the thinking thread, in order; False ends it. ``say`` writes a line."""
        ...

    def failed(self, line: str, error: Exception, say: Callable[[str], None]) -> None:
        """After a bug in :meth:`answer`: tell the other side."""
        ...


class _Lines:
    """Lines of a descriptor, until it ends or somebody calls :meth:`finish`."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._finished, self._finish = os.pipe()
        os.set_blocking(self._finish, False)

    @property
    def wake(self) -> int:
        """A descriptor; a byte written to it ends the reading."""
        return self._finish

    def __iter__(self) -> Iterator[str]:
        unread = b""
        while True:
            ready = select.select([self._source, self._finished], [], [])[0]
            if self._finished in ready:
                return
            chunk = os.read(self._source, _CHUNK)
            *lines, unread = (unread + chunk).split(b"\n")
            unread = unread[:_LONGEST]
            for line in lines if chunk else [*lines, *filter(None, [unread])]:
                yield line[:_LONGEST].rstrip(b"\r").decode("utf-8", "replace")
            if not chunk:
                return

    def finish(self) -> None:
        """End the reading; by another thread."""
        os.write(self._finish, b".")

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._finished)
        os.close(self._finish)


def serve(server: Server, source: int = 0, target: int = 1) -> bool:
    """Answer lines until the end.

    Args:
        server: the protocol.
        source: descriptor of the commands.
        target: descriptor of the answers; nobody else may write to it.

    Returns: whether the thinking has ended too; if not, the process should, by :func:`os._exit`.
    """
    lines = _Lines(source)
    work = _Work(server, target, lines.finish)
    work.start()
    with _interrupted(lines) as interrupted:
        for line in lines:
            server.heard(line)
            work.give(line)
        work.give(None)
        while work.is_alive() and not interrupted.is_set():
            work.join(0.05)
        if interrupted.is_set():
            server.stop.set()
            work.over.set()
            work.join(_PATIENCE)
    if work.is_alive():
        return False
    lines.close()
    return True


@contextlib.contextmanager
def _interrupted(lines: _Lines) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, instead of an exception that may be raised in any line.

    In another thread than the main one nothing is caught.
    """
    asked = threading.Event()

    def interrupt(*_: object) -> None:
        asked.set()
        lines.finish()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, interrupt)
    # The handler waits for the interpreter, which may just be on its way into select(): the byte
    # that the system's own handler writes ends that at once.
    woken = signal.set_wakeup_fd(lines.wake, warn_on_full_buffer=False)
    try:
        yield asked
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGINT, before)


class _Work(threading.Thread):
    """The thread that answers, line by line."""

    def __init__(self, server: Server, target: int, finish: Callable[[], None]) -> None:
        super().__init__(name="engine", daemon=True)
        self.over = threading.Event()
        self._server, self._target, self._finish = server, target, finish
        self._lines: queue.Queue[str | None] = queue.Queue(maxsize=10_000)

    def give(self, line: str | None) -> None:
        """Another line to answer; None is the last one."""
        while self.is_alive():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=0.2)
                return

    def run(self) -> None:
        """Answer until the end."""
        try:
            while not self.over.is_set() and (line := self._lines.get()) is not None:
                if not self._answered(line):
                    break
        except BrokenPipeError:
            return  # nobody reads the answers any more
        finally:
            self._finish()

    def _answered(self, line: str) -> bool:
        try:
            return self._server.answer(line, self._say)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not leave the interface waiting
            _LOG.error(f"{type(error).__name__}: {error}", event="engine_failed", exception=error)
            self._server.failed(line, error, self._say)
            return True

    def _say(self, line: str) -> None:
        left = line.encode() + b"\n"
        while left:
            left = left[os.write(self._target, left) :]
