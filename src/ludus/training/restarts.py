"""What the trainer writes about the failures of those before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ludus.training.session import Session


def tell_restarts(session: Session, restarts: Iterable[Mapping[str, Any]]) -> None:
    """Write an event ``restarted`` for each, count them, and commit.

    Without the commit a trainer that fails again before its next one would take them with it.

    Args:
        session: of the run, before its loop begins.
        restarts: ``reason``, ``cause`` (crash, hang or numbers) and ``lost_seconds`` of each.

    Raises:
        DurabilityError: the disk refused for good.
    """
    run = session.run
    for one in restarts:
        run.events.append_if_possible(
            "restarted",
            reason=str(one.get("reason", "")),
            cause=str(one.get("cause", "crash")),
            number=run.counters.add("restarts"),
            lost_seconds=one.get("lost_seconds"),
        )
    run.save(lambda: session.commit(*session.kept()), required=False)
