"""What a guard is to the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ludus.errors import LudusError

if TYPE_CHECKING:
    from ludus.training.phases import Phase
    from ludus.training.reporter import Reporter
    from ludus.training.session import Session


class Hold(Exception):  # noqa: N818 - no error: the way into a guard's pause
    """Raised between units or at the end of one: the loop commits and waits in this process.

    The wait ends when `until` says so, or by ``ludus resume``; pause and stop end it too.
    """

    def __init__(self, guard: str, reason: str, until: Callable[[], bool] | None = None) -> None:
        super().__init__(reason)
        self.guard = guard
        self.reason = reason
        self.until = until


class ReturnToGood(Exception):  # noqa: N818 - no error: the way back
    """Raised between units: the run goes back to its last commit whose numbers were checked."""

    def __init__(self, guard: str, reason: str) -> None:
        super().__init__(reason)
        self.guard = guard
        self.reason = reason


class Rebuild(Exception):  # noqa: N818 - no error: a way to free memory
    """Raised between units: the phase is saved, dropped and made anew, without its spare memory."""

    def __init__(self, guard: str, reason: str) -> None:
        super().__init__(reason)
        self.guard = guard
        self.reason = reason


class RestartError(LudusError):
    """Raised between units: this process must end; its supervisor starts another."""


@dataclass(frozen=True)
class GuardState:
    """How a guard stands, for status and monitor.

    Attributes:
        name: of the guard.
        state: ``ok``, ``warning``, ``acting``.
        text: a sentence for people.
        count: how often it has warned or acted in the run's life.
    """

    name: str
    state: Literal["ok", "warning", "acting"]
    text: str
    count: int = 0

    def as_json(self) -> dict[str, Any]:
        """For ``status.json``."""
        return {"name": self.name, "state": self.state, "text": self.text, "count": self.count}


@dataclass(frozen=True)
class Moment:
    """What a guard may look at, between two units.

    Attributes:
        session: of the run.
        phase: in progress; None between two.
        reporter: publishes status and heartbeats.
        now: seconds, monotonic.
        figures: those of the catalogue (:mod:`ludus.training.figures`), by name.
    """

    session: Session
    phase: Phase | None
    reporter: Reporter
    now: float
    figures: Callable[[], Mapping[str, float | None]]


class Guard(Protocol):
    """Looks at the run between units; cheap, and rarer inside than it is asked."""

    @property
    def name(self) -> str:
        """One word."""
        ...

    def look(self, moment: Moment) -> None:
        """Look, and tell or act.

        Raises:
            Hold: the run must wait.
            ReturnToGood: the run must go back.
            Rebuild: the phase must be made anew.
            RestartError: the process must end and be started again.
            Leave: the run must end.
        """
        ...

    def resumed(self, moment: Moment) -> None:
        """A hold or a return that this guard asked for is over: begin to count anew."""
        ...

    def state(self) -> GuardState:
        """How it stands."""
        ...
