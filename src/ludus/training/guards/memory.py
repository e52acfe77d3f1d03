"""Keeps the trainer within its memory budget: shrink first, restart once, then pause."""

from __future__ import annotations

import gc

from ludus.training.guards.accounts import CanShrink, caches, memory_report
from ludus.training.guards.base import GuardState, Moment, Rebuild, RestartError
from ludus.training.memory import fragmentation, memory_limit, resident_bytes, trim
from ludus.training.phases import Leave

_SECONDS = 5.0

_WARM_UP_SECONDS = 60.0
_WARM_UP_ITERATIONS = 2

_AGAIN_SECONDS = 60.0
"""Above the budget again so soon after shrinking: shrinking does not help."""

_SHARE = 0.8
"""Of the machine or container, where no budget is set."""


class MemoryGuard:
    """Resident memory of the trainer against its budget, and its growth.

    Above the budget transposition tables are halved, as often as they can be; then the biggest part
    that can be freed without changing a result is freed: answers that evaluators remember, spare
    memory of the trees (the phase is made anew from a commit of now), memory that the allocator
    keeps. Still above it, the process ends after a commit and its
    supervisor starts another; where that has happened in the window of errors already, the run is
    paused and the process ends.
    """

    name = "memory"

    def __init__(self) -> None:
        self._looked = 0.0
        self._began: float | None = None
        self._first_iteration = 0
        self._base: int | None = None
        self._limit = memory_limit()
        self._shrunk_at: float | None = None
        self._before = 0
        self._freed = ""
        self._acted = 0
        self._state = GuardState(self.name, "ok", "not looked at yet")

    def look(self, moment: Moment) -> None:
        """Measure every few seconds, and act above the budget.

        Raises:
            Rebuild: the trees are the biggest part that can be freed.
            RestartError: nothing more can be freed.
            Leave: the same after a restart.
        """
        if moment.now - self._looked < _SECONDS:
            return
        self._looked = moment.now
        used, budget = self._measure(moment)
        if self._freed:
            self._tell_freed(moment, used)
        level = "ok" if budget is None or used <= budget else "acting"
        text = f"{used / 1e6:.0f} MB" + ("" if budget is None else f" of {budget / 1e6:.0f} MB")
        self._state = GuardState(self.name, level, text, self._acted)  # type: ignore[arg-type]
        if budget is not None and used > budget:
            self._shrink(moment, used, budget)

    def _measure(self, moment: Moment) -> tuple[int, int | None]:
        """Memory used and budget; the report goes to the session, for status and figures."""
        session = moment.session
        report = memory_report(session, moment.phase)
        used = report["total"]
        given = session.settings.guards.memory_mb
        budget = None if self._limit is None else int(_SHARE * self._limit)
        if given is not None:
            budget = given * 1_000_000
        if self._began is None:
            self._began, self._first_iteration = moment.now, session.iteration
        if self._base is None and (
            moment.now - self._began >= _WARM_UP_SECONDS
            or session.iteration - self._first_iteration >= _WARM_UP_ITERATIONS
        ):
            self._base = used
        session.memory = {
            **report,
            "budget": budget,
            "growth": None if self._base is None else used - self._base,
            "fragmentation": fragmentation(),
        }
        return used, budget

    def _shrink(self, moment: Moment, used: int, budget: int) -> None:
        """Free the biggest part that can be freed, unless that was done lately."""
        now, session = moment.now, moment.session
        if isinstance(moment.phase, CanShrink) and (freed := moment.phase.shrink()):
            self._before, self._freed = used, freed
            self._acted += 1
            return
        if self._shrunk_at is not None and now - self._shrunk_at < _AGAIN_SECONDS:
            self._give_up(moment, used, budget)
        self._shrunk_at, self._before = now, used
        self._acted += 1
        sizes = session.memory
        trees, remembered = sizes.get("trees") or 0, sizes.get("caches") or 0
        self._freed = "memory that the allocator kept"
        if remembered and remembered >= trees:
            self._freed = "answers that evaluators remembered"
            for cache in caches(moment.phase):
                cache.clear()
        elif trees:
            self._freed = "the trees of the slots"
            reason = f"{used / 1e6:.0f} MB are in use, more than {budget / 1e6:.0f} MB"
            raise Rebuild(self.name, reason)
        gc.collect()
        trim()

    def _tell_freed(self, moment: Moment, used: int) -> None:
        """Say what shrinking has freed, by the first measurement after it."""
        gc.collect()
        trim()
        used = resident_bytes() or used
        freed = self._before - used
        text = (
            f"{self._before / 1e6:.0f} MB were in use, above the budget: freed {self._freed}, "
            f"now {used / 1e6:.0f} MB"
        )
        moment.session.run.events.append_if_possible(
            "guard_warned",
            guard=self.name,
            message=text,
            component=self._freed,
            freed_bytes=max(0, freed),
        )
        moment.session.note(text)
        self._freed = ""

    def _give_up(self, moment: Moment, used: int, budget: int) -> None:
        session = moment.session
        window = session.settings.guards.error_window_games
        times = session.book.mark(self.name, games=session.begun_games, window=window)
        text = (
            f"the trainer uses {used / 1e6:.0f} MB, more than its budget of {budget / 1e6:.0f} MB, "
            "also after what can be freed was freed"
        )
        self._state = GuardState(self.name, "acting", text, self._acted)
        if times < 2:
            text += "; it is started again from a commit of now"
            session.run.events.append_if_possible("guard_warned", guard=self.name, message=text)
            raise RestartError(text)
        session.book.held = self.name
        text += f", for the {times}. time: raise guards.memory_mb, or report a leak"
        session.run.events.append_if_possible("guard_paused", guard=self.name, reason=text)
        raise Leave("paused", text)

    def resumed(self, moment: Moment) -> None:
        """The next time is the first again."""
        moment.session.book.marks.pop(self.name, None)

    def state(self) -> GuardState:
        """By the last look."""
        return self._state
