"""Which session a learner trains in; the only place that names both."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ludus.errors import ConfigError
from ludus.runs import Run

if TYPE_CHECKING:
    from ludus.training.session import Session

_SESSIONS: Mapping[str, tuple[str, str]] = {
    "alphazero": ("ludus.training.network_session", "NetworkSession"),
    "td": ("ludus.training.tables.session", "TableSession"),
}
"""Module and class by learner; imported when asked for, so that tables need no torch."""

LEARNERS = tuple(_SESSIONS)


def session_class(learner: str) -> type[Session]:
    """The class of the sessions of a learner.

    Raises:
        ConfigError: there is no such learner.
    """
    if learner not in _SESSIONS:
        raise ConfigError(f"there is no learner {learner!r} (learners: {', '.join(LEARNERS)})")
    module, name = _SESSIONS[learner]
    found: type[Session] = getattr(importlib.import_module(module), name)
    return found


def learner_of(run: Run) -> str:
    """The learner of a run; those of runs from before there was a choice is ``alphazero``."""
    return str(run.config.get("learner", "alphazero"))
