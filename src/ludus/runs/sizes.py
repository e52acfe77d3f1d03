"""How much disk a run takes, part by part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ludus.runs import layout

PARTS: dict[str, tuple[str, ...]] = {
    "replay": (layout.REPLAY,),
    "checkpoints": (layout.PERMANENT,),
    "cache": (layout.CACHE,),
    "models": (layout.MODELS,),
    "state": (layout.STATE, layout.MANIFESTS),
    "logs": (layout.LOGS,),
    "games": ("games",),
    "reports": ("reports",),
    "quarantine": (layout.QUARANTINE,),
}
"""Part -> folders of it; what lies elsewhere in the directory is ``other``."""


def part_sizes(run: str | Path) -> dict[str, int]:
    """Bytes of the files of a run by part, with ``other``; a live run may change meanwhile.

    Links are counted as links: what they point at is not the run's.
    """
    root = Path(run)
    sizes = dict.fromkeys((*PARTS, "other"), 0)
    folders = {folder: part for part, names in PARTS.items() for folder in names}
    for relative, size in _files(root):
        part = next(
            (part for folder, part in folders.items() if relative.startswith(f"{folder}/")), "other"
        )
        sizes[part] += size
    return sizes


def _files(root: Path) -> Iterator[tuple[str, int]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                size = os.lstat(path).st_size
            except OSError:
                continue  # removed while we look
            yield os.path.relpath(path, root), size
