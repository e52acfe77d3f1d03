"""The guard ``alerts``: asks the engine between units, tells what it says, and acts by the rule."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ludus.training.alerts.engine import AlertEngine, Change, holds
from ludus.training.alerts.rules import in_force
from ludus.training.alerts.settings import AlertRule
from ludus.training.guards.base import GuardState, Hold, Moment, ReturnToGood
from ludus.training.rating import fall_text
from ludus.training.session import Session

_TAIL_BYTES = 1 << 20
"""End of the log of events in which alerts of earlier processes are looked for."""


class AlertGuard:
    """Alert rules of a run (see ``docs/alerts.md``)."""

    name = "alerts"

    def __init__(self, session: Session) -> None:
        """Take up the alerts that were active when the run was last worked on."""
        self._settings = session.settings
        self._engine = AlertEngine(in_force(session.settings))
        self._looked: float | None = None
        self._raised: list[AlertRule] = []
        self._since: dict[str, tuple[int, str]] = {}
        self._count = session.run.counters["alerts"]
        self._left = standing(session.run.path)
        self._engine.restore(self._left, time.monotonic())
        self._since.update(self._left)

    def look(self, moment: Moment) -> None:
        """Look every ``alerts.every_seconds``, and act on what was raised since the last time.

        Raises:
            Hold: a rule with the action ``pause`` was raised.
            ReturnToGood: one with the action ``return``.
        """
        every = moment.session.settings.alerts.every_seconds
        if self._looked is None or moment.now - self._looked >= every:
            self.tell(moment)
        raised, self._raised = self._raised, []
        self._act(moment, raised)

    def tell(self, moment: Moment) -> None:
        """Look now, tell what changed, and act at the next :meth:`look`: between two phases."""
        settings = moment.session.settings
        if settings is not self._settings:
            self._settings = settings
            self._tell(moment, self._engine.replace(in_force(settings)))
        if self._looked is None:
            self._drop_unknown(moment)
        self._looked = moment.now
        changes = self._engine.look(moment.figures(), moment.now)
        self._tell(moment, changes)
        self._raised += [change.rule for change in changes if change.kind == "raised"]

    def _drop_unknown(self, moment: Moment) -> None:
        """Clear alerts of earlier processes whose rules are not looked at any more."""
        for name in [name for name in self._left if name not in self._engine.active]:
            self._since.pop(name, None)
            moment.session.run.events.append_if_possible(
                "alert_cleared", name=name, metric=None, value=None, message=f"{name}: no such rule"
            )

    def _tell(self, moment: Moment, changes: list[Change]) -> None:
        for change in changes:
            rule, run = change.rule, moment.session.run
            message = sentence(rule, change.value, raised=change.kind == "raised")
            if change.kind == "cleared":
                self._since.pop(rule.name, None)
                run.events.append_if_possible(
                    "alert_cleared",
                    name=rule.name,
                    metric=rule.metric,
                    value=change.value,
                    message=message,
                )
                moment.session.note(f"alert cleared: {message}")
                moment.reporter.alert("alert_cleared", fields_of(rule, change.value, message))
                continue
            why = fall_text(run.iterations) if rule.metric.startswith("elo") else None
            message += "" if why is None else f" ({why})"
            self._since[rule.name] = (time.time_ns() // 1_000_000, message)
            self._count = run.counters.add("alerts")
            fields = fields_of(rule, change.value, message)
            run.events.append_if_possible("alert", iteration=moment.session.iteration, **fields)
            moment.session.note(f"ALERT {message}")
            moment.reporter.alert("alert", fields)

    def _act(self, moment: Moment, raised: list[AlertRule]) -> None:
        for action in ("return", "pause"):
            for rule in raised:
                if rule.action != action:
                    continue
                known = self._engine.active.get(rule.name)
                if known is None:  # it has cleared since
                    continue
                text = "alert " + sentence(rule, known[1], raised=True)
                if action == "return":
                    raise ReturnToGood(self.name, text)
                raise Hold(self.name, text, lambda rule=rule: _over(rule, moment))  # type: ignore[misc]

    def resumed(self, moment: Moment) -> None:
        """A hold is over: what is active now does not hold again before it was cleared."""
        self._raised = []

    def active(self) -> list[dict[str, Any]]:
        """Active alerts for ``status.json``: what was said when they were raised, values of now."""
        found = []
        for name, (rule, value) in self._engine.active.items():
            since, message = self._since.get(name, (None, ""))
            found.append({**fields_of(rule, value, message), "since_ms": since})
        return found

    def state(self) -> GuardState:
        """Which alerts are active."""
        active = self._engine.active
        if not active:
            return GuardState(self.name, "ok", "no alert is active", self._count)
        return GuardState(self.name, "warning", "active: " + ", ".join(active), self._count)


def _over(rule: AlertRule, moment: Moment) -> bool:
    """Whether the condition that holds the run is known to be false."""
    return holds(rule, moment.figures().get(rule.metric)) is False


def fields_of(rule: AlertRule, value: float | None, message: str) -> dict[str, Any]:
    """An alert as events, status and messages have it."""
    return {
        "name": rule.name,
        "severity": rule.severity,
        "metric": rule.metric,
        "value": value,
        "condition": rule.condition,
        "limit": rule.limit,
        "action": rule.action,
        "message": message,
    }


def sentence(rule: AlertRule, value: float | None, *, raised: bool) -> str:
    """What people read."""
    shown, limit = _shown(rule.metric, value), _shown(rule.metric, rule.limit)
    if raised:
        return f"{rule.name}: {rule.metric} is {shown}, {rule.condition} {limit}"
    return f"{rule.name}: {rule.metric} is {shown}, the limit was {limit}"


def _shown(metric: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value / 1e6:.6g} MB" if metric.endswith("_bytes") else f"{value:.6g}"


def standing(run: Path) -> dict[str, tuple[int, str]]:
    """Alerts of the log of events that were raised and not cleared: name -> (ms, message).

    The log was cut to the commit when the run was opened, so this is what counters say too. Only
    its last megabyte is read; an alert that is older is raised anew.
    """
    path = run / "logs" / "events.ndjson"
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return {}
    found: dict[str, tuple[int, str]] = {}
    for line in lines:
        if b'"alert' not in line:
            continue
        try:
            record: Mapping[str, Any] = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if not isinstance(record, dict) or not isinstance(record.get("name"), str):
            continue
        if record.get("event") == "alert":
            found[record["name"]] = (
                int(record.get("ts_ms") or 0),
                str(record.get("message", "")),
            )
        elif record.get("event") == "alert_cleared":
            found.pop(record["name"], None)
    return found
