"""The file of a ladder: ``reports/ladder.json`` of a run, with a lock of its own.

The run's lock belongs to the trainer, and a ladder must work while it trains: it reads the run and
writes this one file, whole, after each batch of games. A second ladder of the same run is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ludus import reading
from ludus.arena.pairings import ResultTable, quarters_scores
from ludus.errors import CorruptError, RunError, RunLockedError, VersionError
from ludus.runs import SaveError, replace_file

SCHEMA = "ludus_ladder_v1"
"""Identifier of the file format."""

FILE = "reports/ladder.json"
LOCK = "reports/ladder.lock"
_TRIES = 3
_FILE_LIMIT = 64 << 20


@dataclass
class LadderEntry:
    """A player of a ladder.

    Attributes:
        key: see :class:`ludus.players.identity.Identity`.
        label: what people read; unique in the file.
        kind: ``champion``, ``anchor`` or ``given``.
        unit: of a champion; None for others.
        weights: SHA-256 of its weights; None without any.
    """

    key: str
    label: str
    kind: str
    unit: int | None = None
    weights: str | None = None


@dataclass
class LadderPairing:
    """What two players of a ladder played, from the view of a.

    Attributes:
        a, b: keys, a < b.
        quarters: score of each pair that counts, one character each (``quarters_text``).
        seeds: seeds used so far; the next pair takes the next one.
        games, distinct_games: played, and different among those of a batch, summed over batches.
        copies: pairs that were played but are copies of one that counts.
        exhausted: nothing new can come: a game without chance between two that never vary.
        seconds: time that the games took.
    """

    a: str
    b: str
    quarters: str = ""
    seeds: int = 0
    games: int = 0
    distinct_games: int = 0
    copies: int = 0
    exhausted: bool = False
    seconds: float = 0.0


@dataclass
class LadderDocument:
    """The content of the file.

    Attributes:
        run_id, game, rules_id: whose ladder it is.
        seed: from which all seeds follow.
        players: by key.
        pairings: by both keys.
        ratings: the table as it was printed last, for readers.
    """

    run_id: str
    game: str
    rules_id: str
    seed: int
    players: dict[str, LadderEntry] = field(default_factory=dict)
    pairings: dict[tuple[str, str], LadderPairing] = field(default_factory=dict)
    ratings: Mapping[str, Any] | None = None

    def pairing(self, a: str, b: str) -> LadderPairing:
        """The pairing of two keys, in either order; made when it is new."""
        first, second = sorted((a, b))
        return self.pairings.setdefault((first, second), LadderPairing(first, second))

    def table(self) -> ResultTable:
        """All results by label."""
        table = ResultTable()
        for pairing in self.pairings.values():
            if pairing.quarters:
                a, b = self.players[pairing.a].label, self.players[pairing.b].label
                table.add_pairs(a, b, quarters_scores(pairing.quarters))
        return table

    def enter(self, entry: LadderEntry) -> LadderEntry:
        """Add a player, or find it; its label is made different from those of all others."""
        known = self.players.get(entry.key)
        if known is not None:
            return known
        if any(other.label == entry.label for other in self.players.values()):
            entry.label = f"{entry.label}#{entry.key[:6]}"
        self.players[entry.key] = entry
        return entry

    def as_json(self) -> dict[str, Any]:
        """The content as JSON."""
        return {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "game": self.game,
            "rules_id": self.rules_id,
            "seed": self.seed,
            "updated_ms": time.time_ns() // 1_000_000,
            "players": [asdict(entry) for entry in self.players.values()],
            "pairings": [asdict(pairing) for pairing in self.pairings.values()],
            "ratings": self.ratings,
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> LadderDocument:
        """The inverse of :meth:`as_json`.

        Raises:
            VersionError: another schema.
            CorruptError: fields that are missing or contradict each other.
        """
        schema = data.get("schema") if isinstance(data, dict) else None
        if schema != SCHEMA:
            raise VersionError(f"{where} has schema {schema!r}, but this program reads {SCHEMA!r}")
        try:
            found = cls(
                str(data["run_id"]), str(data["game"]), str(data["rules_id"]), int(data["seed"])
            )
            found.players = {one["key"]: LadderEntry(**one) for one in data["players"]}
            for one in data["pairings"]:
                pairing = LadderPairing(**one)
                quarters_scores(pairing.quarters)
                if not {pairing.a, pairing.b} <= set(found.players) or pairing.a >= pairing.b:
                    raise ValueError("a pairing of unknown players")
                if pairing.seeds != len(pairing.quarters) + pairing.copies:
                    raise ValueError("a pairing whose pairs and seeds do not agree")
                found.pairings[pairing.a, pairing.b] = pairing
            texts = [one for entry in found.players.values() for one in (entry.key, entry.label)]
            if not all(isinstance(text, str) for text in texts):
                raise ValueError("a player whose key or label is no text")
            if len({entry.label for entry in found.players.values()}) < len(data["players"]):
                raise ValueError("two players with the same key or label")
            found.ratings = data["ratings"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptError(f"{where} is no ladder: {error}") from error
        return found


class LadderFile:
    """A run's ladder, locked for this process until :meth:`close`.

    Args:
        run: the run directory.

    Raises:
        RunError: no run directory, or one that cannot be written to.
        RunLockedError: another process has the ladder.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / FILE
        try:
            self.path.parent.mkdir(exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._lock = os.open(run / LOCK, flags, 0o644)
        except OSError as error:
            raise RunError(f"{run / LOCK} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = -1
            raise RunLockedError(
                f"another ladder of {run} is being played: wait for its end, or stop it"
            ) from error

    def load(self, *, run_id: str, game: str, rules_id: str, seed: int) -> LadderDocument:
        """What was stored, or an empty ladder with that seed.

        Raises:
            VersionError: made by another version, or under other rules.
            CorruptError: damaged.
            RunError: the ladder of another run.
        """
        try:
            data = reading.parse_json(reading.read_regular(self.path, _FILE_LIMIT))
        except FileNotFoundError:
            return LadderDocument(run_id, game, rules_id, seed)
        except OSError as error:
            raise RunError(f"{self.path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise CorruptError(
                f"{self.path} is no JSON ({error}): move it away to begin a new ladder"
            ) from error
        found = LadderDocument.from_json(data, str(self.path))
        if found.run_id != run_id:
            raise RunError(f"{self.path} belongs to run {found.run_id}, but this is run {run_id}")
        if found.rules_id != rules_id:
            raise VersionError(
                f"{self.path} was played under rules {found.rules_id}, but this program has "
                f"{rules_id}: move it away to begin a new ladder"
            )
        return found

    def store(self, document: LadderDocument) -> None:
        """Replace the file in one step.

        Raises:
            SaveError: the disk refused.
        """
        data = (json.dumps(document.as_json(), indent=1, allow_nan=False) + "\n").encode()
        for attempt in range(_TRIES):
            try:
                replace_file(self.path, data, durable=True)
                return
            except SaveError:
                # A trainer that starts sweeps temporary files of dead writers, this one's too.
                if attempt == _TRIES - 1:
                    raise

    def close(self) -> None:
        """Give the lock back. May be called twice."""
        if self._lock >= 0:
            descriptor, self._lock = self._lock, -1
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> LadderFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def finite(value: Any) -> Any:
    """JSON without NaN and infinity: they become null."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
