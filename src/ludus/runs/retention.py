"""Which checkpoints stay: policy objects that look at a list and name what may go."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Where = Literal["permanent", "cache"]


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint in a run's folders.

    Attributes:
        path: below the run directory.
        where: ``permanent`` (never removed by Ludus) or ``cache``.
        size: bytes.
        sequence: order of writing, counted over the whole run; -1 if the header is unreadable.
        unit: iterations (or other units) done; -1 if unknown.
        elo: rating, if it had one.
        error: why the header cannot be read, None if it can.
    """

    path: str
    where: Where
    size: int
    sequence: int
    unit: int
    elo: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Removal:
    """A checkpoint that was removed, or could not be.

    Attributes:
        path: below the run directory.
        size: bytes.
        error: why it could not be removed; None if it was.
        seconds: that it took.
    """

    path: str
    size: int
    error: str | None = None
    seconds: float = 0.0

    def as_fields(self) -> dict[str, Any]:
        """For an event: path, kind, bytes, megabytes with one decimal, seconds, error."""
        return {
            "path": self.path,
            "kind": "cache",
            "bytes": self.size,
            "megabytes": round(self.size / 1e6, 1),
            "seconds": round(self.seconds, 6),
            "error": self.error,
        }


class RetentionPolicy(Protocol):
    """Decides where a new checkpoint goes and which old ones go away."""

    def place(self, unit: int) -> bool:
        """Whether the checkpoint of this unit (1-based) is permanent."""
        ...

    def surplus(self, cache: Sequence[CheckpointEntry]) -> Sequence[CheckpointEntry]:
        """Of the cache, ordered from oldest to newest, those to be removed."""
        ...


@dataclass(frozen=True)
class KeepLast:
    """Nothing is permanent by itself; the newest `count` are kept."""

    count: int = 5

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"keep-last needs at least 1 checkpoint, not {self.count}")

    def place(self, unit: int) -> bool:
        """Never permanent."""
        return False

    def surplus(self, cache: Sequence[CheckpointEntry]) -> Sequence[CheckpointEntry]:
        """All but the newest `count`."""
        return cache[: -self.count]


@dataclass(frozen=True)
class Milestones:
    """Every `every`-th unit is permanent; the others are first in first out, `cache` of them."""

    every: int = 5
    cache: int = 4

    def __post_init__(self) -> None:
        if self.every < 1 or self.cache < 1:
            raise ValueError(f"milestones need every >= 1 and cache >= 1, not {self}")

    def place(self, unit: int) -> bool:
        """Units 5, 10, 15, ... with the default."""
        return unit % self.every == 0

    def surplus(self, cache: Sequence[CheckpointEntry]) -> Sequence[CheckpointEntry]:
        """All but the newest `cache`."""
        return cache[: -self.cache]


def apply_retention(
    run: Path,
    entries: Sequence[CheckpointEntry],
    policy: RetentionPolicy,
    *,
    protect: Collection[str] = (),
) -> list[Removal]:
    """Remove what the policy names. Permanent, unreadable and protected files are never touched.

    Args:
        run: the run directory.
        entries: all checkpoints, in any order.
        policy: what to keep.
        protect: paths that stay whatever the policy says.

    Returns: what was removed, and what could not be (which is no error).
    """
    cache = sorted(
        (entry for entry in entries if entry.where == "cache" and entry.error is None),
        key=lambda entry: entry.sequence,
    )
    removals: list[Removal] = []
    for entry in policy.surplus(cache):
        if entry.path in protect:
            continue
        started = time.monotonic()
        try:
            os.unlink(run / entry.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            removals.append(Removal(entry.path, entry.size, error.strerror or str(error)))
        else:
            seconds = time.monotonic() - started
            removals.append(Removal(entry.path, entry.size, seconds=seconds))
    return removals
