"""One frame as text, for ``watch``, cron and terminals that can do no more."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from ludus.monitor.tui import palette
from ludus.monitor.tui.curves import curve_lines
from ludus.monitor.tui.facts import fact_lines
from ludus.monitor.tui.feed import feed_lines
from ludus.monitor.tui.head import banners, phase_lines, progress_line, title_line
from ludus.monitor.tui.health import health_lines
from ludus.monitor.tui.history import history_lines
from ludus.monitor.tui.waiting import waiting_lines
from ludus.monitor.view import RunView

_MOST = {"Iterations": 9, "Events": 8}


def frame(view: RunView, width: int) -> list[Text]:
    """Everything of the dashboard below each other, long lists cut.

    Args:
        view: the run.
        width: in cells.
    """
    if view.summary is None:
        return [title_line(view, width), *waiting_lines(view, width)]
    lines = [title_line(view, width)]
    progress = progress_line(view, width)
    lines += [progress] if progress is not None else []
    lines += phase_lines(view, width, compact=width < 72)
    lines += banners(view, width, 6)
    for title, made in (
        ("Run", fact_lines(view, width - 1)),
        ("Guards and health", health_lines(view, width - 1)),
        ("Curves", curve_lines(view, width - 1, 0)),
        ("Iterations", history_lines(view, width - 1)),
        ("Events", feed_lines(view, width - 1)),
    ):
        lines.append(Text(""))
        lines.append(Text(f" {title}", style=f"bold {palette.ACCENT}"))
        most = _MOST.get(title, len(made))
        lines += [Text(" ") + line for line in made[:most]]
    return lines


def print_frame(view: RunView, width: int | None = None) -> None:
    """Print a frame to stdout: colours only to a terminal, and nothing else than lines."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, width=width)
    for line in frame(view, min(console.width, 160)):
        line.rstrip()
        console.print(line, no_wrap=True, crop=True)
