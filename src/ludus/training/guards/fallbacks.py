"""Holds a run whose searches give no policy: it would learn from uniform targets."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ludus.training.guards.base import GuardState, Hold, Moment

_LEAST_DECISIONS = 1000
"""Before a rate means something."""


@runtime_checkable
class FallsBack(Protocol):
    """A phase that searches."""

    def fallbacks(self) -> tuple[int, int]:
        """Searches that gave no policy and decisions, in the iteration."""
        ...


class FallbacksGuard:
    """Share of an iteration's decisions whose search fell back to a uniform policy."""

    name = "fallbacks"

    def __init__(self) -> None:
        self._state = GuardState(self.name, "ok", "no search without a policy")

    def look(self, moment: Moment) -> None:
        """Compare the share with its limit.

        Raises:
            Hold: it is above.
        """
        session, phase = moment.session, moment.phase
        if not isinstance(phase, FallsBack):
            return
        fallbacks, decisions = phase.fallbacks()
        base = session.book.base.get(self.name, {})
        if base.get("iteration") == session.iteration:
            fallbacks, decisions = fallbacks - base["fallbacks"], decisions - base["decisions"]
        if decisions < _LEAST_DECISIONS:
            return
        rate = fallbacks / decisions
        text = f"{rate:.2%} of {decisions} searches gave no policy"
        if rate <= session.settings.guards.fallback_rate:
            level = "warning" if fallbacks else "ok"
            self._state = GuardState(self.name, level, text, fallbacks)
            return
        self._state = GuardState(self.name, "acting", text, fallbacks)
        raise Hold(
            self.name,
            f"{text} and fell back to uniform, more than "
            f"{session.settings.guards.fallback_rate:.2%}; the run waits before it learns from "
            f"them; go on with: ludus resume --run {session.run.path}",
        )

    def resumed(self, moment: Moment) -> None:
        """Count from here on."""
        session, phase = moment.session, moment.phase
        if isinstance(phase, FallsBack):
            fallbacks, decisions = phase.fallbacks()
            session.book.base[self.name] = {
                "iteration": session.iteration,
                "fallbacks": fallbacks,
                "decisions": decisions,
            }
        self._state = GuardState(self.name, "ok", "counted anew since the run was resumed")

    def state(self) -> GuardState:
        """By the last look."""
        return self._state
