"""The panel of iterations: what each came to, newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text

from ludus.monitor.tui import palette
from ludus.monitor.tui.words import count, duration, percent
from ludus.monitor.view import RunView, is_gated, number, table

Cell = tuple[str, str]
"""Text and style."""


def _part(entry: dict[str, Any], *path: str) -> Any:
    at: Any = entry
    for name in path:
        at = table(at).get(name)
    return at


def _iteration(entry: dict[str, Any]) -> Cell:
    index = number(entry.get("iteration"))
    return (f"{index + 1:.0f}" if index is not None else "?"), palette.TEXT


def _number(form: str, *path: str, style: str = palette.TEXT) -> Callable[[dict[str, Any]], Cell]:
    def cell(entry: dict[str, Any]) -> Cell:
        value = number(_part(entry, *path))
        return ("" if value is None else form.format(value)), style

    return cell


def _games(entry: dict[str, Any]) -> Cell:
    value = number(_part(entry, "selfplay", "games"))
    return (count(value) if value else ""), palette.TEXT


def _gate(entry: dict[str, Any]) -> Cell:
    promoted, rate = entry.get("promoted"), number(_part(entry, "gate", "win_rate"))
    if promoted is None:
        return ("…" if rate is None else percent(rate)), palette.DIM
    text = "" if rate is None else f" {percent(rate)}"
    return (f"✓{text}", palette.GOOD) if promoted else (f"·{text}", palette.DIM)


def _elo(entry: dict[str, Any]) -> Cell:
    value = number(_part(entry, "evaluate", "rating", "elo"))
    return ("" if value is None else f"{value:.0f}"), palette.TEXT


def _oracle(kind: str) -> Callable[[dict[str, Any]], Cell]:
    def cell(entry: dict[str, Any]) -> Cell:
        name = f"oracle_match_rate_{kind}"
        value = number(_part(entry, "gate", "oracle", name))
        if value is None:
            value = number(_part(entry, "evaluate", "results", "solitaire", name))
        return ("" if value is None else percent(value)), palette.TEXT

    return cell


def _seconds(entry: dict[str, Any]) -> Cell:
    start, end = number(entry.get("started_ms")), number(entry.get("finished_ms"))
    if start is None or end is None:
        return "now", palette.ACCENT
    return duration((end - start) / 1000), palette.DIM


COLUMNS: tuple[tuple[str, Callable[[dict[str, Any]], Cell]], ...] = (
    ("#", _iteration),
    ("gate", _gate),
    ("loss", _number("{:.4f}", "train", "loss_total")),
    ("games", _games),
    ("Elo", _elo),
    ("oracle", _oracle("overall")),
    ("took", _seconds),
    ("score", _number("{:.1f}", "selfplay", "mean_score")),
    ("difference", _number("{:+.2f}", "selfplay", "score_difference")),
    ("reroll", _oracle("reroll")),
    ("mark", _oracle("mark")),
    ("policy π", _number("{:.3f}", "train", "loss_policy")),
    ("value v", _number("{:.3f}", "train", "loss_value")),
    ("games/s", _number("{:,.0f}", "selfplay", "games_per_second")),
)
"""In the order in which they get a place; those without any value get none."""


def history_lines(view: RunView, width: int) -> list[Text]:
    """A head and a line an iteration, newest first, with the columns that fit."""
    if not view.iterations:
        return [Text("no iteration is committed yet", style=palette.DIM)]
    entries = list(reversed(view.iterations[-1000:]))
    columns: list[tuple[str, list[Cell], int]] = []
    used = 0
    for head, cell in COLUMNS:
        if head == "gate" and not is_gated(view.status):
            continue
        cells = [cell(entry) for entry in entries]
        if not any(text for text, _ in cells):
            continue
        wide = max(len(head), *(len(text) for text, _ in cells))
        if used + wide + 2 * bool(columns) > width:
            break
        used += wide + 2 * bool(columns)
        columns.append((head, cells, wide))
    lines = [Text("  ".join(f"{head:>{wide}}" for head, _, wide in columns), style=palette.FAINT)]
    for index in range(len(entries)):
        line = Text()
        for place, (_, cells, wide) in enumerate(columns):
            text, style = cells[index]
            line.append("  " * bool(place))
            line.append(f"{text or '':>{wide}}", style=style)
        lines.append(line)
    return lines
