"""The form of settings: of a new run, or of one that exists."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from ludus.errors import LudusError
from ludus.monitor.tui import launch, palette
from ludus.monitor.tui.checks import checks_of
from ludus.monitor.tui.commands import Answer, send_settings
from ludus.monitor.tui.dialogs import Question
from ludus.monitor.tui.draft import Draft, free_path
from ludus.monitor.tui.form_rows import CHOICES, GAME, PATH, PRESET, RECIPE, detail, rows
from ludus.monitor.tui.head import spread
from ludus.monitor.tui.knobs import knobs
from ludus.monitor.tui.listing import Listing
from ludus.monitor.tui.pane import Lines
from ludus.monitor.tui.words import plain
from ludus.monitor.view import RunView
from ludus.training.layers import recipe_names

if TYPE_CHECKING:
    from ludus.monitor.tui.app import MonitorApp
    from ludus.training.preflight import Check

_HINTS = (
    ("←→", "change"),
    ("Enter", "type"),
    ("⌫", "default"),
    ("/", "filter"),
    ("s", "save"),
    ("t", "train"),
    ("Esc", "back"),
)


class Form(Screen[None]):
    """Every setting of the schema; changes are checked one by one and kept as a draft."""

    DEFAULT_CSS = """
    Form { background: $ludus-background; layout: vertical; overflow: hidden; }
    Form #title, Form #keys { background: $ludus-surface; }
    Form #settings { height: 1fr; }
    Form #detail { padding: 0 1; }
    Form Input, Form Input:focus {
        height: 1; border: none; padding: 0 1; display: none;
        background: $ludus-line; color: $ludus-text;
    }
    Form Input.open { display: block; }
    Form #keys { dock: bottom; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,minus", "turn(-1)", "less"),
        Binding("right,plus", "turn(1)", "more"),
        Binding("enter", "type", "type"),
        Binding("space", "turn(1)", "more", show=False),
        Binding("backspace,delete", "reset", "default"),
        Binding("slash", "filter", "filter"),
        Binding("s,S", "save", "save"),
        Binding("t,T", "train", "train"),
        Binding("escape", "back", "back"),
    ]
    app: MonitorApp

    def __init__(self, path: Path | None, view: RunView | None) -> None:
        """Prepare.

        Args:
            path: directory of the run; None for a new one.
            view: the run as last seen, if there is one.
        """
        super().__init__()
        self._path = path
        self._view = view
        self._filter = ""
        self._typing: str | None = None
        self._said: Answer | None = None
        self.problem: str | None = None
        self.draft = Draft(Path())

    # -- drawing ------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Title, settings, what the chosen one means, input, keys."""
        yield Lines("title")
        yield Listing("settings", "Settings")
        yield Lines("detail")
        yield Input(id="typed", select_on_focus=False)
        yield Lines("keys")

    def on_mount(self) -> None:
        """Open the draft."""
        path = self._path or free_path(self.app.root, "yatzy")
        try:
            self.draft, trouble = Draft.open(path)
        except LudusError as error:
            self.app.call_later(self._cannot, str(error))
            return
        self.problem = self.draft.check()
        if trouble is not None and trouble != self.problem:
            self._said = Answer(trouble, good=False)
        self.query_one(Listing).focus()
        self._draw()

    def _cannot(self, sentence: str) -> None:
        self.app.pop_screen()
        dashboard = self.app.dashboard
        if dashboard is not None:
            dashboard.tell(Answer(sentence, good=False))

    def on_resize(self) -> None:
        """Columns depend on the width."""
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        width, height = self.app.size
        draft = self.draft
        title = Text(" LUDUS ", style=f"bold {palette.ACCENT}")
        word = "settings of" if draft.exists else "new run"
        title.append(f" {word} {plain(draft.path)}", style=f"bold {palette.TEXT}")
        state = "saved" if draft.saved else "not saved"
        changed = f"{len(draft.changes)} changed, {state} "
        colour = palette.DIM if draft.saved else palette.WARN
        self.query_one("#title", Lines).show([spread(title, Text(changed, style=colour), width)])
        listing = self.query_one(Listing)
        listing.border_subtitle = f"filter: {self._filter}" if self._filter else ""
        listing.put(rows(draft, self._filter, width - 6))
        lines = detail(draft, listing.chosen, self.problem, self._said, width - 2, height)
        self.query_one("#detail", Lines).show(lines)
        keys = Text(" ")
        for key, what in self._hints():
            keys.append(key, style=f"bold {palette.ACCENT}")
            keys.append(f" {what}  ", style=palette.DIM)
        keys.truncate(width)
        self.query_one("#keys", Lines).show([keys])

    def _hints(self) -> tuple[tuple[str, str], ...]:
        if self._typing is not None:
            return (("Enter", "take it"), ("Esc", "leave it"))
        return _HINTS

    @on(Listing.Moved)
    def _moved(self) -> None:
        self._said = None
        self._draw()

    # -- changing -----------------------------------------------------------------------------

    @property
    def chosen(self) -> str:
        """The key of the chosen line."""
        return self.query_one(Listing).chosen or ""

    def action_turn(self, by: int) -> None:
        """A step more or less; the next choice."""
        key, draft = self.chosen, self.draft
        self._said = None
        if key == RECIPE and not draft.exists:
            names = recipe_names()
            at = (names.index(draft.recipe) + by) % len(names)
            self.problem = draft.choose(names[at], draft.preset, draft.game)
        elif key == PRESET and not draft.exists:
            names = draft.presets()
            at = (names.index(draft.preset) + by) % len(names)
            self.problem = draft.choose(draft.recipe, names[at], draft.game)
        elif key in knobs():
            self._set(key, knobs()[key].turned(draft.value(key), by))
            return
        self.problem = self.problem or draft.check()
        self._draw()

    def _set(self, key: str, value: object) -> None:
        if self.draft.fixed(key):
            self._said = Answer(f"setting {key} is fixed for the life of a run", good=False)
        else:
            self.problem = self.draft.set(key, value)
        self._draw()

    def action_reset(self) -> None:
        """Take back the change of the chosen setting."""
        if self.chosen in self.draft.changes:
            self._said = None
            self.problem = self.draft.reset(self.chosen)
            self._draw()

    def action_type(self) -> None:
        """Type a value."""
        key = self.chosen
        if key in (RECIPE, PRESET) or (key in CHOICES and self.draft.exists):
            self.action_turn(1)
        elif key in CHOICES:
            self._ask(key, str(self.draft.path) if key == PATH else self.draft.game or "")
        elif key in knobs() and self.draft.fixed(key):
            self._said = Answer(f"setting {key} is fixed for the life of a run", good=False)
            self._draw()
        elif key in knobs():
            self._ask(key, self.draft.text(key))

    def action_filter(self) -> None:
        """Type a part of the names that are to be shown."""
        self._ask("/", self._filter)

    def _ask(self, key: str, text: str) -> None:
        self._typing = key
        typed = self.query_one("#typed", Input)
        typed.placeholder = "part of a name or meaning" if key == "/" else key
        typed.value = text
        typed.add_class("open")
        typed.focus()
        self._draw()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        if self._typing == "/":
            self._filter = event.value.strip()
            self._draw()

    @on(Input.Submitted)
    def _taken(self, event: Input.Submitted) -> None:
        key, text, draft = self._typing, event.value.strip(), self.draft
        self._close_input()
        self._said = None
        if key == PATH and text:
            draft.path, draft.saved = Path(text), False
        elif key == GAME:
            self.problem = draft.choose(draft.recipe, draft.preset, text or None) or draft.check()
        elif key is not None and key in knobs():
            self.problem = draft.set_text(key, text)
        self._draw()

    def _close_input(self) -> None:
        self._typing = None
        self.query_one("#typed", Input).remove_class("open")
        self.query_one(Listing).focus()

    # -- leaving ------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Out of the input, out of the filter, out of the form; asks where changes would go."""
        if self._typing is not None:
            self._close_input()
            self._draw()
        elif self._filter:
            self._filter = ""
            self._draw()
        elif self.draft.saved or not self.draft.changes:
            self._leave(True)
        else:
            question = "The changes are not saved.\n\nLeave without them?"
            self.app.push_screen(Question(question, "leave"), self._leave)

    def _leave(self, yes: bool | None) -> None:
        if yes:
            self.app.pop_screen()

    def action_save(self) -> bool:
        """Write the draft."""
        try:
            self.draft.save()
        except LudusError as error:
            self._said = Answer(f"the draft could not be saved: {error}", good=False)
        else:
            self._said = Answer(f"saved: {self.draft.file}")
        self._draw()
        return self.draft.saved

    def action_train(self) -> None:
        """Check, ask, and start; send the changes where a trainer works already."""
        if self.problem is not None:
            self._said = Answer("not yet: the settings do not fit together", good=False)
            self._draw()
            return
        if not self.action_save():
            return
        if self.draft.exists and self._view is not None and self._view.alive:
            self._send()
        else:
            self.run_worker(self._check_and_ask())

    def _send(self) -> None:
        assert self._view is not None
        later = [key for key in self.draft.changes if knobs()[key].at_start]
        now = {key: self.draft.text(key) for key in self.draft.changes if key not in later}
        answer = send_settings(self._view, now) if now else Answer("there is nothing to send")
        if later:
            tail = f"; at the next start: {', '.join(later)}"
            answer = Answer(answer.text + tail, answer.good)
        self._said = answer
        self._draw()

    async def _check_and_ask(self) -> None:
        checks = await asyncio.to_thread(checks_of, self.draft)
        lines = "\n".join(_check_line(check) for check in checks)
        bad = next((check for check in checks if check.level == "bad"), None)
        if bad is not None:
            self._said = Answer(f"not yet: {bad.text}", good=False)
            self._draw()
            return
        command = "ludus " + " ".join(self.draft.command())
        question = (
            f"{lines}\n\n{command}\n\nStart it in the background? It does not end with this "
            "monitor; its output goes to the run's logs."
        )
        self.app.push_screen(Question(question, "start"), self._start)

    def _start(self, yes: bool | None) -> None:
        if not yes:
            return
        try:
            started = launch.start(self.draft.path, self.draft.command())
        except LudusError as error:
            self._said = Answer(str(error), good=False)
            self._draw()
            return
        self.app.background.append(started)
        self.app.open_run(self.draft.path)


def _check_line(check: Check) -> str:
    mark = {"good": "✓", "warning": "!", "bad": "✗"}[check.level]
    return f"{mark} {check.name}: {check.text}"
