"""One writer a run: a kernel lock on an open file, which no crash can leave behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import RunError, RunLockedError
from ludus.runs import layout
from ludus.runs.objects import SaveError, close_quietly, read_file

# A reader that asks whether the run is in use holds the lock for microseconds, and a process that
# was killed may take a moment to die: a short patience keeps both from failing a start.
_PATIENCE_SECONDS = 0.3
_LOOKING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Holder:
    """Who holds a run, as that process said itself.

    Attributes:
        pid: process id on `host`.
        host: name of the machine.
        started: when it took the lock, UTC, ISO 8601.
    """

    pid: int
    host: str
    started: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, started {self.started}"


def _read_holder(run: Path) -> Holder | None:
    """What the lock file says, None if it says nothing; for messages only, never for decisions."""
    try:
        document = json.loads(read_file(run / layout.LOCK, 4096))
        return Holder(int(document["pid"]), str(document["host"]), str(document["started"]))
    except (OSError, RunError, ValueError, KeyError, TypeError):
        return None


class RunLock:
    """The lock of a run, held until :meth:`release` or the end of the process.

    It belongs to this process alone: a child that some library forks closes its copy at once.
    """

    def __init__(self, descriptor: int) -> None:
        """Not for callers: use :meth:`acquire`."""
        self._descriptor = descriptor
        _HELD.add(self)

    def _forget(self) -> None:
        """Close the descriptor without giving the lock back; the parent still holds it."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            close_quietly(descriptor)

    @classmethod
    def acquire(cls, run: Path) -> RunLock:
        """Take the lock of the run in directory `run`, waiting at most 0.3 s.

        Raises: RunLockedError, naming the holder; SaveError if the lock file cannot be opened.
        """
        path = run / layout.LOCK
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise SaveError(f"could not open {path}: {error.strerror}") from error
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                close_quietly(descriptor)
                holder = _read_holder(run)
                name = str(holder) if holder is not None else "another process"
                raise RunLockedError(f"the run {run} is in use by {name}") from None
            except OSError as error:
                close_quietly(descriptor)
                raise SaveError(
                    f"{path} cannot be locked ({error.strerror}): use a file system with flock"
                ) from error
        lock = cls(descriptor)
        lock._introduce()
        return lock

    def _introduce(self) -> None:
        """Write who holds the lock. Only a message: a full disk must not stop a start here."""
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = {"pid": os.getpid(), "host": socket.gethostname(), "started": started}
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(about).encode(), 0)

    def release(self) -> None:
        """Give the lock back. May be called twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            close_quietly(descriptor)  # an error says nothing about the lock, which is gone


_HELD: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_HELD):
        lock._forget()


os.register_at_fork(after_in_child=_forget_all)


def lock_holder(run: Path) -> Holder | None:
    """Who writes to the run right now; None if nobody does. Changes nothing.

    A holder that did not introduce itself yet has pid 0.
    """
    try:
        descriptor = os.open(run / layout.LOCK, _LOOKING)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(run) or Holder(0, "unknown", "unknown")
    finally:
        close_quietly(descriptor)
    return None
