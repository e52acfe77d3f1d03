"""What a phase of an iteration is to the loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ludus.runs import ObjectRef
from ludus.training.states import State


class Leave(Exception):  # noqa: N818 - no error: the way out of nested loops
    """Raised between units, or before a phase begins, to end the loop after a commit."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


class Phase(Protocol):
    """A part of an iteration that goes in units and can be saved between any two.

    Made with the session and the JSON that :meth:`save` gave at the commit, or None to begin anew.
    """

    @property
    def name(self) -> str:
        """One of ``ludus.training.session.PHASES``."""
        ...

    def advance(self, seconds: float) -> bool:
        """Work for about that long, well under a second more; True while work is left."""
        ...

    def save(self) -> tuple[dict[str, ObjectRef], dict[str, Any]]:
        """Put what going on exactly needs: objects by name, and JSON."""
        ...

    def view(self) -> Mapping[str, Any]:
        """What status and supervisor show: ``done``, ``total``, ``unit``, rates, losses, ..."""
        ...

    def finish(self) -> None:
        """Take the result into the session, when no work is left."""
        ...

    def close(self) -> None:
        """Free threads. May be called twice."""
        ...
