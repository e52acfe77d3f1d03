"""The rules in force: the built-in ones, as the settings change them. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import yaml

from ludus.training.alerts.settings import AlertRule, mean

if TYPE_CHECKING:
    from ludus.training.settings import Settings


@dataclass(frozen=True)
class BuiltIn:
    """A rule that every run has.

    Attributes:
        fields: those of the rule that are fixed.
        about: a sentence.
        limit_from: dotted key of the setting that gives the limit, if one does.
        times: what the setting is multiplied by.
    """

    fields: Mapping[str, Any]
    about: str
    limit_from: str | None
    times: float

    @property
    def name(self) -> str:
        """Of the rule."""
        return str(self.fields["name"])

    def rule(self, settings: Settings) -> AlertRule:
        """The rule with its limit as the settings have it."""
        fields = dict(self.fields)
        if self.limit_from is not None:
            section, key = self.limit_from.split(".")
            fields["limit"] = self.times * getattr(getattr(settings, section), key)
        return AlertRule.model_validate(fields)


@dataclass(frozen=True)
class Listed:
    """A rule and where it comes from.

    Attributes:
        rule: as it would be looked at.
        origin: ``built-in``, ``changed`` (a built-in one replaced by the settings) or ``own``.
        off: whether ``alerts.off`` names it.
        about: a sentence; empty for rules of the settings.
    """

    rule: AlertRule
    origin: Literal["built-in", "changed", "own"]
    off: bool
    about: str


@cache
def built_in() -> tuple[BuiltIn, ...]:
    """The rules of ``rules.yaml``, in its order."""
    text = resources.files("ludus.training.alerts").joinpath("rules.yaml").read_text("utf-8")
    return tuple(_built_in(dict(entry)) for entry in yaml.safe_load(text))


def _built_in(entry: dict[str, Any]) -> BuiltIn:
    about, source = str(entry.pop("about")), entry.pop("limit_from", None)
    return BuiltIn(entry, about, source, float(entry.pop("times", 1.0)))


def listed(settings: Settings) -> list[Listed]:
    """Every rule, the built-in ones first, those that are off too."""
    alerts = settings.alerts
    given = {rule.name: rule for rule in alerts.rules}
    found: list[Listed] = []
    for one in built_in():
        own = given.pop(one.name, None)
        off = one.name in alerts.off
        if own is None:
            found.append(Listed(one.rule(settings), "built-in", off, one.about))
        else:
            found.append(Listed(own, "changed", off, ""))
    return found + [Listed(rule, "own", rule.name in alerts.off, "") for rule in given.values()]


def in_force(settings: Settings) -> list[AlertRule]:
    """The rules that are looked at."""
    return [one.rule for one in listed(settings) if not one.off]


def check(settings: Settings) -> None:
    """Refuse names in ``alerts.off`` that no rule has.

    Raises:
        ValueError: naming the closest rule.
    """
    names = [one.name for one in built_in()] + [rule.name for rule in settings.alerts.rules]
    for name in settings.alerts.off:
        if name not in names:
            raise ValueError(
                f"alerts.off: there is no rule {name}{mean(name, names)} "
                f"(rules: {', '.join(dict.fromkeys(names))})"
            )
