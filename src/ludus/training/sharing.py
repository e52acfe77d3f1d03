"""Several runs on one machine: each takes its share of the cores.

A trainer announces itself by a file in the cache folder that it holds locked as long as it lives.
With ``runtime.lanes: 0`` a run takes the cores divided by the number of announced runs, anew at the
beginning of each phase. The kernel drops a lock with its process, so one that was killed does not
count. The number of lanes changes speed and never results.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
import weakref
from pathlib import Path

from ludus.evaluators import core_count
from ludus.training.session import Session

FOLDER = "sharing"
"""Below the cache folder: one file for each trainer of this user on this machine."""

_NEW_SECONDS = 5.0


def cache_folder() -> Path:
    """``LUDUS_CACHE``, or ``~/.cache/ludus``."""
    named = os.environ.get("LUDUS_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "ludus"


class Share:
    """The share of this process, from its making to :meth:`close`.

    Attributes:
        runs: announced trainers, as counted last; at least 1.
    """

    def __init__(self, folder: Path | None = None, *, cores: int | None = None) -> None:
        """Announce this process; where the folder cannot be used, it counts itself alone.

        Args:
            folder: of the announcements.
            cores: to be divided; those that this process may use by default.
        """
        self._folder = folder or cache_folder() / FOLDER
        self._cores = cores or core_count()
        self._descriptor: int | None = None
        self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.lock"
        self.runs = 1
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # a look at it takes microseconds
            _HELD.add(self)

    def lanes(self) -> int:
        """Count the trainers, and say how many lanes this one should have: at least one."""
        self.runs = 1 + self._others()
        return max(1, self._cores // self.runs)

    def take(self, session: Session) -> None:
        """Set the lanes of the phase that begins, and tell when the number of runs has changed.

        Args:
            session: of the run.
        """
        fixed, before = session.settings.runtime.lanes, self.runs
        session.lanes = fixed or self.lanes()
        if not fixed and self.runs != before:
            session.run.events.append_if_possible(
                "sharing", runs=self.runs, lanes=session.lanes, cores=self._cores
            )
            others = "alone" if self.runs == 1 else f"with {self.runs - 1} other run(s)"
            session.note(f"{session.lanes} lane(s) from now on: on this machine {others}")

    def _others(self) -> int:
        """Trainers that live; files of dead ones are removed."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return 0
        paths = [self._folder / name for name in names if name.endswith(".lock")]
        return sum(_is_held(path) for path in paths if path != self._path)

    def close(self) -> None:
        """Announce no longer. May be called twice."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            os.close(descriptor)

    def _forget(self) -> None:
        """In a child that a library forked: the announcement is the parent's."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_HELD: weakref.WeakSet[Share] = weakref.WeakSet()


def _forget_all() -> None:
    for share in list(_HELD):
        share._forget()


os.register_at_fork(after_in_child=_forget_all)


def _is_held(path: Path) -> bool:
    """Whether the maker of the file lives; else it is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Shared: two that look at the same time do not take each other for its maker.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        # A file that is being made is not locked for a moment: one that is new is left alone.
        with contextlib.suppress(OSError):
            about = os.fstat(descriptor)
            if time.time() - about.st_mtime > _NEW_SECONDS:
                os.unlink(path)
        return False
    finally:
        os.close(descriptor)
