"""The committed replay of a run, read only and verified."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ludus.errors import CorruptError, RunError
from ludus.replay import GameRecords, ReplaySchema, ShardEntry, decode_shard
from ludus.runs import Run


class NoGamesError(RunError):
    """The run has recorded no game yet."""


class StoredReplay:
    """Game records of a run's newest commit.

    Attributes:
        run: open for reading.
        schema: what the records were made for.
        entries: shards, ascending.
        games_per_shard: games of a shard.
    """

    def __init__(self, path: Path) -> None:
        """Read the index.

        Raises:
            RunError: no run, or one without a replay.
            CorruptError: a damaged index.
        """
        self.run: Run = Run.open(path, write=False)
        objects = self.run.manifest.objects
        if "replay" not in objects:
            raise NoGamesError(f"{path} has no replay yet")
        files, index = self.run.get_index(objects["replay"])
        self._refs = {ref.path: ref for ref in files}
        self.schema: ReplaySchema = ReplaySchema(**index["schema"])
        self.entries: list[ShardEntry] = [ShardEntry(**entry) for entry in index["shards"]]
        self.games_per_shard = int(index["games_per_shard"])

    def tail(self) -> GameRecords:
        """Games that are in no shard yet."""
        arrays, _ = self.run.get_object(self.run.manifest.objects["tail"])
        return GameRecords(arrays)

    def shard(self, entry: ShardEntry) -> GameRecords:
        """Records of a shard, verified.

        Raises:
            CorruptError: it is not the one that the index names, or is gone.
        """
        read = self.run.store.read
        return decode_shard(
            self.schema, entry, read(self._refs[entry.name]), read(self._refs[entry.meta_name])
        )

    def find(self, game: int) -> GameRecords:
        """The record of one game.

        Raises:
            RunError: the replay does not have it (any more).
        """
        shards = [e for e in self.entries if e.index == game // self.games_per_shard]
        records = self.shard(shards[0]) if shards else self.tail()
        found = [i for i, number in enumerate(records.game_ids.tolist()) if number == game]
        if not found:
            raise RunError(
                f"game {game} is not in the committed replay of {self.run.path}: {self._kept()}"
            )
        return records.take(found)

    def _kept(self) -> str:
        first = self.entries[0].index * self.games_per_shard if self.entries else None
        ids = self.tail().game_ids
        if len(ids):
            low, high = int(ids.min()) if first is None else first, int(ids.max())
        elif self.entries:
            low, high = first or 0, (self.entries[-1].index + 1) * self.games_per_shard - 1
        else:
            return "it has no finished game yet"
        return f"it keeps games from {low} to {high}"

    def newest(self, games: int) -> GameRecords:
        """The newest games, by id.

        Raises:
            RunError: there is none.
        """
        parts = [self.tail()]
        count = len(parts[0])
        for entry in reversed(self.entries):
            if count >= games:
                break
            parts.append(self.shard(entry))
            count += entry.games
        records = GameRecords.concatenate(parts).sorted()
        records = records.slice(max(0, len(records) - games), len(records))
        if not len(records):
            raise NoGamesError(f"{self.run.path} has no finished game yet")
        return records


def newest_of(path: Path, games: int) -> tuple[StoredReplay, GameRecords]:
    """The newest games of a run that may be in training, which may drop a shard meanwhile.

    Raises:
        RunError: see :class:`StoredReplay`.
        CorruptError: a damaged shard.
    """
    try:
        replay = StoredReplay(path)
        return replay, replay.newest(games)
    except CorruptError:
        replay = StoredReplay(path)
        return replay, replay.newest(games)


def plies_of(record: GameRecords) -> list[Mapping[str, Any]]:
    """The plies of one game, each with its columns and its edges (visits, q, prior).

    Args:
        record: of exactly one game.
    """
    columns = record.columns
    ends = np.cumsum(columns["edges"].astype(np.int64))
    found: list[Mapping[str, Any]] = []
    for ply in range(int(columns["plies"][0])):
        edges = slice(int(ends[ply]) - int(columns["edges"][ply]), int(ends[ply]))
        found.append(
            {
                name: columns[name][ply].item()
                for name in (
                    "action",
                    "seat",
                    "kind",
                    "outcome",
                    "flags",
                    "rule",
                    "temperature",
                    "simulations",
                    "root_value",
                    "q_variance",
                )
            }
            | {name: columns[name][edges].tolist() for name in ("visits", "q", "prior")}
        )
    return found


def first_plies(record: GameRecords, plies: int) -> dict[str, Any]:
    """The columns of a game as they were before its decision number ``plies``, as in flight."""
    return cut_columns(record.columns, plies)


def cut_columns(columns: Mapping[str, Any], plies: int) -> dict[str, Any]:
    """The same of one game's columns."""
    edges = int(columns["edges"][:plies].astype(np.int64).sum())
    by_edge, by_game = ("visits", "q", "prior"), ("game_id", "seed", "opening")
    cut: dict[str, Any] = {}
    for name, column in columns.items():
        if name in by_game:
            cut[name] = column
        elif name == "plies":
            cut[name] = np.array([plies], column.dtype)
        elif name in ("returns", "scores", "seat_players"):
            cut[name] = np.zeros_like(column)
        else:
            cut[name] = column[: edges if name in by_edge else plies]
    return cut
