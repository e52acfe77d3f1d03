"""The panel of events: what happened, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from ludus.monitor.tui import palette
from ludus.monitor.tui.health import folded
from ludus.monitor.tui.sentences import sentence, weight
from ludus.monitor.tui.words import clock, percent
from ludus.monitor.view import RunView, number, table
from ludus.training.view import rating_unit

_STYLES = {"good": palette.GOOD, "bad": palette.BAD, "warn": palette.WARN, "plain": palette.TEXT}
_MOST_LINES = 3


def feed_lines(view: RunView, width: int) -> list[Text]:
    """A time and a sentence each; a long sentence goes on below, at most three lines in all."""
    lines: list[Text] = []
    for event in _chosen(view):
        when = clock(event.get("ts_ms"), view.taken)
        lead = 10 if len(when) < 9 else 13
        parts = folded(sentence(event), max(10, width - lead))[:_MOST_LINES]
        style = palette.DIM if event.get("event") == "commit" else _STYLES[weight(event)]
        for index, part in enumerate(parts):
            line = Text(f"{when if index == 0 else '':<{lead}}", style=palette.FAINT)
            line.append(part, style=style)
            lines.append(line)
    return lines or [Text("nothing has happened yet", style=palette.DIM)]


def _chosen(view: RunView) -> Iterator[dict[str, Any]]:
    """Events with the ends of iterations, newest first; of the many commits only the newest."""
    everything = [*view.events, *_iterations(view)]
    everything.sort(key=lambda event: number(event.get("ts_ms")) or 0.0)
    commits = 0
    for event in reversed(everything):
        if event.get("event") == "commit":
            commits += 1
            if commits > 1:
                continue
        yield event


def _iterations(view: RunView) -> Iterator[dict[str, Any]]:
    """Ends of iterations, no older than the oldest event that is known."""
    oldest = min((number(event.get("ts_ms")) or 0.0 for event in view.events), default=0.0)
    for entry in view.iterations[-200:]:
        finished, index = number(entry.get("finished_ms")), number(entry.get("iteration"))
        if finished is None or index is None or finished < oldest:
            continue
        parts = []
        if entry.get("promoted") is not None:
            rate = number(table(entry.get("gate")).get("win_rate"))
            word = "promoted" if entry["promoted"] else "champion kept"
            parts.append(word if rate is None else f"{word} with {percent(rate)}")
        rating = table(table(entry.get("evaluate")).get("rating"))
        elo = number(rating.get("elo"))
        if elo is not None:
            parts.append(f"{rating_unit(rating)} {elo:.0f}")
        tail = ": " + ", ".join(parts) if parts else ""
        yield {
            "event": "iteration",
            "ts_ms": finished,
            "message": f"iteration {index + 1:.0f} is done{tail}",
        }
