"""The report at the end of every training, written where it can disturb nothing.

A process of its own writes it: the supervisor stays without torch and matplotlib, an own game's
drawing cannot take it down, and a report that takes too long can be ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ludus.runs import is_run

SECONDS = 60.0
"""After which the report is given up."""

_WITHOUT = (2, 3, 130)
"""Exit codes of a training that was refused, was paused, or was interrupted twice.

A pause frees the machine within 5 s; a report of a long run may take longer."""


def after_training(
    path: str | Path,
    code: int,
    say: Callable[[str], None],
    *,
    seconds: float = SECONDS,
    command: Sequence[str] | None = None,
) -> None:
    """Write the report of a run whose training has just ended; never fails.

    Args:
        path: the run directory.
        code: exit code of the training; nothing is written after 2, 3 and 130.
        say: takes one sentence: where the report is, or why there is none.
        seconds: time limit.
        command: writes the report; the real one by default.
    """
    run = Path(path)
    if code in _WITHOUT or not is_run(run):
        return
    asked = list(command or [sys.executable, "-m", "ludus.monitor.report"])
    try:
        done = subprocess.run(
            [*asked, str(run)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        say(f"ludus: the report was given up after {seconds:.0f} s; later: ludus report {run}")
        return
    except KeyboardInterrupt:
        say(f"ludus: the report was left out; later: ludus report {run}")
        return
    except OSError as error:
        say(f"ludus: the report could not be written: {error.strerror}")
        return
    if done.returncode == 0 and done.stdout.strip():
        say(f"report: {done.stdout.strip().splitlines()[-1]}")
        return
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    reason = lines[-1] if lines else f"exit code {done.returncode}"
    say(f"ludus: the report could not be written: {reason}")
