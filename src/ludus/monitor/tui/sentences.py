"""Events as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ludus.monitor.tui.words import duration, plain, short, size_text
from ludus.monitor.view import number

Event = Mapping[str, Any]


def _get(event: Event, name: str, otherwise: str = "?") -> str:
    value = event.get(name)
    return otherwise if value is None else str(value)


def _size(event: Event, name: str = "bytes") -> str:
    value = number(event.get(name))
    return "" if value is None else f", {size_text(value)}"


def _alert(event: Event) -> str:
    action = event.get("action")
    done = f" ({action})" if action not in (None, "tell") else ""
    return f"alert {_get(event, 'name')}: {_get(event, 'message', 'raised')}{done}"


def _restarted(event: Event) -> str:
    lost = number(event.get("lost_seconds"))
    tail = "" if lost is None else f", {duration(lost)} of work done again"
    cause = _get(event, "cause", "failure")
    return f"trainer restarted after a {cause}: {_get(event, 'reason')}{tail}"


def _divergence(event: Event) -> str:
    value = number(event.get("value"))
    shown = _get(event, "what") if value is None else f"{_get(event, 'what')}, {short(value)}"
    return f"number out of order at {_get(event, 'place')}: {shown}"


def _command(event: Event) -> str:
    args = event.get("args")
    tail = ""
    if isinstance(args, Mapping) and args:
        tail = " " + ", ".join(f"{key} {value}" for key, value in args.items())
    return f"command {_get(event, 'command')}{tail}"


SENTENCES: dict[str, Callable[[Event], str]] = {
    "run_created": lambda e: "run created",
    "resume": lambda e: f"going on from commit {_get(e, 'manifest')}",
    "commit": lambda e: f"commit {_get(e, 'sequence')}{_size(e)}",
    "commit_rejected": lambda e: f"commit {_get(e, 'sequence')} rejected: {_get(e, 'reason')}",
    "ended": lambda e: f"ended, {_get(e, 'state')}: {_get(e, 'reason')}",
    "notice": lambda e: _get(e, "message"),
    "clock": lambda e: _get(e, "message"),
    "sharing": lambda e: f"{_get(e, 'lanes')} lanes, with {_get(e, 'runs')} runs on this machine",
    "forecast": lambda e: f"forecast: {_get(e, 'text')}",
    "callback_slow": lambda e: f"callback {_get(e, 'callback')} takes {_get(e, 'seconds')} s",
    "phase_rebuilt": lambda e: f"{_get(e, 'phase')} began again: {_get(e, 'reason')}",
    "worker_failed": lambda e: (
        f"{_get(e, 'kind')} failed in {_get(e, 'phase')}: {_get(e, 'error')}"
    ),
    "error_report": lambda e: f"too many errors: {_get(e, 'path')}",
    "command": _command,
    "command_refused": lambda e: f"command refused: {_get(e, 'message')}",
    "alert": _alert,
    "alert_cleared": lambda e: f"alert {_get(e, 'name')} is over",
    "guard_warned": lambda e: f"guard {_get(e, 'guard')}: {_get(e, 'message')}",
    "guard_paused": lambda e: f"paused by guard {_get(e, 'guard')}: {_get(e, 'reason')}",
    "guard_resumed": lambda e: f"guard {_get(e, 'guard')} lets the run go on",
    "restarted": _restarted,
    "returned_to_good": lambda e: (
        f"back to the good commit {_get(e, 'to_sequence')}: {_get(e, 'reason')}"
    ),
    "divergence": _divergence,
    "save_failed": lambda e: f"save failed: {_get(e, 'message', _get(e, 'reason'))}",
    "checkpoint_saved": lambda e: f"checkpoint {_name(e)} saved{_size(e)}",
    "checkpoint_loaded": lambda e: f"checkpoint {_name(e)} loaded{_size(e)}",
    "checkpoint_removed": lambda e: f"checkpoint {_name(e)} removed{_size(e)}",
    "setting_changed": lambda e: f"{_get(e, 'key')} is {_get(e, 'value', 'null')} from now on",
    "setting_pending": lambda e: (
        f"{_get(e, 'key')} is {_get(e, 'value', 'null')} from the next iteration on"
    ),
    "callback_failed": lambda e: f"callback {_get(e, 'callback')} failed: {_get(e, 'error')}",
    "tripwire": lambda e: f"audit: {_get(e, 'text')}",
    "iteration": lambda e: _get(e, "message"),
}

_GOOD = {"resume", "guard_resumed", "alert_cleared", "checkpoint_saved", "run_created"}
_BAD = {"restarted", "returned_to_good", "divergence", "save_failed", "commit_rejected"}
_WARN = {
    "clock",
    "guard_warned",
    "guard_paused",
    "notice",
    "callback_slow",
    "phase_rebuilt",
    "command_refused",
    "callback_failed",
    "tripwire",
    "checkpoint_failed",
}


def _name(event: Event) -> str:
    """Of a checkpoint, without what is the same for all of a run."""
    name = _get(event, "path").rsplit("/", 1)[-1].removesuffix(".ckpt")
    head, found, tail = name.rpartition("-iter")
    return f"iter{tail}" if found and head else name


def sentence(event: Event) -> str:
    """An event for people; of one that this version does not know, its name and what it says."""
    name = str(event.get("event"))
    make = SENTENCES.get(name)
    if make is not None:
        return plain(make(event))
    if name == "health":
        findings = event.get("findings")
        known = [str(one) for one in findings] if isinstance(findings, list) else []
        return plain("health: " + ("; ".join(known) if known else "nothing amiss any more"))
    said = event.get("message") or event.get("reason") or event.get("error")
    words = name.replace("_", " ")
    return plain(f"{words}: {said}" if said else words)


def weight(event: Event) -> str:
    """``good``, ``bad``, ``warn`` or ``plain``: how an event is to be taken."""
    name = str(event.get("event"))
    if name == "alert":
        return "bad" if event.get("severity") == "error" else "warn"
    if name == "health":
        return "warn" if event.get("findings") else "good"
    if name == "ended":
        return "bad" if event.get("state") == "error" else "plain"
    if name in _BAD or name.endswith("_failed"):
        return "bad"
    return "warn" if name in _WARN else "good" if name in _GOOD else "plain"
