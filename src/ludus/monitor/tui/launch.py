"""Trainings in the background: a session of their own, so that they outlive the monitor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import RunError

_LAST_BYTES = 4096


@dataclass
class Background:
    """A training that was started from here.

    Attributes:
        path: the run directory.
        log: where its output goes.
    """

    path: Path
    log: Path
    _process: subprocess.Popen[bytes]
    _told: bool = False

    def ended(self) -> str | None:
        """A sentence, once, when it has ended with a failure; None else."""
        code = self._process.poll()
        if code is None or self._told:
            return None
        self._told = True
        if code in (0, 3):
            return None
        return f"the training ended with code {code}: {last_line(self.log)}"

    @property
    def over(self) -> bool:
        """Whether it has ended and that was told."""
        return self._told


def last_line(log: Path) -> str:
    """The last line of a log that says something."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LAST_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "its log cannot be read"
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def start(path: Path, arguments: list[str]) -> Background:
    """Start ``ludus`` with arguments in a session of its own, its output in the run's logs.

    Args:
        path: the run directory; made if it is missing.
        arguments: of the command.

    Raises:
        RunError: it could not be started, or there is no place for its log.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    try:
        logs = path / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"background-{stamp}-{os.getpid()}.log"
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ludus.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise RunError(f"the training could not be started: {error.strerror or error}") from None
    return Background(path, log, process)
