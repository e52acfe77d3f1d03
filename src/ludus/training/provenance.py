"""Which code made a run."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_hash() -> str | None:
    """Commit of the code, with ``+`` for uncommitted changes; None outside a repository."""
    here = Path(__file__).resolve().parent
    try:
        head = _git(here, "rev-parse", "HEAD")
        dirty = _git(here, "status", "--porcelain", "--untracked-files=no", "--", str(here.parent))
    except (OSError, subprocess.SubprocessError):
        return None
    if head is None:
        return None
    return f"{head}+" if dirty else head


def _git(here: Path, *arguments: str) -> str | None:
    done = subprocess.run(
        ["git", "-C", str(here), *arguments],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None
