"""Progress of long work on stderr: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ludus.cli.output import note

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_SECONDS = 5.0


class Work:
    """A piece of work of known size; use as a context manager.

    Args:
        title: what is being done.
        total: how many steps it has.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._bar: Progress | None = None
        self._told = time.monotonic()
        if sys.stderr.isatty():
            # Rich takes a tenth of a second to import: only where there is a bar.
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[about]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total, about="")

    def __enter__(self) -> Work:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, about: str = "") -> None:
        """Say how many steps are done, and a word on the result so far."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, about=about)
        elif time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            note(f"{self._title}: {done} of {self._total}{', ' if about else ''}{about}")
