"""Settings of the alerts; every mistake in a rule is one sentence that says which rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from ludus import reading
from ludus.training.catalogue import KINDS
from ludus.training.section import Section, may_change

_MOST_RULES = 200


class AlertRule(Section):
    """A rule of the alerts, as data."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64, description="Its name.")
    metric: str = Field(description="A figure of the catalogue (ludus alerts --figures).")
    condition: Literal["above", "below"] = Field(description="On which side of the limit it fires.")
    limit: float = Field(allow_inf_nan=False, description="The limit, in the unit of the figure.")
    for_seconds: float = Field(
        0.0, ge=0, le=7 * 86400, description="How long the condition must hold."
    )
    severity: Literal["warning", "error"] = Field("warning", description="How bad that is.")
    action: Literal["tell", "pause", "return"] = Field(
        "tell",
        description="Tell only, pause the run, or return to the last good commit.",
    )


class AlertSettings(Section):
    """Alerts, and how they leave the machine."""

    every_seconds: float = Field(
        10.0,
        ge=0.1,
        le=3600,
        json_schema_extra=may_change(),
        description="How often the rules are looked at.",
    )
    rules: tuple[AlertRule, ...] = Field(
        (),
        json_schema_extra=may_change(),
        description="Further rules, or the path of a YAML file with them; one with the name of a "
        "built-in rule replaces it.",
    )
    off: tuple[str, ...] = Field(
        (), json_schema_extra=may_change(), description="Names of rules that are not looked at."
    )
    command: tuple[str, ...] = Field(
        (),
        json_schema_extra=may_change(only_at_start=True),
        description="Program with its arguments that gets every alert as JSON on its input.",
    )
    webhook: str | None = Field(
        None,
        json_schema_extra=may_change(only_at_start=True),
        description="Address that gets every alert as JSON by POST.",
    )
    timeout_seconds: float = Field(
        10.0,
        gt=0,
        le=300,
        json_schema_extra=may_change(),
        description="After which command and webhook are given up.",
    )

    @field_validator("rules", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        return read_rules(value)

    @field_validator("command", mode="after")
    @classmethod
    def _command(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not value[0].strip():
            raise ValueError("the first entry must name a program")
        return value

    @field_validator("webhook", mode="after")
    @classmethod
    def _webhook(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().startswith(("http://", "https://")):
            raise ValueError(f"{value!r} must begin with http:// or https://")
        return value


def read_rules(value: Any) -> list[AlertRule]:
    """Rules as they are given: a list of mappings, or the path of a YAML file that holds one.

    Raises:
        ValueError: what is wrong, and in which rule.
    """
    if isinstance(value, str):
        value = _file(value)
    if isinstance(value, Mapping) and set(value) == {"rules"}:
        value = value["rules"]
    if not isinstance(value, list | tuple):
        raise ValueError(
            "rules must be a list such as [{name: slow_steps, metric: steps_per_second, "
            "condition: below, limit: 5}], or the path of a YAML file with such a list"
        )
    if len(value) > _MOST_RULES:
        raise ValueError(f"{len(value)} rules are more than the {_MOST_RULES} that are looked at")
    rules = [_rule(entry, number) for number, entry in enumerate(value, 1)]
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise ValueError(f"two rules have the name {rule.name}")
        seen.add(rule.name)
    return rules


def _file(name: str) -> Any:
    try:
        data = reading.read_regular(Path(name).expanduser(), reading.SETTINGS_LIMIT)
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "no such path"
        raise ValueError(f"the file of rules {name!r} cannot be read: {why}") from None
    try:
        return reading.parse_yaml(data)
    except ValueError as error:
        raise ValueError(f"the file of rules {name} is no YAML of rules: {error}") from None


def _rule(entry: Any, number: int) -> AlertRule:
    """A rule, with its figure checked.

    Raises:
        ValueError: a sentence.
    """
    if isinstance(entry, AlertRule):
        return entry
    if not isinstance(entry, Mapping):
        raise ValueError(
            f"rule {number} must have name, metric, condition and limit, not {entry!r}"
        )
    about = f"rule {entry['name']}" if isinstance(entry.get("name"), str) else f"rule {number}"
    known = list(AlertRule.model_fields)
    for key in entry:
        if key not in known:
            raise ValueError(
                f"{about}: unknown entry {key}{mean(str(key), known)} (known: {', '.join(known)})"
            )
    try:
        rule = AlertRule.model_validate(dict(entry))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        if first["type"] == "missing":
            raise ValueError(f"{about}: {key} is missing") from None
        text = str(first["msg"]).replace("Input should", "must", 1)
        if key == "name":
            text = "must be small letters, digits and _, at most 64"
        raise ValueError(f"{about}: {key} = {entry[key]!r} {text[:1].lower()}{text[1:]}") from None
    if rule.metric not in KINDS:
        raise ValueError(
            f"{about}: there is no figure {rule.metric}{mean(rule.metric, KINDS)} "
            "(ludus alerts --figures lists them)"
        )
    return rule


def mean(wrong: str, among: Iterable[str]) -> str:
    """``; did you mean x?`` for the closest name, or an empty text."""
    close = difflib.get_close_matches(wrong, list(among), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
