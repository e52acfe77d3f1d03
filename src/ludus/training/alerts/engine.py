"""The engine of the alerts: figures and a clock in, what was raised and cleared out. Pure.

A rule raises when its condition has held for ``for_seconds``, stays active while the condition
holds, and clears at the first look at which it does not. Within :data:`QUIET_SECONDS` after it was
raised it does not raise again, so that a figure that wanders around its limit makes one alert a
minute at most. A figure that is unknown neither raises nor clears. A loss that is no finite number
is above every limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ludus.training.alerts.settings import AlertRule

QUIET_SECONDS = 60.0
"""A rule raises at most once in this time."""


@dataclass(frozen=True)
class Change:
    """A rule that was raised or cleared by a look.

    Attributes:
        kind: which of both.
        rule: the rule.
        value: its figure at the look; None where the rule is gone.
    """

    kind: Literal["raised", "cleared"]
    rule: AlertRule
    value: float | None


@dataclass
class _State:
    """What is remembered of a rule; times are seconds of the engine's clock."""

    rule: AlertRule
    holds_since: float | None = None
    raised_at: float | None = None
    active: bool = False
    value: float | None = None


def holds(rule: AlertRule, value: float | None) -> bool | None:
    """Whether the condition of a rule is true of a value; None where that is unknown."""
    if value is None:
        return None
    if rule.metric.startswith("loss") and not math.isfinite(value):
        return True
    if math.isnan(value):
        return None
    return value > rule.limit if rule.condition == "above" else value < rule.limit


class AlertEngine:
    """Looks at rules."""

    def __init__(self, rules: Iterable[AlertRule] = ()) -> None:
        self._states = {rule.name: _State(rule) for rule in rules}
        self._now = -math.inf

    @property
    def active(self) -> dict[str, tuple[AlertRule, float | None]]:
        """Rules that are raised now, by name, with the newest value that was known."""
        return {
            name: (state.rule, state.value) for name, state in self._states.items() if state.active
        }

    def restore(self, names: Iterable[str], now: float) -> None:
        """Take up alerts that were active when an earlier process ended.

        Args:
            names: of the rules; those that are not looked at any more are left out.
            now: seconds.
        """
        for name in names:
            state = self._states.get(name)
            if state is not None:
                state.active, state.holds_since, state.raised_at = True, now, now

    def replace(self, rules: Iterable[AlertRule]) -> list[Change]:
        """Look at these rules from now on; what was changed or is gone, and was active, clears."""
        before, self._states = self._states, {}
        changes: list[Change] = []
        for rule in rules:
            state = before.pop(rule.name, None)
            if state is None:
                self._states[rule.name] = _State(rule)
            elif state.rule == rule:
                self._states[rule.name] = state
            else:
                self._states[rule.name] = _State(rule, raised_at=state.raised_at)
                before[rule.name] = state
        for state in before.values():
            if state.active:
                changes.append(Change("cleared", state.rule, None))
        return changes

    def look(self, figures: Mapping[str, float | None], now: float) -> list[Change]:
        """Look at all rules.

        Args:
            figures: by name; a rule whose figure is missing or None stays as it is.
            now: seconds, monotonic; a clock that went back stands still.

        Returns: what changed, in the order of the rules.
        """
        self._now = now = max(self._now, now)
        changes: list[Change] = []
        for state in self._states.values():
            value = figures.get(state.rule.metric)
            true = holds(state.rule, value)
            if true is None:
                continue
            state.value = value
            if not true:
                state.holds_since = None
                if state.active:
                    state.active = False
                    changes.append(Change("cleared", state.rule, value))
                continue
            if state.holds_since is None:
                state.holds_since = now
            if state.active or now - state.holds_since < state.rule.for_seconds:
                continue
            if state.raised_at is not None and now - state.raised_at < QUIET_SECONDS:
                continue
            state.active, state.raised_at = True, now
            changes.append(Change("raised", state.rule, value))
        return changes
