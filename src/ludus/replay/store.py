"""The replay of a run: shards of fixed game ranges, an open tail, an index, pruning.

Shard k holds the games [k * games_per_shard, (k + 1) * games_per_shard), so its bytes never
depend on where commits or kills fell. Games of shards that are not complete yet are the tail,
which is part of the committed state.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ludus.errors import ConfigError, CorruptError, RunError, VersionError
from ludus.replay.records import Array, Columns, GameRecords
from ludus.replay.schema import ReplaySchema
from ludus.replay.shards import Load, Put, ShardEntry, decode_shard, encode_shard


class ReplayStore:
    """Collects finished games, writes shards, prunes, and gives the window to learn from."""

    def __init__(
        self,
        schema: ReplaySchema,
        seats: int,
        *,
        games_per_shard: int,
        capacity_shards: int | None = None,
        capacity_samples: int | None = None,
    ) -> None:
        """Begin empty.

        Args:
            schema: of all games to come.
            seats: of the game.
            games_per_shard: games of a shard; fixed for the life of the run.
            capacity_shards: keep the newest shards up to this number.
            capacity_samples: keep the newest shards up to this number of plies, at least one.

        Raises:
            ConfigError: a number out of range, or both capacities.
        """
        if games_per_shard < 1:
            raise ConfigError(f"replay.games_per_shard = {games_per_shard} must be at least 1")
        if capacity_shards is not None and capacity_samples is not None:
            raise ConfigError("give replay.capacity_shards or replay.capacity_samples, not both")
        for name, value in (("shards", capacity_shards), ("samples", capacity_samples)):
            if value is not None and value < 1:
                raise ConfigError(f"replay.capacity_{name} = {value} must be at least 1")
        self.schema = schema
        self.seats = seats
        self.games_per_shard = games_per_shard
        self.capacity_shards = capacity_shards
        self.capacity_samples = capacity_samples
        self._entries: list[ShardEntry] = []
        self._loaded: list[GameRecords] = []
        self._pruned: int = 0  # shards below this index are gone for ever
        self._open: list[GameRecords] = []  # games that no shard holds yet, as they came
        self._open_ids: set[int] = set()
        self._open_counts: Counter[int] = Counter()  # by the shard they will be in
        self._void: set[int] = set()  # games of open shards that will never come

    @property
    def games(self) -> int:
        """Games kept, tail included."""
        return sum(entry.games for entry in self._entries) + len(self._open_ids)

    @property
    def samples(self) -> int:
        """Plies kept, tail included."""
        return sum(entry.samples for entry in self._entries) + sum(
            part.samples for part in self._open
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the records in memory, tail included."""
        return sum(part.nbytes for part in (*self._loaded, *self._open))

    @property
    def entries(self) -> tuple[ShardEntry, ...]:
        """Shards kept, ascending."""
        return tuple(self._entries)

    @property
    def next_shard(self) -> int:
        """Index of the next shard to be written; never one that was used before."""
        return self._entries[-1].index + 1 if self._entries else self._pruned

    @property
    def tail(self) -> GameRecords:
        """Games that are not in a shard yet, by id."""
        if len(self._open) != 1:
            self._open = [GameRecords.concatenate(self._open, self.seats).sorted()]
        return self._open[0]

    def since(self, first: int) -> GameRecords:
        """Games from the number ``first`` on, by id, without joining the older ones."""
        parts = [part for part in self._loaded if len(part) and part.game_ids[-1] >= first]
        found = GameRecords.concatenate([*parts, self.tail], self.seats)
        return found.slice(int(np.searchsorted(found.game_ids, first)), len(found))

    def add(self, records: GameRecords | Columns) -> None:
        """Take finished games, in any order.

        Raises:
            CorruptError: columns that contradict each other.
            RunError: a game that the replay has or had already.
        """
        new = records if isinstance(records, GameRecords) else GameRecords(records)
        if not len(new):
            return
        closed = self.next_shard * self.games_per_shard
        ids = new.game_ids.tolist()
        fresh: set[int] = set()
        for game in ids:
            if game < closed or game in self._open_ids:
                raise RunError(f"game {game} is already in the replay")
            if game in fresh:
                raise RunError(f"game {game} is twice among the games for the replay")
            fresh.add(game)
        # Joined only when somebody looks: games trickle in a few at a time.
        self._open.append(new.sorted() if not self._open else new)
        self._open_ids |= fresh
        self._open_counts.update(game // self.games_per_shard for game in ids)

    def skip(self, games: Iterable[int]) -> None:
        """Do without games that their own rules ended: their shards are complete without them.

        Raises:
            RunError: a game that the replay has or had already.
        """
        for game in map(int, games):
            if game < self.next_shard * self.games_per_shard or game in self._open_ids:
                raise RunError(f"game {game} is already in the replay")
            if game not in self._void:
                self._void.add(game)
                self._open_counts[game // self.games_per_shard] += 1

    def flush(self, put: Put) -> list[ShardEntry]:
        """Write every shard that is complete, in order; the loop commits afterwards.

        Args:
            put: writes a file durably; called with the shard, then with its ``.meta.json``.

        Returns:
            Entries of the new shards.
        """
        written = []
        size = self.games_per_shard
        while self._open_counts[self.next_shard] == size:
            index, tail = self.next_shard, self.tail
            void = {game for game in self._void if game // size == index}
            records = tail.slice(0, size - len(void))
            entry, data, meta = encode_shard(self.schema, index, records)
            put(entry.name, data)
            put(entry.meta_name, meta)
            self._entries.append(entry)
            self._loaded.append(records)
            self._open = [tail.slice(len(records), len(tail))]
            self._void -= void
            self._open_ids -= set(records.game_ids.tolist())
            del self._open_counts[index]
            written.append(entry)
        return written

    def prune(self) -> dict[str, Any] | None:
        """Drop the oldest shards over the capacity; the newest by index stay.

        The files themselves go when no kept commit names them any more.

        Returns:
            The event ``replay_prune`` with counts before, after and deleted and the names of the
            shards dropped, or None if nothing was.
        """
        keep = len(self._entries)
        if self.capacity_shards is not None:
            keep = min(keep, self.capacity_shards)
        if self.capacity_samples is not None:
            total = keep = 0
            for entry in reversed(self._entries):
                total += entry.samples
                if total > self.capacity_samples and keep:
                    break
                keep += 1
        dropped = self._entries[: len(self._entries) - keep]
        if not dropped:
            return None
        before = {"shards": len(self._entries), "games": self.games, "samples": self.samples}
        self._pruned = dropped[-1].index + 1
        del self._entries[: len(dropped)]
        del self._loaded[: len(dropped)]
        return {
            "event": "replay_prune",
            "before": before,
            "after": {"shards": keep, "games": self.games, "samples": self.samples},
            "deleted": {
                "shards": len(dropped),
                "games": sum(entry.games for entry in dropped),
                "samples": sum(entry.samples for entry in dropped),
                "names": [entry.name for entry in dropped],
            },
        }

    @property
    def played(self) -> int:
        """Games taken since the run's birth, those that were pruned included."""
        return self.next_shard * self.games_per_shard + len(self._open_ids)

    def window(self, games: int | None = None) -> GameRecords:
        """Games to learn from, by id; a frozen snapshot that later calls do not change.

        Args:
            games: the newest so many (all, if there are fewer); None for all that are kept.
        """
        parts = [*self._loaded, self.tail]
        if games is not None:
            spare = max(0, self.games - games)
            while spare and spare >= len(parts[0]):
                spare -= len(parts.pop(0))
            parts[0] = parts[0].slice(spare, len(parts[0])) if spare else parts[0]
        return GameRecords.concatenate(parts, self.seats)

    def index(self) -> dict[str, Any]:
        """The index as a JSON object: schema, settings and digests of all shards."""
        return {
            "schema": self.schema.as_json(),
            "seats": self.seats,
            "games_per_shard": self.games_per_shard,
            "next_shard": self.next_shard,
            "shards": [entry.as_json() for entry in self._entries],
            "void": sorted(self._void),
        }

    def snapshot(self) -> dict[str, Any]:
        """What the replay holds, for the record of an iteration, as a JSON object.

        ``digest`` covers every shard and the tail: equal digests mean equal data.
        """
        tail = self.tail.digest()
        text = json.dumps([self.index(), tail], sort_keys=True)
        return {
            "shards": [entry.index for entry in self._entries],
            "tail_games": len(self.tail),
            "total_games": self.games,
            "total_samples": self.samples,
            "digest": hashlib.sha256(text.encode()).hexdigest(),
        }

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Arrays (the tail) and JSON (the index) that :meth:`restore` needs beside the shards."""
        return dict(self.tail.columns), self.index()

    @classmethod
    def restore(
        cls,
        schema: ReplaySchema,
        arrays: Mapping[str, Array],
        meta: Mapping[str, Any],
        load: Load,
        *,
        games_per_shard: int,
        capacity_shards: int | None = None,
        capacity_samples: int | None = None,
    ) -> ReplayStore:
        """The replay of a commit.

        Args:
            schema: that this run needs.
            arrays: tail, as of :meth:`state`.
            meta: index, as of :meth:`state`.
            load: reads a shard or its neighbour by name.
            games_per_shard: must be that of the run.
            capacity_shards: may have changed since; acts at the next :meth:`prune`.
            capacity_samples: likewise.

        Raises:
            VersionError: another schema or games_per_shard, both named.
            CorruptError: a shard that is not the one the index names.
        """
        schema.require(meta.get("schema"), "index")
        if meta["games_per_shard"] != games_per_shard:
            raise VersionError(
                f"replay index has games_per_shard {meta['games_per_shard']}, "
                f"but this run needs {games_per_shard}"
            )
        store = cls(
            schema,
            int(meta["seats"]),
            games_per_shard=games_per_shard,
            capacity_shards=capacity_shards,
            capacity_samples=capacity_samples,
        )
        for document in meta["shards"]:
            entry = ShardEntry(**document)
            records = decode_shard(schema, entry, load(entry.name), load(entry.meta_name))
            if (len(records), records.samples) != (entry.games, entry.samples):
                raise CorruptError(f"{entry.name} does not hold what the replay index says")
            store._entries.append(entry)
            store._loaded.append(records)
        store._pruned = int(meta["next_shard"])
        store.add(arrays)
        store.skip(meta.get("void", ()))
        return store
