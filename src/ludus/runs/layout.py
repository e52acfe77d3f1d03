"""Names in a run directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ludus.errors import RunError

MANIFESTS = "manifests"
STATE = "state"
REPLAY = "replay"
MODELS = "models"
LOGS = "logs"
CONTROL = "control"
QUARANTINE = "quarantine"
PERMANENT = "checkpoints/permanent"
CACHE = "checkpoints/cache"
LOCK = "run.lock"
CONFIG = "config.yaml"
RESOLVED = "config.resolved.yaml"
STATUS = "status.json"
SUMMARY = "run.json"
SIGNAL = "control.signal"
DRAFT = "config.draft.yaml"

SUBDIRECTORIES = (
    MANIFESTS,
    STATE,
    REPLAY,
    MODELS,
    LOGS,
    CONTROL,
    QUARANTINE,
    "checkpoints",
    PERMANENT,
    CACHE,
    "games",
    "reports",
)
"""Every directory of a run, parents first."""

FILES = (LOCK, CONFIG, RESOLVED, STATUS, SUMMARY, SIGNAL, DRAFT)
"""Every file at the top of a run."""

_MANIFEST = re.compile(r"^(\d{6,})\.json$")


def names_in(directory: Path) -> list[str]:
    """Names in a directory, in order; none if there is no such directory.

    Raises:
        RunError: it cannot be listed now, which says nothing about what is in it.
    """
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"{directory} cannot be listed: {error.strerror or error}") from error


def manifest_numbers(run: Path) -> list[int]:
    """Sequence numbers of the manifests on disk, ascending; empty if there is no run.

    Raises: RunError: they cannot be listed now.
    """
    names = names_in(run / MANIFESTS)
    return sorted(int(match[1]) for name in names if (match := _MANIFEST.fullmatch(name)))


def is_run(path: Path) -> bool:
    """Whether `path` holds at least one manifest."""
    return bool(manifest_numbers(path))


def require_run(path: Path) -> Path:
    """Return `path`, or raise RunError if it is no run directory."""
    if not path.is_dir():
        raise RunError(f"there is no run directory {path}")
    if not is_run(path):
        raise RunError(f"{path} is not a run directory: it holds no manifests/000001.json or later")
    return path


def swept_directories(run: Path) -> list[Path]:
    """The directories in which writers of this package leave temporary files when killed."""
    return [run, *(run / name for name in SUBDIRECTORIES)]
