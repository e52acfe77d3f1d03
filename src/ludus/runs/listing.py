"""What readers see of runs: nothing here locks, changes or waits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludus.errors import LudusError, RunError
from ludus.runs import layout
from ludus.runs.jsonio import strict_json
from ludus.runs.lock import Holder, lock_holder
from ludus.runs.objects import read_file
from ludus.runs.recovery import newest_readable
from ludus.runs.status import read_status

_SUMMARY_LIMIT = 64 << 20


@dataclass(frozen=True)
class RunSummary:
    """A run at a glance.

    Attributes:
        path: its directory.
        id, recipe, rules, seed: as at birth, rules by their id; None if no manifest can be read.
        sequence: number of the newest readable commit; None likewise.
        committed_ms: when that was, milliseconds since 1970.
        counters: at that commit.
        elapsed_seconds: worked on the run up to that commit.
        status: the status document; None if unknown.
        holder: who writes to the run now; None if nobody.
        error: why the run cannot be read; None if it can.
    """

    path: Path
    id: str | None
    recipe: str | None
    rules: str | None
    seed: int | None
    sequence: int | None
    committed_ms: int | None
    counters: dict[str, int]
    elapsed_seconds: float | None
    status: dict[str, Any] | None
    holder: Holder | None
    error: str | None = None

    @property
    def state(self) -> str:
        """One word: ``idle``, ``training``, ``paused``, ``done``, ``error``, ``dead``, ``unknown``.

        ``dead`` is a status of a process that is gone without having said so.
        """
        said = (self.status or {}).get("state")
        if not isinstance(said, str):
            return "unknown" if self.holder is None else "training"
        if said == "training" and self.holder is None:
            return "dead"
        return said


def describe_run(path: str | Path) -> RunSummary:
    """Look at one run. Raises RunError if it is no run directory."""
    run = layout.require_run(Path(path))
    status, holder = read_status(run), lock_holder(run)
    try:
        manifest = newest_readable(run)
    except LudusError as error:
        return RunSummary(
            run, None, None, None, None, None, None, {}, None, status, holder, error=str(error)
        )
    return RunSummary(
        path=run,
        id=manifest.run_id,
        recipe=manifest.recipe,
        rules=manifest.schema.ruleset_id,
        seed=manifest.seed,
        sequence=manifest.sequence,
        committed_ms=manifest.written_ms,
        counters=dict(manifest.counters),
        elapsed_seconds=manifest.elapsed_seconds,
        status=status,
        holder=holder,
    )


def list_runs(root: str | Path) -> list[RunSummary]:
    """The runs directly below `root`, by name; empty if there is no such directory."""
    try:
        found = sorted(path for path in Path(root).iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [describe_run(path) for path in found if layout.is_run(path)]


def read_summary(run: str | Path) -> dict[str, Any] | None:
    """``run.json``: the newest commit and the history of iterations; None if unknown.

    It is a copy for people and readers: a power cut may leave it behind or empty.
    """
    try:
        return strict_json(read_file(Path(run) / layout.SUMMARY, _SUMMARY_LIMIT), layout.SUMMARY)
    except (OSError, RunError):
        return None
