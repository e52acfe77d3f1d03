"""Warns when space gets short; under the floor the run waits until there is some again."""

from __future__ import annotations

import time

from ludus.runs import Space, has_room
from ludus.training.guards.base import GuardState, Hold, Moment
from ludus.training.session import Session

_SECONDS = 5.0

_PROBE_SECONDS = 2.0
"""Between two tries whether a full disk has room again."""


class DiskGuard:
    """Free space of the run's disk (decision 6)."""

    name = "disk"

    def __init__(self) -> None:
        self._looked = 0.0
        self._warned = False
        self._count = 0
        self._space: Space | None = None
        self._full: str | None = None

    def look(self, moment: Moment) -> None:
        """Look every few seconds."""
        if moment.now - self._looked < _SECONDS:
            return
        self._looked = moment.now
        session = moment.session
        space = self._measure(session)
        if space.level == "floor":
            raise Hold(self.name, _sentence(space), lambda: session.run.space().level != "floor")

    def before_save(self, session: Session) -> None:
        """Warn where a save may fail for want of space; never raises."""
        self._measure(session)

    def _measure(self, session: Session) -> Space:
        """Look now, and tell when it gets short."""
        run = session.run
        self._space = space = run.space()
        if space.level == "ok":
            self._warned = False
        elif not self._warned:
            self._warned = True
            self._count += 1
            text = f"{_sentence(space)}: saving may fail"
            run.events.append_if_possible("guard_warned", guard=self.name, message=text)
            session.note(text)
        return space

    def full(self, session: Session, message: str) -> Hold:
        """The hold for a disk that refused: until there is room again.

        Args:
            session: of the run.
            message: what the disk said.
        """
        run, asked = session.run, time.monotonic()
        self._count += 1
        self._full = message

        def room() -> bool:
            nonlocal asked
            if time.monotonic() - asked < _PROBE_SECONDS:
                return False
            asked = time.monotonic()
            return run.space().level != "floor" and has_room(run.path)

        return Hold(self.name, f"the disk is full: {message}", room)

    def resumed(self, moment: Moment) -> None:
        """There is space again."""
        self._looked = 0.0
        self._full = None

    def state(self) -> GuardState:
        """By the last look."""
        if self._full is not None:
            return GuardState(self.name, "acting", self._full, self._count)
        if self._space is None:
            return GuardState(self.name, "ok", "not looked at yet")
        text = f"{self._space.free_bytes / 1e9:.1f} GB free"
        level = {"ok": "ok", "warn": "warning", "floor": "acting"}[self._space.level]
        return GuardState(self.name, level, text, self._count)  # type: ignore[arg-type]


def _sentence(space: Space) -> str:
    return f"only {space.free_bytes // 10**6} MB of disk are free"
