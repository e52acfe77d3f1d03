"""The application: which screen is shown, signals, and what outlives a screen."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from ludus.monitor.tui import palette
from ludus.monitor.tui.dashboard import LOOK_BUDGET, Dashboard
from ludus.monitor.tui.launch import Background
from ludus.monitor.tui.words import plain
from ludus.monitor.view import RunReader, RunView


class MonitorApp(App[None]):
    """Dashboard, run picker and form of settings."""

    TITLE = "Ludus"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,Q", "leave", "quit"),
        Binding("ctrl+c,ctrl+q", "leave", "quit", priority=True),
    ]

    def __init__(self, run: Path | None, root: Path, refresh_interval: float = 5.0) -> None:
        """Prepare.

        Args:
            run: directory of a run; None to choose one below `root`.
            root: folder of runs.
            refresh_interval: seconds between two looks.
        """
        super().__init__()
        self.root = root
        self.refresh_interval = refresh_interval
        self.background: list[Background] = []
        self.last_view: RunView | None = None
        self._run = run

    def get_css_variables(self) -> dict[str, str]:
        """The colours of the palette, for style sheets."""
        return {
            **super().get_css_variables(),
            "ludus-background": palette.BACKGROUND,
            "ludus-surface": palette.SURFACE,
            "ludus-line": palette.LINE,
            "ludus-text": palette.TEXT,
            "ludus-dim": palette.DIM,
            "ludus-accent": palette.ACCENT,
            "ludus-warn": palette.WARN,
            "ludus-bad": palette.BAD,
        }

    def on_mount(self) -> None:
        """Signals end the monitor in an orderly way; the first screen is shown."""
        self.animation_level = "none"
        loop = asyncio.get_running_loop()
        if not self.is_headless:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._signalled, number)
        if self._run is not None:
            self.open_run(self._run)
        else:
            self.choose_run()

    def _signalled(self, number: int) -> None:
        self.exit(return_code=0 if number == signal.SIGINT else 128 + number)

    def action_leave(self) -> None:
        """End the monitor; the training goes on."""
        self.exit(return_code=0)

    @property
    def dashboard(self) -> Dashboard | None:
        """The dashboard that is open, also below another screen."""
        return next(
            (one for one in reversed(self.screen_stack) if isinstance(one, Dashboard)), None
        )

    def open_run(self, path: Path) -> None:
        """Show the dashboard of a run in the place of all other screens."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(Dashboard(RunReader(path, LOOK_BUDGET), self.refresh_interval))

    def choose_run(self) -> None:
        """Show the runs."""
        from ludus.monitor.tui.picker import Picker

        self.push_screen(Picker(self.root, self.refresh_interval))

    def edit(self, path: Path | None, view: RunView | None) -> None:
        """Show the settings of a run; of a new one without a path."""
        from ludus.monitor.tui.form import Form

        self.push_screen(Form(path, view))

    def background_news(self) -> list[str]:
        """Trainings started from here that failed since last asked, as sentences."""
        news = [sentence for one in self.background if (sentence := one.ended()) is not None]
        self.background = [one for one in self.background if not one.over]
        return news


def run_app(run: Path | None, root: Path, refresh_interval: float) -> int:
    """Show the monitor until somebody leaves it; returns the exit code."""
    for name in ("COLUMNS", "LINES"):  # exported by some programs, they would outdo a resize
        os.environ.pop(name, None)
    app = MonitorApp(run, root, refresh_interval)
    app.run(mouse=False)
    view = app.last_view
    if view is not None and view.alive:
        sys.stderr.write(f"the training goes on: {plain(view.path)}\n")
    return app.return_code or 0
