"""Small screens on top of another: a question, and the help."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ludus.monitor.tui import palette
from ludus.monitor.tui.words import plain

KEYS = (
    ("p", "pause: commit and end the trainer"),
    ("r", "resume: go on, or start the trainer"),
    ("s", "stop: commit and end; asks first"),
    ("c", "save a checkpoint that stays"),
    ("e", "settings of the run"),
    ("o", "choose another run, or make one"),
    ("Tab ← →", "next panel"),
    ("↑ ↓", "scroll the panel"),
    ("Enter", "one panel alone, and back"),
    ("?", "this help"),
    ("q Ctrl+C", "leave; the training goes on"),
)
"""Keys of the dashboard with what they do."""

_CSS = """
    align: center middle;
    background: $ludus-background 60%;
"""


class Question(ModalScreen[bool]):
    """Asks once; ``y`` or Enter is yes, everything else that leaves is no."""

    DEFAULT_CSS = (
        "Question {"
        + _CSS
        + """}
    Question > Vertical {
        width: 64; max-width: 95%; height: auto; padding: 1 2;
        border: round $ludus-warn; background: $ludus-surface; color: $ludus-text;
    }
    Question Static { background: $ludus-surface; }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,Y,enter", "answer(True)", "yes"),
        Binding("n,N,escape,q,Q", "answer(False)", "no"),
    ]

    def __init__(self, question: str, yes: str) -> None:
        """Prepare.

        Args:
            question: sentences.
            yes: what ``y`` does, a word or two.
        """
        super().__init__()
        self._text = Text(plain(question), style=palette.TEXT)
        self._keys = Text.assemble(
            ("y", f"bold {palette.ACCENT}"),
            (f" {yes}     ", palette.DIM),
            ("n", f"bold {palette.ACCENT}"),
            (" back", palette.DIM),
        )

    def compose(self) -> ComposeResult:
        """Question and keys."""
        with Vertical():
            yield Static(self._text)
            yield Static("")
            yield Static(self._keys)

    def action_answer(self, answer: bool) -> None:
        """Leave."""
        self.dismiss(answer)


class Help(ModalScreen[None]):
    """The keys."""

    DEFAULT_CSS = (
        "Help {"
        + _CSS
        + """}
    Help > VerticalScroll {
        width: 58; max-width: 95%; height: auto; max-height: 95%; padding: 0 2;
        border: round $ludus-accent; background: $ludus-surface; color: $ludus-text;
        border-title-color: $ludus-accent; scrollbar-size-vertical: 1;
    }
    Help Static { background: $ludus-surface; }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,Q,question_mark,enter,space", "dismiss", "back"),
    ]

    def __init__(self, refresh_interval: float) -> None:
        """Prepare."""
        super().__init__()
        self._interval = refresh_interval

    def compose(self) -> ComposeResult:
        """A line a key."""
        text = Text()
        for key, what in KEYS:
            text.append(f"{key:<10}", style=f"bold {palette.ACCENT}")
            text.append(f"{what}\n", style=palette.TEXT)
        text.append(
            f"\nThe run is looked at every {self._interval:g} s. Upper case is lower case.\n"
            "Works on Linux and macOS terminals, tmux and SSH; on Windows in WSL.",
            style=palette.DIM,
        )
        with VerticalScroll() as box:
            box.border_title = "Keys"
            yield Static(text)
