"""What is shown while there is no run yet."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from ludus.monitor.tui import palette
from ludus.monitor.tui.health import folded
from ludus.monitor.tui.words import plain
from ludus.monitor.view import RunView


def waiting_lines(view: RunView, width: int) -> list[Text]:
    """Names the file that is looked for, and the command that starts a training."""
    return waiting_text(view.path / "status.json", f"ludus train yatzy --run {view.path}", width)


def waiting_text(looked_for: Path, command: str, width: int, more: str = "") -> list[Text]:
    """The sentences of waiting.

    Args:
        looked_for: file or folder that is not there yet.
        command: starts a training.
        width: in cells.
        more: a further sentence.
    """
    room = max(16, width - 6)
    lines = [Text("")]
    lines.append(Text("  Waiting for a training", style=f"bold {palette.WARN}"))
    lines.append(Text(""))
    for label, value, style in (
        ("looked for", plain(looked_for), palette.TEXT),
        ("start one with", plain(command), palette.ACCENT),
    ):
        lines.append(Text(f"  {label}", style=palette.DIM))
        lines += [Text(f"    {part}", style=style) for part in folded(value, room)]
    if more:
        lines.append(Text(""))
        lines += [Text(f"  {part}", style=palette.DIM) for part in folded(more, room)]
    return lines
