"""Where lines go: a file that native code may share, and a console."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from ludus.logs import forms
from ludus.logs.storm import Key, StormLimit

_STYLES = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red"}


class BoundedHandler(logging.Handler):
    """Writes lines within a :class:`StormLimit`. Logging never raises: what fails is counted.

    Attributes:
        json_output: one JSON object a line.
        failures: lines that could not be written.
    """

    def __init__(self, *, json_output: bool, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.json_output = json_output
        self.failures = 0
        self._limit = StormLimit()
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it."""
        try:
            now = self._clock()
            key = (record.levelno, record.name, record.getMessage())
            left_out = self._limit.take(key, now)
            for counted, number in self._limit.due(now):
                self._line(_summary(counted, number))
            if left_out is None:
                return
            line = forms.entry(record)
            if left_out:
                line["suppressed"] = left_out
            self._line(line)
        except Exception:  # noqa: BLE001 - a fault of a log must not become one of the run
            self.failures += 1

    def _line(self, line: dict[str, Any]) -> None:
        self.write(forms.as_json(line) if self.json_output else forms.as_text(line), line)

    def write(self, text: str, line: dict[str, Any]) -> None:
        """Write one line (without its newline). Errors may be raised; :meth:`emit` counts them."""
        raise NotImplementedError

    def finish(self) -> None:
        """Tell what is still counted, and close."""
        try:
            for counted, number in self._limit.due(self._clock(), end=True):
                self._line(_summary(counted, number))
        except Exception:  # noqa: BLE001 - see emit()
            self.failures += 1
        self.close()


def _summary(key: Key | None, number: int) -> dict[str, Any]:
    level, name, message = (logging.WARNING, "ludus.logs", "") if key is None else key
    record = logging.LogRecord(name, level, "", 0, "", (), None)
    what = "of many different lines" if key is None else f"more of: {message}"
    return {
        **forms.entry(record),
        "event": "suppressed",
        "message": f"left out {number} {what}",
        "suppressed": number,
    }


class FileHandler(BoundedHandler):
    """Appends whole lines, one ``write`` each: what others append to the same file stays whole."""

    def __init__(
        self, path: Path, *, json_output: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open for appending; the file is created if need be. Raises OSError."""
        super().__init__(json_output=json_output, clock=clock)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)

    def write(self, text: str, line: dict[str, Any]) -> None:
        """Append."""
        os.write(self._descriptor, (text + "\n").encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        super().close()


class ConsoleHandler(BoundedHandler):
    """Lines on stderr: in colours by rich on a terminal, plain elsewhere and where rich fails."""

    def __init__(self, *, json_output: bool, stream: TextIO | None = None) -> None:
        """Prepare.

        Args:
            json_output: one JSON object a line.
            stream: where to; None for whatever ``sys.stderr`` is at the time of a line.
        """
        super().__init__(json_output=json_output)
        self._stream = stream

    def write(self, text: str, line: dict[str, Any]) -> None:
        """Show."""
        stream = self._stream or sys.stderr
        if self.json_output or not stream.isatty() or not self._rich(stream, text, line):
            stream.write(text + "\n")
            stream.flush()

    def _rich(self, stream: TextIO, text: str, line: dict[str, Any]) -> bool:
        """Show in colours; False where that cannot be done."""
        try:
            from rich.console import Console
            from rich.text import Text

            shown = Text(text)
            shown.stylize("dim", 0, len(line["timestamp"]))
            begin = len(line["timestamp"]) + 1
            style = _STYLES.get(line["level"], "")
            shown.stylize(style, begin, begin + len(line["level"]))
            Console(file=stream, highlight=False, soft_wrap=True).print(shown)
        except Exception:  # noqa: BLE001 - without rich, or on a terminal it cannot handle
            return False
        return True
