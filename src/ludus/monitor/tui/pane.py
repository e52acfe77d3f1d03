"""A framed panel of lines that scrolls, and a strip of lines without a frame."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from ludus.monitor.view import RunView

Maker = Callable[[RunView, int, int], list[Text]]
"""Lines out of a view, for a width and a height in cells."""


def line_strip(widget: Widget, line: Text | None, width: int) -> Strip:
    """A line as a widget draws it, in the widget's own style below its own."""
    style = widget.rich_style
    if line is None:
        return Strip.blank(width, style)
    shown = line.copy()
    shown.stylize_before(shown.style)  # the base style is left out where there is no other
    shown.truncate(width)
    strip = Strip(list(shown.render(widget.app.console)), shown.cell_len)
    return strip.apply_style(style).adjust_cell_length(width, style)


class Pane(ScrollView, can_focus=True):
    """A panel. What is drawn is asked of `make` again when the view or the size changes."""

    DEFAULT_CSS = """
    Pane {
        border: round $ludus-line;
        border-title-color: $ludus-dim;
        border-title-style: bold;
        border-subtitle-color: $ludus-dim;
        background: $ludus-background;
        color: $ludus-text;
        padding: 0 0 0 1;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        scrollbar-color: $ludus-line;
        scrollbar-background: $ludus-background;
        scrollbar-color-hover: $ludus-line;
        scrollbar-background-hover: $ludus-background;
        scrollbar-color-active: $ludus-line;
        scrollbar-background-active: $ludus-background;
    }
    Pane:focus {
        border: round $ludus-accent;
        border-title-color: $ludus-accent;
        background-tint: transparent;
    }
    """

    def __init__(
        self,
        name: str,
        title: str,
        make: Maker,
        depends: Callable[[RunView], tuple[object, ...]] | None = None,
    ) -> None:
        """Make an empty panel.

        Args:
            name: its id.
            title: in its frame.
            make: gives its lines.
            depends: objects that its lines come from; they are made again when one is another.
                None makes them at each drawing.
        """
        super().__init__(id=name)
        self.border_title = title
        self._make = make
        self._depends = depends
        self._source: tuple[object, ...] | None = None
        self._view: RunView | None = None
        self._lines: list[Text] = []
        self._marks: list[object] = []

    @property
    def lines(self) -> list[str]:
        """What is shown, as text."""
        return [line.plain for line in self._lines]

    def show(self, view: RunView) -> None:
        """Draw a view; nothing is sent to the terminal where nothing differs."""
        self._view = view
        width, height = self.scrollable_content_region.size
        if not self.display or width <= 0:
            return
        if self._depends is not None:
            source = (width, height, *self._depends(view))
            if _same(source, self._source):
                return
            self._source = source
        lines = self._make(view, width - 1, height)  # a gap before frame or scroll bar
        marks: list[object] = [(line.plain, (line.style, *line.spans)) for line in lines]
        if marks == self._marks:
            return
        self._lines, self._marks = lines, marks
        self.virtual_size = Size(width, len(lines))
        self.refresh()

    def on_resize(self) -> None:
        """Lines depend on the size."""
        self._marks, self._source = [], None
        if self._view is not None:
            self.show(self._view)

    def render_line(self, y: int) -> Strip:
        """A line of the panel."""
        at = self.scroll_offset.y + y
        line = self._lines[at] if 0 <= at < len(self._lines) else None
        return line_strip(self, line, self.scrollable_content_region.width)


def _same(one: tuple[object, ...], other: tuple[object, ...] | None) -> bool:
    """Whether both are of the same objects; looking into long ones would cost more than drawing."""
    if other is None or len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(a is b or (isinstance(a, int) and a == b) for a, b in pairs)


class Lines(Widget):
    """Some lines without a frame, as high as they are many."""

    DEFAULT_CSS = """
    Lines { height: auto; width: 1fr; background: $ludus-background; color: $ludus-text; }
    """

    def __init__(self, name: str) -> None:
        """Make an empty strip with an id."""
        super().__init__(id=name)
        self._lines: list[Text] = []
        self.display = False

    @property
    def lines(self) -> list[str]:
        """What is shown, as text."""
        return [line.plain for line in self._lines]

    def show(self, lines: list[Text]) -> None:
        """Draw lines; no lines take no place."""
        if lines == self._lines and [line.spans for line in lines] == [
            line.spans for line in self._lines
        ]:
            return
        taller = len(lines) != len(self._lines)
        self._lines = lines
        self.display = bool(lines)
        self.refresh(layout=taller)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many as there are lines."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """A line."""
        line = self._lines[y] if y < len(self._lines) else None
        return line_strip(self, line, self.size.width)
