"""Events of a run as sentences: what happened, when, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ludus.monitor.report.reading import number

MOST_LINES = 150
"""Lines of a timeline; the newest stay."""

Event = Mapping[str, Any]


def _text(event: Event, name: str, default: str = "") -> str:
    value = event.get(name)
    return default if value is None else str(value)


def _value(event: Event, name: str) -> str:
    found = number(event.get(name))
    return "?" if found is None else f"{found:.4g}"


def _alert(event: Event) -> str:
    message = _text(event, "message")
    if message:
        return f"Alert: {message}"
    side = _text(event, "condition", "beyond")
    return (
        f"Alert {_text(event, 'name')}: {_text(event, 'metric')} is {_value(event, 'value')}, "
        f"{side} {_value(event, 'limit')}"
    )


def _lost(event: Event) -> str:
    seconds = number(event.get("lost_seconds"))
    return "" if seconds is None else f", {seconds:.0f} s of work done again"


def _divergence(event: Event) -> str:
    what = {"nan": "is no number", "inf": "is infinite", "range": "is out of range"}
    return (
        f"A number in {_text(event, 'place', 'the training')} "
        f"{what.get(_text(event, 'what'), 'is wrong')}"
    )


def _ended(event: Event) -> str:
    words = {"done": "Ended", "idle": "Stopped", "paused": "Paused", "error": "Ended by an error"}
    return f"{words.get(_text(event, 'state'), 'Ended')}: {_text(event, 'reason')}"


def _changed(event: Event) -> str:
    return f"Setting {_text(event, 'key')} became {_text(event, 'value')}"


def _environment(event: Event) -> str:
    found = event.get("differences")
    text = "; ".join(map(str, found)) if isinstance(found, list) else ""
    return f"Went on in another environment: {text}"


def _health(event: Event) -> str:
    found = event.get("findings")
    if not isinstance(found, list) or not found:
        return "Learning looks healthy again"
    return "Learning: " + "; ".join(map(str, found))


_SENTENCES: dict[str, tuple[str, Callable[[Event], str]]] = {
    "run_created": ("start", lambda e: "The run was made"),
    "resume": ("start", lambda e: f"Gone on from commit {_text(e, 'manifest', '?')}"),
    "ended": ("end", _ended),
    "command": ("command", lambda e: f"Command: {_text(e, 'command')}"),
    "command_refused": ("warning", lambda e: f"Refused: {_text(e, 'message')}"),
    "notice": ("warning", lambda e: _text(e, "message")),
    "tripwire": (
        "warning",
        lambda e: f"Data of iteration {_text(e, 'iteration', '?')}: {_text(e, 'text')}",
    ),
    "games_failed": ("fault", lambda e: f"Games failed: {_text(e, 'message') or _games(e)}"),
    "save_failed": ("fault", lambda e: f"A save failed: {_text(e, 'message')}"),
    "alert": ("alert", _alert),
    "alert_cleared": (
        "good",
        lambda e: f"Alert over: {_text(e, 'message') or _text(e, 'name')}",
    ),
    "guard_warned": (
        "warning",
        lambda e: f"Guard {_text(e, 'guard')}: {_text(e, 'message')}",
    ),
    "guard_paused": (
        "alert",
        lambda e: f"Guard {_text(e, 'guard')} paused the run: {_text(e, 'reason')}",
    ),
    "guard_resumed": ("good", lambda e: f"Guard {_text(e, 'guard')} let the run go on"),
    "restarted": (
        "fault",
        lambda e: (
            f"Restarted after a {_text(e, 'cause', 'failure')}: {_text(e, 'reason')}{_lost(e)}"
        ),
    ),
    "returned_to_good": (
        "alert",
        lambda e: (
            f"Guard {_text(e, 'guard')} returned the run to commit "
            f"{_text(e, 'to_sequence', '?')} (from {_text(e, 'from_sequence', '?')}): "
            f"{_text(e, 'reason')}"
        ),
    ),
    "divergence": ("fault", _divergence),
    "callback_failed": (
        "fault",
        lambda e: f"The callback {_text(e, 'callback')} failed: {_text(e, 'error')}",
    ),
    "setting_changed": ("command", _changed),
    "setting_pending": (
        "command",
        lambda e: f"Setting {_text(e, 'key')} becomes {_text(e, 'value')} with the next iteration",
    ),
    "environment_changed": ("warning", _environment),
    "code_changed": ("warning", lambda e: "Gone on with other code"),
    "game_moved": ("command", lambda e: f"The game moved to {_text(e, 'now')}"),
    "idle_option": ("warning", lambda e: _text(e, "message")),
    "opponents_unknown": ("warning", lambda e: f"Opponents that the game lacks: {_names(e)}"),
    "health": ("warning", _health),
    "clock": ("warning", lambda e: f"Clock: {_text(e, 'message')}"),
}
"""Event -> kind of line and sentence. Kinds: start, end, command, good, warning, alert, fault."""


def _games(event: Event) -> str:
    found = event.get("games")
    return f"{len(found)} of them" if isinstance(found, list) else _text(event, "failed", "?")


def _names(event: Event) -> str:
    found = event.get("players")
    return ", ".join(map(str, found)) if isinstance(found, list) else ""


def timeline(
    events: Sequence[Event], rows: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The lines in the order of the log: ``ts_ms``, ``kind``, ``text``, ``times`` (in a row).

    Not in the order of their times: clocks jump.

    Args:
        events: records of ``events.ndjson``; those of kinds unknown here are left out.
        rows: of the iterations, for promotions.
        history: the entries that the rows were made of, for when they were.
    """
    lines: list[dict[str, Any]] = []
    stamps = [number(event.get("ts_ms")) or 0.0 for event in events]
    places: list[int] = []
    for place, event in enumerate(events):
        known = _SENTENCES.get(str(event.get("event")))
        if known is not None:
            kind, sentence = known
            if event.get("event") == "alert" and event.get("severity") == "error":
                kind = "fault"
            places.append(place)
            lines.append(
                {"ts_ms": number(event.get("ts_ms")), "kind": kind, "text": sentence(event)}
            )
    for row, entry in zip(rows, history, strict=True):
        gate = entry.get("gate")
        finished = number(gate.get("finished_ms")) if isinstance(gate, Mapping) else None
        if row["promoted"] and finished is not None and row["gate_win_rate"] is not None:
            text = (
                f"Iteration {row['iteration']}: the candidate became champion "
                f"({row['gate_win_rate']:.1%} in the gate)"
            )
            places.append(sum(stamp < finished for stamp in stamps))
            lines.append({"ts_ms": finished, "kind": "promotion", "text": text})
    order = sorted(range(len(lines)), key=lambda index: places[index])
    return _merged([lines[index] for index in order])


def _merged(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines with the same words in a row are one."""
    merged: list[dict[str, Any]] = []
    for line in lines:
        if merged and merged[-1]["text"] == line["text"]:
            merged[-1]["times"] += 1
        else:
            merged.append({**line, "times": 1})
    return merged


def fault_pattern(counts: Mapping[str, int], events: Sequence[Event]) -> list[dict[str, Any]]:
    """What went wrong, by kind and place, the most frequent first.

    Args:
        counts: all events by name.
        events: the newest records, for places and words.
    """
    pattern: dict[tuple[str, str], int] = {}
    for event in events:
        name = str(event.get("event"))
        if name in ("divergence", "games_failed", "callback_failed", "save_failed", "restarted"):
            where = next(
                (
                    str(event[key])
                    for key in ("place", "callback", "cause", "error")
                    if event.get(key)
                ),
                "",
            )
            pattern[name, where] = pattern.get((name, where), 0) + 1
    return [
        {"what": name, "where": where, "times": times, "of": counts.get(name, times)}
        for (name, where), times in sorted(pattern.items(), key=lambda item: (-item[1], item[0]))
    ]
