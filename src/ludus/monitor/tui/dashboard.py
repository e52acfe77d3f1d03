"""The dashboard of one run."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen

from ludus.errors import LudusError
from ludus.monitor.tui import launch, palette
from ludus.monitor.tui.commands import Answer, send
from ludus.monitor.tui.curves import curve_lines
from ludus.monitor.tui.dialogs import Help, Question
from ludus.monitor.tui.facts import fact_lines
from ludus.monitor.tui.feed import feed_lines
from ludus.monitor.tui.head import banners, phase_lines, progress_line, title_line
from ludus.monitor.tui.health import health_lines
from ludus.monitor.tui.history import history_lines
from ludus.monitor.tui.pane import Lines, Pane
from ludus.monitor.tui.waiting import waiting_lines
from ludus.monitor.view import RunReader, RunView

if TYPE_CHECKING:
    from ludus.monitor.tui.app import MonitorApp

CONFIRM_SECONDS = 1.5
"""How long a confirmation stays."""

TROUBLE_SECONDS = 5.0
"""How long an error stays."""

LOOK_BUDGET = 0.1
"""Seconds that a look may spend on a long log; the next one goes on."""

PANES = ("facts", "curves", "history", "feed", "health")

_HINTS = (
    ("p", "pause"),
    ("r", "resume"),
    ("s", "stop"),
    ("c", "save"),
    ("e", "settings"),
    ("o", "runs"),
    ("?", "help"),
    ("q", "quit"),
)


class Dashboard(Screen[None]):
    """A run as it is now; keys send commands, nothing else is touched."""

    DEFAULT_CSS = """
    Dashboard { background: $ludus-background; layout: vertical; overflow: hidden; }
    Dashboard #title { background: $ludus-surface; }
    Dashboard #body { height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 1fr 1fr; }
    Dashboard.compact #body { grid-rows: 5fr 4fr; }
    Dashboard.full #body { grid-size: 2 3; grid-rows: 9fr 6fr 7fr; }
    Dashboard.full #history { row-span: 2; }
    Dashboard.wide #body { grid-size: 3 2; grid-columns: 7fr 9fr 9fr; grid-rows: 1fr 1fr; }
    Dashboard.wide #curves { row-span: 2; }
    Dashboard.wide #history { row-span: 1; }
    Dashboard.single #body { grid-size: 1 1; grid-columns: 1fr; grid-rows: 1fr; }
    Dashboard.single Pane { row-span: 1; }
    Dashboard #keys { background: $ludus-surface; dock: bottom; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p,P", "send('pause')", "pause"),
        Binding("r,R", "resume", "resume"),
        Binding("s,S", "stop", "stop"),
        Binding("c,C", "send('save')", "save"),
        Binding("e,E", "edit", "settings"),
        Binding("o,O", "runs", "runs"),
        Binding("question_mark,h,H,f1", "help", "help"),
        Binding("tab,right", "turn(1)", "next panel", priority=True),
        Binding("shift+tab,left", "turn(-1)", "panel before", priority=True),
        Binding("enter,z,Z", "alone", "one panel"),
        Binding("escape", "together", "all panels", show=False),
    ]
    app: MonitorApp

    def __init__(self, reader: RunReader, refresh_interval: float) -> None:
        """Prepare.

        Args:
            reader: of the run.
            refresh_interval: seconds between two looks at the run.
        """
        super().__init__()
        self.reader = reader
        self.view: RunView = reader.look()
        self._interval = refresh_interval
        self._at = 0
        self._alone = False
        self._looking = False
        self._message: tuple[Text, float] | None = None

    # -- layout -------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Title, progress, what needs attention, panels, keys."""
        for name in ("title", "progress", "attention", "waiting"):
            yield Lines(name)
        with Container(id="body"):
            yield Pane("facts", "Run", lambda view, width, _: fact_lines(view, width))
            yield Pane("curves", "Curves", curve_lines, _curve_source)
            yield Pane(
                "history",
                "Iterations",
                lambda view, width, _: history_lines(view, width),
                lambda view: (view.iterations,),
            )
            yield Pane(
                "health",
                "Guards and health",
                lambda view, width, _: health_lines(view, width),
                lambda view: (view.status, *_feed_source(view)),
            )
            yield Pane(
                "feed", "Events", lambda view, width, _: feed_lines(view, width), _feed_source
            )
        yield Lines("keys")

    def on_mount(self) -> None:
        """Begin to look."""
        self.app.last_view = self.view
        if not self._composed:
            return  # the monitor is closing, and closed before the panels came
        self._arrange()
        self.pane.focus()
        self._draw()
        self.set_interval(1.0, self._tick)
        self.set_interval(self._interval, self.look)

    def on_resize(self) -> None:
        """Another size may be another layout."""
        if self._composed:
            self._arrange()
            self._draw()

    @property
    def _composed(self) -> bool:
        """Whether the widgets are there; a monitor that closes may mount a screen without them."""
        return len(self.query(Pane)) == len(PANES)

    @property
    def pane(self) -> Pane:
        """The panel that keys scroll."""
        return self.query_one(f"#{PANES[self._at]}", Pane)

    def _arrange(self) -> None:
        width, height = self.app.size
        single = self._alone or width < 72 or height < 18
        full = not single and width >= 100 and height >= 34
        self.set_class(single, "single")
        self.set_class(full, "full")
        self.set_class(full and width >= 160, "wide")
        self.set_class(not single and not full, "compact")
        chosen = PANES[self._at]
        for name in PANES:
            shown = name == chosen if single else True
            if not single and not full:  # four places: events give way to guards when asked for
                shown = name != ("feed" if chosen == "health" else "health")
            self.query_one(f"#{name}", Pane).display = shown

    # -- drawing ------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Ages and times left go on between two looks."""
        if self._message is not None and time.monotonic() >= self._message[1]:
            self._message = None
        for sentence in self.app.background_news():
            self.tell(Answer(sentence, good=False))
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted or not self.is_current or not self._composed:
            return  # not there yet, or somebody leaves while a look is under way
        view, (width, height) = self.view.aged(time.time()), self.app.size
        self.query_one("#title", Lines).show([title_line(view, width)])
        waits = view.summary is None
        body = self.query_one("#body")
        body.display = not waits
        waiting = waiting_lines(view, width) if waits else []
        self.query_one("#waiting", Lines).show(waiting)
        progress = [] if waits else [progress_line(view, width)]
        if not waits:
            progress += phase_lines(view, width, compact=height < 34 or width < 72)
        self.query_one("#progress", Lines).show([line for line in progress if line is not None])
        most = 1 if height < 20 else 2 if height < 34 else 4
        self.query_one("#attention", Lines).show([] if waits else banners(view, width, most))
        self.query_one("#keys", Lines).show([self._bottom(width)])
        if not waits:
            for pane in self.query(Pane):
                pane.show(view)

    def _bottom(self, width: int) -> Text:
        """The last line: what was just done, else the keys."""
        if self._message is not None:
            line = self._message[0].copy()
            line.truncate(width, overflow="ellipsis", pad=True)
            return line
        line = Text(" ")
        for key, what in _HINTS:
            if line.cell_len + len(key) + len(what) + 3 > width - 18 and key not in "?q":
                continue
            line.append(key, style=f"bold {palette.ACCENT}")
            line.append(f" {what}  ", style=palette.DIM)
        place = f"{self._at + 1}/{len(PANES)} Tab "
        if self.has_class("single"):
            line.append(" " * max(0, width - line.cell_len - len(place)))
            line.append(place, style=palette.DIM)
        return line

    def tell(self, answer: Answer) -> None:
        """Show a sentence in the place of the keys for a moment."""
        style = f"bold {palette.BACKGROUND} on {palette.GOOD if answer.good else palette.BAD}"
        seconds = CONFIRM_SECONDS if answer.good else TROUBLE_SECONDS
        text = Text(f" {answer.text}", style=style)
        self._message = (text, time.monotonic() + seconds)
        self._draw()
        self.set_timer(seconds + 0.02, self._tick)

    # -- looking ------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the run, in a thread: a slow disk far away never holds up the keys."""
        if not self._looking:
            self._looking = True
            self.run_worker(self._look(), exit_on_error=True)

    async def _look(self) -> None:
        try:
            self.view = await asyncio.to_thread(self.reader.look)
        finally:
            self._looking = False
        self.app.last_view = self.view
        self._draw()
        if self.view.read < 1.0:
            self.set_timer(0.2, self.look)

    # -- keys ---------------------------------------------------------------------------------

    def action_send(self, name: str) -> None:
        """A command to the run."""
        self.tell(send(self.view, name))
        self.look()

    def action_stop(self) -> None:
        """Ask once, then stop."""
        if not self.view.alive:
            self.action_send("stop")
            return
        question = (
            f"Stop the training of {self.view.path}?\n\n"
            "It commits and ends. Nothing is lost, and r goes on later."
        )
        self.app.push_screen(
            Question(question, "stop"), lambda yes: self.action_send("stop") if yes else None
        )

    def action_resume(self) -> None:
        """Tell a trainer to go on, or offer to start one."""
        view = self.view
        if view.alive:
            self.action_send("resume")
            return
        if view.summary is None:
            self.tell(Answer("there is no run yet, so there is nothing to resume", good=False))
            return
        question = (
            f"Nobody trains {view.path}.\n\n"
            "Start a trainer in the background? It goes on from the last commit and does not "
            "end with this monitor. Its output goes to the run's logs."
        )
        self.app.push_screen(Question(question, "start"), self._start)

    def _start(self, yes: bool | None) -> None:
        if not yes:
            return
        path = self.reader.path
        try:
            started = launch.start(path, ["resume", "--run", str(path.resolve())])
        except LudusError as error:
            self.tell(Answer(str(error), good=False))
            return
        self.app.background.append(started)
        self.tell(Answer(f"a trainer is starting; its output: {started.log}"))

    def action_help(self) -> None:
        """The keys."""
        self.app.push_screen(Help(self._interval))

    def action_turn(self, by: int) -> None:
        """The next panel."""
        self._at = (self._at + by) % len(PANES)
        self._arrange()
        self.pane.focus()
        self.call_after_refresh(self._draw)

    def action_alone(self) -> None:
        """One panel alone, and back."""
        self._alone = not self._alone
        self._arrange()
        self.pane.focus()
        self.call_after_refresh(self._draw)

    def action_together(self) -> None:
        """All panels."""
        if self._alone:
            self.action_alone()

    def action_runs(self) -> None:
        """Choose another run."""
        self.app.choose_run()

    def action_edit(self) -> None:
        """Settings of this run."""
        self.app.edit(Path(self.reader.path), self.view)

    def on_screen_resume(self) -> None:
        """Back from a dialog."""
        self.call_after_refresh(self._draw)


def _curve_source(view: RunView) -> tuple[object, ...]:
    """A curve that changed is another object."""
    return tuple(view.curves.values())


def _feed_source(view: RunView) -> tuple[object, ...]:
    """Newest event, history, and the day: events of another day have another form."""
    newest = view.events[-1] if view.events else None
    return newest, view.iterations, time.localtime(view.taken).tm_yday
