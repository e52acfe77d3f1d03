"""The files ``logs/training_YYYYMMDD_HHMMSS.log`` of a run: new ones, and how many are kept."""

from __future__ import annotations

import faulthandler
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

LOGS_KEPT = 10
"""Newest logs of processes that stay in a run, the new one among them."""

_NAME = re.compile(r"training_(\d{8}_\d{6})(?:-(\d+))?\.log")


def new_log(directory: Path, *, now: datetime | None = None) -> Path:
    """Create the log of this process and remove the oldest ones.

    Args:
        directory: ``logs/`` of the run.
        now: time of its name, UTC; None for this moment.

    Returns: its path. Where two start within a second, the later one's name ends with ``-2``.

    Raises:
        OSError: it cannot be created.
    """
    stamp = f"{now or datetime.now(UTC):%Y%m%d_%H%M%S}"
    for number in range(1, 1000):
        again = "" if number == 1 else f"-{number}"
        path = directory / f"training_{stamp}{again}.log"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(path, flags, 0o644))
            break
        except FileExistsError:
            continue
    else:
        raise FileExistsError(f"{directory} has a thousand logs of {stamp}")
    others = sorted((one for one in directory.glob("training_*.log") if one != path), key=_age)
    for old in others[: max(0, len(others) - LOGS_KEPT + 1)]:
        old.unlink(missing_ok=True)
    return path


def _age(path: Path) -> tuple[str, int, str]:
    """Sorts by the time in the name; names of other forms are older than all."""
    match = _NAME.fullmatch(path.name)
    return ("", 0, path.name) if match is None else (match[1], int(match[2] or 1), path.name)


def redirect_stderr(path: Path) -> None:
    """Send stderr of this process, crashes of native code too, to a log.

    Args:
        path: appended to, whoever else does.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable(file=sys.stderr)
