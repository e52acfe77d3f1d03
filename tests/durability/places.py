"""Where the code under test lies, and how a process of its own is started with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ludus

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

SRC = Path(ludus.__file__).resolve().parents[1]
"""The folder that ``ludus`` is imported from: ``src``, or a copy with a seeded bug."""


def environment(**more: str) -> dict[str, str]:
    """For child processes: the same ``ludus``, ``tests`` importable, nobody's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUDUS_")}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join((str(SRC), str(ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def ludus_command(*arguments: str) -> list[str]:
    """The command ``ludus`` with these arguments."""
    return [sys.executable, "-m", "ludus.cli", *arguments]


def module_command(module: str, *arguments: str) -> list[str]:
    """A module of this suite as a process."""
    return [sys.executable, "-m", module, *arguments]
