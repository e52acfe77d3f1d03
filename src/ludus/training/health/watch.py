"""Where learning health meets the run: once at the end of each iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ludus.logs import get_logger
from ludus.training.health.analysis import health_of

if TYPE_CHECKING:
    from ludus.training.session import Session

_LOG = get_logger("training.health")


def watch_health(session: Session) -> None:
    """Judge the iteration that has just ended.

    Writes ``health`` into its record and into the metrics, and an event ``health`` and a note when
    the kinds of findings are not those of the iteration before.

    Args:
        session: of the run; ``session.record`` is whole but for its end.
    """
    run = session.run
    health = health_of(
        run.iterations,
        started_ms=session.started_ms,
        entropy_floor=session.settings.training.audit_entropy,
    )
    found = health.as_json()
    before = newest_health(run.iterations) or {}
    session.record["health"] = found
    run.metrics.append("health", iteration=session.iteration, **found)
    _LOG.info(
        f"iteration {session.iteration} is done",
        event="iteration",
        games=run.counters["selfplay_games"],
        loss=(session.record.get("train") or {}).get("loss_total"),
        promoted=session.record.get("promoted"),
        findings=len(found["kinds"]),
    )
    if found["kinds"] == before.get("kinds", []):
        return
    new = [text for kind, text in health.findings.items() if kind not in before.get("kinds", [])]
    run.events.append(
        "health", iteration=session.iteration, findings=found["findings"], kinds=found["kinds"]
    )
    for text in new:
        session.note(f"health: {text}")
    if not found["kinds"]:
        session.note("all findings of learning health are over")


def newest_health(iterations: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The newest health record of a history; None before the first.

    Args:
        iterations: entries of ``run.json``, oldest first.
    """
    for entry in reversed(iterations):
        if "health" in entry:
            return dict(entry["health"])
    return None
