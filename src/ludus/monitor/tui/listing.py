"""A panel of lines with one chosen: the runs of the picker, the settings of the form."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from ludus.monitor.tui import palette
from ludus.monitor.tui.pane import Pane, line_strip


class Listing(Pane, can_focus=True):
    """Lines, some of which can be chosen; up, down, page keys, Home and End move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "move(-10)", "page up", show=False),
        Binding("pagedown", "move(10)", "page down", show=False),
        Binding("home", "move(-100000)", "first", show=False),
        Binding("end", "move(100000)", "last", show=False),
    ]

    class Moved(Message):
        """Somebody chose another line."""

    def __init__(self, name: str, title: str) -> None:
        """Make an empty list with an id and a title."""
        super().__init__(name, title, lambda view, width, height: [])
        self._keys: list[str | None] = []
        self.chosen: str | None = None

    def put(self, rows: list[tuple[str | None, Text]]) -> None:
        """Show lines, each with a key; None cannot be chosen. What was chosen stays so."""
        self._keys = [key for key, _ in rows]
        self._lines = [line for _, line in rows]
        if self.chosen is None or self.chosen not in self._keys:
            self.chosen = next((key for key in self._keys if key is not None), None)
        self.virtual_size = Size(self.scrollable_content_region.width, len(rows))
        self.refresh()

    def on_resize(self) -> None:
        """Whoever fills the list draws it anew."""
        self.refresh()

    def choose(self, key: str) -> None:
        """Choose a line, and see to it that it is seen."""
        if key in self._keys:
            self.chosen = key
            self._seen()

    def action_move(self, by: int) -> None:
        """Choose a line further up or down."""
        places = [index for index, key in enumerate(self._keys) if key is not None]
        if not places:
            return
        now = self._keys.index(self.chosen) if self.chosen in self._keys else places[0]
        at = places.index(now) if now in places else 0
        at = max(0, min(len(places) - 1, at + by))
        self.chosen = self._keys[places[at]]
        self._seen()
        self.post_message(self.Moved())

    def _seen(self) -> None:
        index = self._keys.index(self.chosen)
        above = 1 if index and self._keys[index - 1] is None else 0  # its heading too
        region = Region(0, index - above, 1, 1 + above)
        self.scroll_to_region(region, animate=False, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line; the chosen one is marked by its background and by a sign."""
        at = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        if not 0 <= at < len(self._lines):
            return line_strip(self, None, width)
        line = self._lines[at].copy()
        if self._keys[at] is not None:
            mark = self._keys[at] == self.chosen
            line = Text("▸ " if mark else "  ", style=palette.ACCENT) + line
            if mark:
                line.truncate(width, pad=True)
                line.stylize(f"on {palette.LINE}")
        return line_strip(self, line, width)
