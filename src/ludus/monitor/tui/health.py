"""The panel of guards and health: how each guard stands, what the watchers of learning found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from ludus.monitor.tui import palette
from ludus.monitor.tui.words import plain
from ludus.monitor.view import RunView, newest, table

_SIGNS = {
    "ok": ("✓", palette.GOOD),
    "warning": ("▲", palette.WARN),
    "acting": ("✗", palette.BAD),
}
_NAME = 10
_WORDS = re.compile(r" (?!%)")


def guards_of(view: RunView) -> list[dict[str, Any]]:
    """The guards as the status has them."""
    guards = view.status.get("guards")
    return [one for one in guards if isinstance(one, dict)] if isinstance(guards, list) else []


def findings_of(view: RunView) -> list[str]:
    """What is not as it should be in learning, as sentences."""
    health = table(view.status.get("health")) or newest(view.events, "health")
    findings = health.get("findings")
    warnings = view.status.get("warnings")
    found = [str(one) for one in findings] if isinstance(findings, list) else []
    if isinstance(warnings, list):
        found += [str(one) for one in warnings if str(one) not in found]
    return found


def health_lines(view: RunView, width: int) -> list[Text]:
    """Guards that are not at ease first, then findings, then the guards that are."""
    guards = guards_of(view)
    lines: list[Text] = []
    for one in [one for one in guards if one.get("state") != "ok"]:
        lines.extend(_guard(one, width))
    for sentence in findings_of(view):
        lines.extend(_wrapped("▲", palette.WARN, sentence, width))
    for one in [one for one in guards if one.get("state") == "ok"]:
        lines.extend(_guard(one, width)[:1])
    if not lines:
        return [Text("no guard has said anything yet", style=palette.DIM)]
    if not findings_of(view):
        lines.append(Text("nothing found amiss in learning", style=palette.DIM))
    return lines


def _guard(one: dict[str, Any], width: int) -> list[Text]:
    sign, colour = _SIGNS.get(str(one.get("state")), ("?", palette.DIM))
    name = plain(one.get("name"))
    times = one.get("count")
    tail = f" ({times} times)" if isinstance(times, int) and times > 1 else ""
    lines = list(
        _wrapped(sign, colour, f"{one.get('text') or one.get('state')}{tail}", width - _NAME - 1)
    )
    first = Text(f"{sign} ", style=colour)
    first.append(
        f"{name:<{_NAME}} ", style=palette.TEXT if one.get("state") != "ok" else palette.DIM
    )
    head = lines[0][2:]
    return [first.append_text(head)] + [
        Text(" " * (_NAME + 1)).append_text(line) for line in lines[1:]
    ]


def _wrapped(sign: str, colour: str, sentence: str, width: int) -> Iterator[Text]:
    """A sentence over several lines, hanging below its sign."""
    room = max(10, width - 2)
    lead = Text(f"{sign} ", style=colour)
    for part in folded(plain(sentence), room):
        yield lead + Text(part, style=palette.TEXT)
        lead = Text("  ")


def folded(text: str, room: int) -> list[str]:
    """Words in lines of at most `room` characters; a longer word is cut."""
    lines = [""]
    for word in _WORDS.split(text):
        while len(word) > room:
            if lines[-1]:
                lines.append("")
            lines[-1], word = word[:room], word[room:]
            lines.append("")
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return [line for line in lines if line] or [""]
