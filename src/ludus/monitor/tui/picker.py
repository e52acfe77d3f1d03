"""The run picker: what runs there are, which one to watch, and the way to a new one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from ludus.monitor.tui import palette
from ludus.monitor.tui.head import spread
from ludus.monitor.tui.listing import Listing
from ludus.monitor.tui.pane import Lines
from ludus.monitor.tui.waiting import waiting_text
from ludus.monitor.tui.words import MISSING, duration, plain
from ludus.monitor.view import number, table
from ludus.runs import RunSummary, is_run, list_runs

if TYPE_CHECKING:
    from ludus.monitor.tui.app import MonitorApp

DRAFT = "config.draft.yaml"

_HINTS = (("↑↓", "choose"), ("Enter", "open"), ("n", "new run"), ("Esc", "back"), ("q", "quit"))


def drafts(root: Path) -> list[Path]:
    """Folders with a draft of settings that are no runs yet."""
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return []
    return [path for path in entries if (path / DRAFT).is_file() and not is_run(path)]


def run_row(one: RunSummary, width: int, now: float) -> Text:
    """A line about a run: name, state, recipe, iteration, Elo, last commit."""
    status = one.status or {}
    state = one.state
    iteration, total = number(status.get("iteration")), number(status.get("total_iterations"))
    shown = MISSING
    if iteration is not None:
        at = iteration + 1 if total is None else min(iteration + 1, max(1.0, total))
        shown = f"{at:.0f}" if total is None else f"{at:.0f}/{total:.0f}"
    elo = number(table(status.get("rating")).get("elo"))
    age = None if one.committed_ms is None else max(0.0, now - one.committed_ms / 1000)
    return columns(
        plain(one.path.name),
        f"{palette.STATE_SIGNS.get(state, '?')} {state}",
        palette.STATE_COLOURS.get(state, palette.DIM),
        plain(one.recipe or MISSING),
        shown,
        MISSING if elo is None else f"{elo:.0f}",
        MISSING if age is None else f"{duration(age)} ago",
        width,
    )


def _draft_row(path: Path, width: int) -> Text:
    none = MISSING
    return columns(plain(path.name), "… draft", palette.VIOLET, none, none, none, none, width)


def columns(
    name: str,
    state: str,
    colour: str,
    recipe: str,
    iteration: str,
    elo: str,
    commit: str,
    width: int,
) -> Text:
    """The cells of a line, those that fit."""
    room = max(8, min(40, width - 62))
    line = Text(style=palette.TEXT)
    for text, wide, style in (
        (name, room, f"bold {palette.TEXT}"),
        (state, 11, colour),
        (recipe, 10, palette.TEXT),
        (iteration, 9, palette.TEXT),
        (elo, 6, palette.TEXT),
        (commit, 12, palette.DIM),
    ):
        cell = Text(text, style=style)
        cell.truncate(wide, overflow="ellipsis", pad=True)
        line.append_text(cell)
        line.append("  ")
    return line


class Picker(Screen[None]):
    """Runs below a folder; one that appears is there at the next look."""

    DEFAULT_CSS = """
    Picker { background: $ludus-background; layout: vertical; overflow: hidden; }
    Picker #title, Picker #keys { background: $ludus-surface; }
    Picker #runs { height: 1fr; }
    Picker #keys { dock: bottom; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open"),
        Binding("n,N", "new", "new run"),
        Binding("escape,o,O", "back", "back"),
    ]
    app: MonitorApp

    def __init__(self, root: Path, refresh_interval: float) -> None:
        """Prepare.

        Args:
            root: folder of runs.
            refresh_interval: seconds between two looks at it.
        """
        super().__init__()
        self._root = root
        self._interval = refresh_interval
        self._found: list[RunSummary] = list_runs(root)
        self._drafts = drafts(root)
        self._empty = not self._found
        self._looking = False

    def compose(self) -> ComposeResult:
        """Title, list or waiting, keys."""
        yield Lines("title")
        yield Lines("waiting")
        yield Listing("runs", "Runs")
        yield Lines("keys")

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(Listing).focus()
        self._draw()
        self.set_interval(self._interval, self._look_again)

    def on_resize(self) -> None:
        """Columns depend on the width."""
        self._draw()

    def _look_again(self) -> None:
        if not self._looking:
            self._looking = True
            self.run_worker(self._look())

    async def _look(self) -> None:
        try:
            self._found = await asyncio.to_thread(list_runs, self._root)
            self._drafts = await asyncio.to_thread(drafts, self._root)
        finally:
            self._looking = False
        if self._empty and len(self._found) == 1 and self.is_current:
            self.app.open_run(self._found[0].path)  # what was waited for
            return
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted or not self.query("#title"):
            return  # not there yet, or somebody leaves while a look is under way
        width = self.app.size.width
        title = Text(" LUDUS ", style=f"bold {palette.ACCENT}")
        title.append(f" runs in {plain(self._root)}", style=f"bold {palette.TEXT}")
        self.query_one("#title", Lines).show([spread(title, Text(""), width)])
        runs = self.query_one(Listing)
        runs.display = bool(self._found or self._drafts)
        waiting = waiting_text(
            self._root, "ludus train yatzy", width, "or press n to make a run here"
        )
        self.query_one("#waiting", Lines).show([] if runs.display else waiting)
        room = width - 6
        head = columns("run", "state", "", "recipe", "iteration", "Elo", "last commit", room)
        head_line = Text("  " + head.plain, style=palette.FAINT)
        now = time.time()
        rows: list[tuple[str | None, Text]] = [(None, head_line)]
        rows += [(str(one.path), run_row(one, room, now)) for one in self._found]
        rows += [(str(path), _draft_row(path, room)) for path in self._drafts]
        runs.put(rows)
        keys = Text(" ")
        for key, what in _HINTS:
            keys.append(key, style=f"bold {palette.ACCENT}")
            keys.append(f" {what}  ", style=palette.DIM)
        keys.truncate(width)
        self.query_one("#keys", Lines).show([keys])

    def action_open(self) -> None:
        """Watch the chosen run; the form of a draft."""
        chosen = self.query_one(Listing).chosen
        if chosen is None:
            return
        if Path(chosen) in self._drafts:
            self.app.edit(Path(chosen), None)
        else:
            self.app.open_run(Path(chosen))

    def action_new(self) -> None:
        """The form of a new run."""
        self.app.edit(None, None)

    def action_back(self) -> None:
        """To the dashboard, if there is one."""
        if self.app.dashboard is not None:
            self.app.pop_screen()
