"""The folders of a run's reports: ``reports/<UTC time>-<commit>/``."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

KEPT = 10
"""So many reports of a run are kept."""

_NAME = re.compile(r"^\d{8}T\d{6}Z-\d+(?:-\d+)?$")


def report_folders(reports: Path) -> list[Path]:
    """The folders of reports, from oldest to newest; foreign names are left alone."""
    try:
        names = sorted(os.listdir(reports))
    except OSError:
        return []
    return [
        reports / name
        for name in names
        if _NAME.fullmatch(name) and (reports / name).is_dir() and not (reports / name).is_symlink()
    ]


def remove_old_reports(reports: Path, keep: int = KEPT) -> list[str]:
    """Remove all but the newest reports; what cannot be removed stays. Returns their names."""
    removed = []
    for folder in report_folders(reports)[:-keep]:
        try:
            shutil.rmtree(folder)
        except OSError:
            continue
        removed.append(folder.name)
    return removed
