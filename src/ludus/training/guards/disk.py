"""Warns when space gets short; under the floor the run waits until there is some again."""

from __future__ import annotations

from ludus.runs import Space
from ludus.training.guards.base import GuardState, Hold, Moment

_SECONDS = 5.0


class DiskGuard:
    """Free space of the run's disk (decision 6)."""

    name = "disk"

    def __init__(self) -> None:
        self._looked = 0.0
        self._warned = False
        self._count = 0
        self._space: Space | None = None

    def look(self, moment: Moment) -> None:
        """Look every few seconds."""
        if moment.now - self._looked < _SECONDS:
            return
        self._looked = moment.now
        run = moment.session.run
        self._space = space = run.space()
        text = f"only {space.free_bytes // 10**6} MB of disk are free"
        if space.level == "ok":
            self._warned = False
        elif not self._warned:
            self._warned = True
            self._count += 1
            run.events.append("guard_warned", guard=self.name, message=text)
            moment.session.note(text)
        if space.level == "floor":
            raise Hold(self.name, text, lambda: run.space().level != "floor")

    def resumed(self, moment: Moment) -> None:
        """There is space again."""
        self._looked = 0.0

    def state(self) -> GuardState:
        """By the last look."""
        if self._space is None:
            return GuardState(self.name, "ok", "not looked at yet")
        text = f"{self._space.free_bytes / 1e9:.1f} GB free"
        level = {"ok": "ok", "warn": "warning", "floor": "acting"}[self._space.level]
        return GuardState(self.name, level, text, self._count)  # type: ignore[arg-type]
