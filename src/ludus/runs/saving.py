"""When to save, and what to do when saving fails."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ludus.runs.objects import DurabilityError, NewFile, SaveError

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Space:
    """Free space on a disk.

    Attributes:
        level: ``ok``; ``warn``: tell the user; ``floor``: the guard pauses the run until there is
            space again (what is left is for the commit of that pause).
        free_bytes: bytes that this user may still write.
    """

    level: Literal["ok", "warn", "floor"]
    free_bytes: int


def free_bytes(path: Path) -> int:
    """Bytes that an unprivileged user may still write on the disk of `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


@dataclass(frozen=True)
class SavePolicy:
    """What to do when saving fails, and from when on the disk is too full.

    Attributes:
        retry_seconds: wait before the one retry.
        warn_bytes: free space under which to warn.
        floor_bytes: free space under which to pause.
    """

    retry_seconds: float = 5.0
    warn_bytes: int = 2 * 10**9
    floor_bytes: int = 512 * 10**6

    def space(self, path: Path) -> Space:
        """How much room there is for the run at `path`."""
        free = free_bytes(path)
        if free < self.floor_bytes:
            return Space("floor", free)
        return Space("warn" if free < self.warn_bytes else "ok", free)

    def attempt(
        self,
        action: Callable[[], _Result],
        *,
        required: bool,
        on_failure: Callable[[SaveError, int], None],
        wait: Callable[[float], None] = time.sleep,
    ) -> _Result | None:
        """Call `action`; if it raises SaveError wait, and call it once more.

        Args:
            action: writes everything anew, under new names.
            required: whether a second failure is raised; else None is returned.
            on_failure: told each failure and the number of the attempt (1 or 2).
            wait: how to wait.

        Raises: DurabilityError at once (an EIO of fsync is never retried); SaveError if required.
        """
        for attempt in (1, 2):
            try:
                return action()
            except DurabilityError as error:
                on_failure(error, attempt)
                raise
            except SaveError as error:
                on_failure(error, attempt)
                if attempt == 2 and required:
                    raise
            if attempt == 1:
                wait(self.retry_seconds)
        return None


@dataclass
class SaveHistory:
    """What became of the saves of a process.

    Attributes:
        failures: attempts that failed.
        in_a_row: saves that failed for good (the retry too) since the last one that worked.
        last_message: why the last attempt failed that did; empty if none has.
    """

    failures: int = 0
    in_a_row: int = 0
    last_message: str = ""

    def failed(self, message: str) -> None:
        """Count an attempt."""
        self.failures += 1
        self.last_message = message

    def ended(self, *, saved: bool) -> None:
        """Count a save, after its retry if it needed one."""
        self.in_a_row = 0 if saved else self.in_a_row + 1


def disk_is_full(error: BaseException) -> bool:
    """Whether a failed save says that there is no room: a full disk, or a quota used up."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__
    return False


def has_room(path: Path, nbytes: int = 1 << 20) -> bool:
    """Whether `nbytes` can be written below `path` now: asked by writing them.

    The free space that a disk tells may not be this user's (quotas), or of no use (no inodes).
    """
    try:
        with NewFile(path, "probe") as file:
            file.write(bytes(nbytes))
    except SaveError:
        return False
    return True


class CommitCadence:
    """Says when the next commit is due: every so many seconds, stretched to cost under a share."""

    def __init__(
        self,
        seconds: float = 60.0,
        *,
        share: float = 0.01,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock: the first commit is due a period from now.

        Args:
            seconds: the period (``run.commit_seconds``); may be set later too.
            share: the part of the time that commits may cost; 1 never stretches.
            clock: seconds, monotonic.
        """
        self.seconds = seconds
        self.share = share
        self._clock = clock
        self._last = clock()
        self._cost = 0.0

    def due(self) -> bool:
        """Whether it is time for a commit."""
        period = max(self.seconds, self._cost / self.share)
        return self._clock() - self._last >= period

    def hasten(self) -> None:
        """Make the next commit due now: what was just done should not wait for the period."""
        self._last = -math.inf

    def committed(self, cost_seconds: float) -> None:
        """Tell that a commit ended just now and what it cost."""
        self._cost = max(0.0, cost_seconds)
        self._last = self._clock()
