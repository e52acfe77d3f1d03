"""Settings that change while a run works: at once, or with the next iteration.

What decides what is learned waits, as *pending*, for the beginning of the next iteration: every
game of an iteration is played alike, and a run that was killed does what an undisturbed one does.
Settings and pending ones are part of each commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ludus import logs
from ludus.evaluators import core_count
from ludus.runs import SavePolicy
from ludus.training.keys import (
    Given,
    changed_values,
    changes,
    flat_values,
    flatten,
    validate,
)
from ludus.training.layers import parse_assignment, require_changeable, require_kinds
from ludus.training.request import current_settings
from ludus.training.session import Session
from ludus.training.settings import Settings


def apply_changes(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Settings with some replaced, by dotted key.

    Raises:
        ConfigError: a value that is refused.
    """
    flat = flatten(settings.model_dump(mode="json"), "run")
    flat.update({key: Given(value, "changed") for key, value in values.items()})
    return validate(flat)


def save_policy(settings: Settings) -> SavePolicy:
    """What is done when saving fails, as the settings say."""
    return SavePolicy(
        warn_bytes=settings.run.warn_free_mb * 1_000_000,
        floor_bytes=settings.run.floor_free_mb * 1_000_000,
    )


def set_by_command(session: Session, text: str) -> list[str]:
    """Obey ``SET key=value``.

    Args:
        session: of the run.
        text: ``section.key=value``.

    Returns: the dotted keys that were named.

    Raises:
        ConfigError: no such setting, one that may not change now, or a value that is refused;
            nothing has changed then.
    """
    given = parse_assignment(text, "SET")
    require_changeable(given, str(session.run.path))
    if not change(session, given, source="set"):
        session.note(f"{text.strip()}: that is so already")
    return list(given)


def change(session: Session, given: Mapping[str, Given], *, source: str) -> bool:
    """Change settings; those that decide what is learned wait for the next iteration.

    Args:
        session: of the run.
        given: settings that may change, by dotted key.
        source: who asks: ``set`` or ``command``.

    Returns: whether anything is different now or will be.

    Raises:
        ConfigError: the values are refused, alone or beside the others.
    """
    coming = apply_changes(session.settings, session.pending)
    wanted = changed_values(given, coming)
    require_kinds(apply_changes(coming, wanted), session.entry, given)
    at_once = begins(session)
    now: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for key, value in wanted.items():
        waits = changes()[key] == "next_iteration" and not at_once
        (later if waits else now)[key] = value
    session.settings = apply_changes(session.settings, now)
    _take_effect(session, now, source=source)
    _postpone(session, later)
    return bool(wanted)


def begins(session: Session) -> bool:
    """Whether the iteration in progress has not begun: nothing of it was played."""
    return session.phase == session.phases[0] and session.saved is None and not session.playing


def begin_iteration(session: Session) -> None:
    """Put into force what waited for this iteration; call it before its first game."""
    waiting, session.pending = session.pending, {}
    if waiting:
        session.settings = apply_changes(session.settings, waiting)
        _take_effect(session, waiting, source="pending")


@dataclass(frozen=True)
class Wishes:
    """What the user has asked of a run, to be kept over a return to a commit in this process.

    Attributes:
        changed: settings that differ from the run's birth.
        pending: settings that wait for the next iteration.
        pausing: the iteration at whose end the run pauses.
    """

    changed: Mapping[str, Any]
    pending: Mapping[str, Any]
    pausing: int | None

    @classmethod
    def of(cls, session: Session) -> Wishes:
        """Those of a session, before it goes back."""
        return cls(dict(session.changed), dict(session.pending), session.pausing)

    def keep(self, session: Session) -> None:
        """After the return: what the user changed since stays changed.

        What decides what is learned waits again for the next iteration, if it changed since.

        Args:
            session: as restored from the commit.
        """
        kinds, then = changes(), flat_values(current_settings(session.run))
        again = {
            key: value
            for key, value in self.changed.items()
            if kinds.get(key) == "next_iteration" and then[key] != value
        }
        kept = {key: value for key, value in self.changed.items() if key not in again}
        session.changed = {**session.changed, **kept}
        session.settings = apply_changes(session.settings, {key: then[key] for key in again})
        session.pending = {**session.pending, **again, **self.pending}
        session.pausing = self.pausing


def _postpone(session: Session, later: Mapping[str, Any]) -> None:
    now = flat_values(session.settings)
    for key, value in later.items():
        withdrawn = value == now[key]
        if withdrawn:
            session.pending.pop(key, None)
        else:
            session.pending[key] = value
        session.run.events.append_if_possible(
            "setting_pending", key=key, value=value, iteration=session.iteration + 1
        )
        session.note(
            f"{key} stays {value}"
            if withdrawn
            else f"{key} will be {value} from iteration {session.iteration + 1} on"
        )


def _take_effect(session: Session, values: Mapping[str, Any], *, source: str) -> None:
    for key, value in values.items():
        session.changed[key] = value
        session.pending.pop(key, None)
        session.run.events.append_if_possible(
            "setting_changed", key=key, value=value, source=source, iteration=session.iteration
        )
        session.note(f"{key} is {value} from now on")
    follow(session)
    if "logging.level" in values:
        logs.set_level(session.settings.logging.level)
    if "logging.json_output" in values:
        logs.set_json_output(session.settings.logging.json_output)


def follow(session: Session) -> None:
    """Make the parts of the run that keep a setting of their own follow the settings."""
    settings = session.settings
    session.run.cadence.seconds = settings.run.commit_seconds
    session.run.policy = save_policy(settings)
    if settings.runtime.lanes or not session.playing:  # else the next phase takes its share
        session.lanes = settings.runtime.lanes or core_count()
