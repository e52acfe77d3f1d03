"""Loggers and their configuration. structlog is imported with the first line that is written."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from ludus.logs import forms
from ludus.logs.handlers import BoundedHandler, ConsoleHandler, FileHandler

_ROOT = "ludus"


class Level(StrEnum):
    """How much a line matters; a level writes its own lines and those of all that follow."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level of Python's ``logging``."""
        return {"debug": 10, "info": 20, "warning": 30, "error": 40}[self.value]


class Logger:
    """Logs for one component. Costs nothing to make; never raises when it logs."""

    def __init__(self, component: str) -> None:
        """Take the component's label, such as ``runs`` or ``training.gate``."""
        self.component = component
        self._std = logging.getLogger(f"{_ROOT}.{component}")

    def debug(self, message: str, **fields: Any) -> None:
        """Log what helps to find a fault. See :meth:`log`."""
        self._log(Level.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """Log what went as it should. See :meth:`log`."""
        self._log(Level.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Log what went wrong and is dealt with. See :meth:`log`."""
        self._log(Level.WARNING, message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Log what went wrong for good. See :meth:`log`."""
        self._log(Level.ERROR, message, fields)

    def log(self, message: str, level: Level | str = Level.INFO, **fields: Any) -> None:
        """Write a line if its level is written.

        Args:
            message: a sentence for people; its control characters are written out.
            level: a :class:`Level` or its name in any case.
            fields: data, best JSON. Two have a meaning: ``event``, the type of the line for
                programs (``[a-z][a-z0-9_]*``), and ``exception``, whose traceback goes below.

        Raises:
            ValueError: there is no such level.
        """
        self._log(Level(level.lower()), message, fields)

    def _log(self, level: Level, message: str, fields: dict[str, Any]) -> None:
        if not self._std.isEnabledFor(level.number):
            return
        _console_if_none()
        _bound(self._std.name).log(level.number, message, ludus=fields)


def get_logger(component: str) -> Logger:
    """A logger for a component of Ludus.

    Args:
        component: its label, dotted from the room down: ``runs``, ``training.gate``.
    """
    return Logger(component)


@lru_cache
def _bound(name: str) -> Any:
    """The logger of structlog over the one of Python's ``logging`` with that name."""
    import structlog

    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.contextvars.merge_contextvars, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    ).bind()


def _to_record(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """Make of structlog's event what a stdlib record needs: its message is whole without us."""
    message = str(event.pop("event"))
    given = event.pop("ludus")
    fields = {**event, **given}  # what contextvars bind, then what the line says
    raised = fields.pop("exception", None)
    exc_info = (
        (type(raised), raised, raised.__traceback__) if isinstance(raised, BaseException) else None
    )
    # Without arguments there is no formatting: a percent sign is one.
    return (message,), {"extra": {forms.FIELDS: fields}, "exc_info": exc_info}


_handlers: list[BoundedHandler] = []
_default: list[BoundedHandler] = []


def _console_if_none() -> None:
    """Nobody has configured anything: warnings go to stderr."""
    if not (logging.getLogger().handlers or logging.getLogger(_ROOT).handlers):
        handler = ConsoleHandler(json_output=False)
        _default.append(handler)
        logging.getLogger(_ROOT).addHandler(handler)


def configure(
    level: Level | str = Level.INFO,
    *,
    json_output: bool = False,
    file: Path | None = None,
    console: bool = True,
    stream: TextIO | None = None,
) -> None:
    """Say where lines go from now on; what was configured before ends.

    Warnings of other libraries that use Python's ``logging`` or ``warnings`` go there too.

    Args:
        level: least that is written.
        json_output: one JSON object a line instead of text.
        file: appended to; None for no file.
        console: whether lines are shown on stderr.
        stream: instead of stderr.

    Raises:
        OSError: the file cannot be opened.
    """
    handlers: list[BoundedHandler] = []
    if file is not None:
        handlers.append(FileHandler(file, json_output=json_output))
    if console:
        handlers.append(ConsoleHandler(json_output=json_output, stream=stream))
    close()
    for handler in handlers:
        _handlers.append(handler)
        logging.getLogger().addHandler(handler)
    set_level(level)
    logging.captureWarnings(file is not None)


def to_file() -> bool:
    """Whether lines go to a file now."""
    return any(isinstance(handler, FileHandler) for handler in _handlers)


def set_level(level: Level | str) -> None:
    """Change the least level that is written, while running.

    Raises:
        ValueError: there is no such level.
    """
    logging.getLogger(_ROOT).setLevel(Level(level.lower()).number)


def set_json_output(json_output: bool) -> None:
    """Change the form of lines, while running."""
    for handler in _handlers:
        handler.json_output = json_output


def close() -> None:
    """Tell what was left out, close the file and stop writing. May be called twice."""
    for handler in _handlers:
        logging.getLogger().removeHandler(handler)
        handler.finish()
    _handlers.clear()
    for handler in _default:
        logging.getLogger(_ROOT).removeHandler(handler)
        handler.finish()
    _default.clear()
    logging.getLogger(_ROOT).setLevel(logging.NOTSET)
    logging.captureWarnings(False)


def _to_stderr(component: str, message: str, level: str) -> None:
    record = logging.LogRecord(
        f"{_ROOT}.{component}", Level(level).number, "", 0, message, (), None
    )
    sys.stderr.write(forms.as_text(forms.entry(record)) + "\n")
    sys.stderr.flush()


def log_error_to_stderr(component: str, message: str) -> None:
    """A line on stderr whatever is configured, with neither structlog nor rich imported."""
    _to_stderr(component, message, "error")


def log_warning_to_stderr(component: str, message: str) -> None:
    """A line on stderr whatever is configured, with neither structlog nor rich imported."""
    _to_stderr(component, message, "warning")


def log_info_to_stderr(component: str, message: str) -> None:
    """A line on stderr whatever is configured, with neither structlog nor rich imported."""
    _to_stderr(component, message, "info")
