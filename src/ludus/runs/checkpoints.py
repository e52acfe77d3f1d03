"""The checkpoints of a run: names, order, saving and retention."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ludus.errors import RunError
from ludus.logs import get_logger
from ludus.runs import layout
from ludus.runs.container import read_header, verify_checkpoint, write_checkpoint
from ludus.runs.manifest import Manifest
from ludus.runs.objects import SaveError, fsync_directory
from ludus.runs.retention import (
    CheckpointEntry,
    Removal,
    RetentionPolicy,
    Where,
    apply_retention,
)

_FOLDERS: tuple[tuple[Where, str], ...] = (
    ("permanent", layout.PERMANENT),
    ("cache", layout.CACHE),
)
_LOG = get_logger("runs.checkpoints")
_UNIT = re.compile(r"-iter(\d+)(?:-|\.)")


def checkpoint_name(
    start_date: str,
    recipe: str,
    parameters: int,
    unit: int,
    *,
    elo: float | None = None,
    version: int = 1,
    attempt: int = 1,
) -> str:
    """A name such as ``20261120-yatzy-v1-0.2M-iter005-elo1234.ckpt``.

    Args:
        start_date: day of the run's birth, YYYYMMDD, also after a resume.
        recipe: name of the recipe.
        parameters: number of weights; millions with one decimal, thousands under 0.1 million.
        unit: units done, 1-based.
        elo: with at least four digits; left out if None.
        version: of the recipe's network layout.
        attempt: from 2 on told apart at the end (``-2``): a name is never used twice.
    """
    size = f"{parameters / 1e6:.1f}M" if parameters >= 100_000 else f"{parameters / 1e3:.1f}K"
    rating = "" if elo is None else f"-elo{elo:04.0f}"
    again = "" if attempt == 1 else f"-{attempt}"
    return f"{start_date}-{recipe}-v{version}-{size}-iter{unit:03d}{rating}{again}.ckpt"


def _entry(run: Path, where: Where, relative: str) -> CheckpointEntry | None:
    try:
        size = os.lstat(run / relative).st_size
        meta = read_header(run / relative).meta
        sequence, unit, elo = int(meta["sequence"]), int(meta["unit"]), meta.get("elo")
        return CheckpointEntry(relative, where, size, sequence, unit, elo)
    except FileNotFoundError:
        return None
    except (RunError, KeyError, TypeError, ValueError) as error:
        match = _UNIT.search(relative)
        unit = int(match[1]) if match else -1
        return CheckpointEntry(relative, where, size, -1, unit, error=str(error))


def list_checkpoints(run: str | Path) -> list[CheckpointEntry]:
    """All checkpoints of a run from oldest to newest, by sequence number, never by file time.

    Those with an unreadable header come first, with the reason in ``error``.

    Raises: RunError: a folder cannot be listed now.
    """
    entries: list[CheckpointEntry] = []
    for where, folder in _FOLDERS:
        for name in layout.names_in(Path(run) / folder):
            if name.endswith(".ckpt") and not name.startswith("."):
                entry = _entry(Path(run), where, f"{folder}/{name}")
                if entry is not None:
                    entries.append(entry)
    return sorted(entries, key=lambda entry: (entry.sequence, entry.path))


def newest_valid_checkpoint(run: str | Path) -> CheckpointEntry | None:
    """The newest checkpoint that verifies as a whole; None if none does."""
    for entry in reversed(list_checkpoints(run)):
        if entry.error is None:
            try:
                verify_checkpoint(Path(run) / entry.path)
            except RunError:
                continue
            return entry
    return None


def _make_folder(path: Path) -> None:
    """Checkpoints are the user's to delete, and people delete the folder with them.

    Raises:
        SaveError, DurabilityError: the disk refused.
    """
    if path.is_dir():
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(f"could not make {path}: {error.strerror}") from error
    fsync_directory(path.parent)
    fsync_directory(path.parent.parent)


class Checkpoints:
    """Writes the checkpoints of a run; for the holder of its lock.

    Attributes:
        protected: paths that retention never removes; add what must stay (the best, for one).
    """

    def __init__(self, run: Path, *, run_id: str) -> None:
        self._run = run
        self._run_id = run_id
        self._unnamed: list[str] = []
        self._sequence: int | None = None
        self.protected: set[str] = set()

    def entries(self) -> list[CheckpointEntry]:
        """All checkpoints, from oldest to newest."""
        return list_checkpoints(self._run)

    def save(
        self,
        payload: Mapping[str, NDArray[Any]],
        meta: Mapping[str, Any],
        *,
        unit: int,
        where: Where,
        parameters: int,
        elo: float | None,
        manifest: Manifest,
        counters: Mapping[str, int],
        compress: int,
    ) -> CheckpointEntry:
        """Write a checkpoint; see ``Run.save_checkpoint``. Raises SaveError, DurabilityError."""
        if elo is not None and not math.isfinite(elo):
            _LOG.warning(f"a rating of {elo} is left out of the checkpoint", event="checkpoint")
            elo = None
        if self._sequence is None:
            self._sequence = max((entry.sequence for entry in self.entries()), default=-1)
        self._sequence += 1
        about = {
            "run_id": self._run_id,
            "recipe": manifest.recipe,
            "seed": manifest.seed,
            "start_date": manifest.start_date,
            "saved_ms": time.time_ns() // 1_000_000,
            "sequence": self._sequence,
            "unit": unit,
            "elo": elo,
            "parameters": parameters,
            "counters": dict(counters),
            "config_hash": manifest.config_hash,
            "git_hash": manifest.git_hash,
            "schema": manifest.schema.envelope(),
            "commit": manifest.sequence,
            "meta": dict(meta),
        }
        folder = dict(_FOLDERS)[where]
        _make_folder(self._run / folder)

        def name(attempt: int) -> str:
            return checkpoint_name(
                manifest.start_date,
                manifest.recipe,
                parameters,
                unit,
                elo=elo if where == "permanent" else None,
                attempt=attempt,
            )

        path = write_checkpoint(
            self._run / folder / name(1), payload, about, compress=compress, alternatives=name
        )
        entry = _entry(self._run, where, f"{folder}/{path.name}")
        if entry is None or entry.error is not None:
            reason = "it is missing" if entry is None else entry.error
            raise SaveError(f"the checkpoint just written to {path} cannot be read: {reason}")
        if where == "permanent":
            self._unnamed.append(entry.path)
        return entry

    def take_permanent(self) -> tuple[str, ...]:
        """Permanent checkpoints written since the last commit, for its manifest."""
        return tuple(self._unnamed)

    def committed(self) -> None:
        """Tell that a manifest names all of them."""
        self._unnamed.clear()

    def retain(self, policy: RetentionPolicy) -> list[Removal]:
        """Apply the policy; only after a save that succeeded."""
        return apply_retention(self._run, self.entries(), policy, protect=self.protected)
