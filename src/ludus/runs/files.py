"""What a run writes besides commits: objects, indexes, models, shards, checkpoints, logs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from ludus.errors import RunError
from ludus.logs import get_logger
from ludus.runs import layout, recovery
from ludus.runs.checkpoints import Checkpoints
from ludus.runs.counters import Counters
from ludus.runs.garbage import Collector
from ludus.runs.jsonio import pretty_json
from ludus.runs.lock import RunLock
from ludus.runs.logs import RunLogs
from ludus.runs.manifest import Manifest
from ludus.runs.ndjson import NdjsonLog
from ludus.runs.objects import ObjectRef, replace_file
from ludus.runs.retention import CheckpointEntry, Removal, RetentionPolicy
from ludus.runs.store import ObjectStore

_LOG = get_logger("runs")

Tensors = Mapping[str, NDArray[Any]]
"""Arrays by name: bool, int8..int64, uint8..uint64, float16..float64 (bfloat16 as uint16)."""


class RunFiles:
    """The part of :class:`ludus.runs.Run` that puts and gets files and keeps logs.

    What was put becomes part of the run with the next commit that names it, and is collected as
    garbage at the next start if none did.
    """

    def __init__(self, path: Path, manifest: Manifest, lock: RunLock | None) -> None:
        """Not for callers: use ``Run.create`` or ``Run.open``."""
        self.path = path
        self.manifest = manifest
        self.id = manifest.run_id
        self.schema = manifest.schema
        self.store = ObjectStore(path)
        self._lock = lock
        self.counters = Counters.from_dict(manifest.counters)
        self.iterations: list[dict[str, Any]] = self._read_iterations()
        self.checkpoints = Checkpoints(path, run_id=self.id)
        self._collector = Collector(path, self.store)
        self._logs = RunLogs(
            path,
            envelope={
                "run_id": self.id,
                "v": self.schema.envelope(),
                "git_hash": manifest.git_hash,
                "config_hash": manifest.config_hash,
            },
        )

    @property
    def writable(self) -> bool:
        """Whether this process holds the run's lock."""
        return self._lock is not None

    def _require_lock(self) -> None:
        if self._lock is None:
            raise RunError(
                f"{self.path} is open for reading only: open it with write=True to change it"
            )

    def _read_iterations(self) -> list[dict[str, Any]]:
        ref = self.manifest.objects.get("iterations")
        if ref is None:
            return []
        history = self.get_index(ref)[1].get("iterations", [])
        return [dict(entry) for entry in history]

    def rewind(self, to: Manifest, reason: str) -> None:
        """Go back to a commit in this process, as a restart would: it is the newest from now on.

        Commits made after it go to quarantine with what only they reach. Counters and history are
        those of the commit, logs are cut back to it (but ``events``, which tells what happened).
        Objects that were put since are garbage. The caller restores its own state afterwards and
        commits.

        Args:
            to: a commit of this run that verifies.
            reason: why, for the events.

        Raises: SaveError, DurabilityError: nothing of the run's own state has changed then but
            what went to quarantine; call it again.
        """
        self._require_lock()
        newer = [n for n in layout.manifest_numbers(self.path) if n > to.sequence]
        rejected = (recovery.rejected(self.path, n, reason) for n in reversed(newer))
        found = recovery.Found(to, tuple(rejected))
        for notice in recovery.settle(self.path, self.store, found):
            _LOG.warning(f"{self.path}: {notice}", event="notice")
            self.events.append_if_possible("notice", message=notice)
        self._logs.rewind(to)
        self.manifest = to
        self.counters = Counters.from_dict(to.counters)
        self.iterations = self._read_iterations()
        self._collector.pending.clear()

    def put_object(self, kind: str, payload: Tensors, meta: Mapping[str, Any]) -> ObjectRef:
        """Store arrays in ``state/``, named by their content; the same content is stored once.

        The file is flushed to the disk; its name is with the next commit.

        Args:
            kind: what it is, ``[a-z0-9_-]+``, e.g. ``learner`` or ``slots``.
            payload: arrays by name; may be empty.
            meta: JSON that goes with them.

        Raises: SaveError, DurabilityError.
        """
        self._require_lock()
        return self._collector.fresh(self.store.put_object(kind, payload, meta))

    def get_object(self, ref: ObjectRef) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON of an object or of a file stored by :meth:`put_tensors`, verified.

        Raises: CorruptError: missing, cut short or changed.
        """
        return self.store.get_object(ref)

    def put_index(
        self, kind: str, files: Iterable[ObjectRef], meta: Mapping[str, Any]
    ) -> ObjectRef:
        """Store a list of files (such as the shards of the replay) as one object in ``state/``.

        A manifest that names the index keeps and verifies every file on it. This is how any number
        of shards fits beside a manifest of at most 64 KB.
        """
        self._require_lock()
        return self._collector.fresh(self.store.put_index(kind, files, meta))

    def get_index(self, ref: ObjectRef) -> tuple[list[ObjectRef], dict[str, Any]]:
        """Files and JSON of an index, the index itself verified (its files are when read)."""
        return self.store.get_index(ref)

    def put_file(
        self,
        relative: str,
        data: bytes | Iterable[bytes],
        *,
        kind: str = "file",
        neighbour: Mapping[str, Any] | None = None,
    ) -> ObjectRef:
        """Store bytes under a new name of the caller's choice, such as ``games/000.pgn``.

        A file is never overwritten. If the name is taken by the same bytes, that file is used; if
        by others, left by a process that was killed before its commit, they go to quarantine.

        Args:
            relative: path below the run directory.
            data: the content, whole or in pieces.
            kind: what it is, for the reference.
            neighbour: if given, also written as ``<stem>.json`` with size and digest, for people.

        Raises:
            RunError: the name holds other bytes that a kept commit reaches.
            SaveError, DurabilityError: the disk refused.
        """
        self._require_lock()
        chunks = (data,) if isinstance(data, bytes) else data
        ref = self.store.put_named(relative, chunks, kind=kind, reachable=self._collector.reachable)
        return self._after_named(ref, neighbour)

    def put_tensors(
        self,
        relative: str,
        payload: Tensors,
        meta: Mapping[str, Any],
        *,
        kind: str,
        neighbour: Mapping[str, Any] | None = None,
    ) -> ObjectRef:
        """Like :meth:`put_file`, with arrays as plain safetensors; read by ``get_object``."""
        self._require_lock()
        ref = self.store.put_tensors(
            relative, payload, meta, kind=kind, reachable=self._collector.reachable
        )
        return self._after_named(ref, neighbour)

    def put_model(
        self,
        role: Literal["champion", "candidate"],
        unit: int,
        weights: Tensors,
        meta: Mapping[str, Any],
    ) -> ObjectRef:
        """Store weights as ``models/<role>-<unit, 6 digits>.safetensors`` with a ``.json`` beside.

        Name it ``champion`` or ``candidate`` among the objects of the next commit. Champions stay
        for ever; a candidate goes when no kept commit reaches it.
        """
        about = {"role": role, "unit": unit, "run_id": self.id, **self.schema.envelope(), **meta}
        return self.put_tensors(
            f"models/{role}-{unit:06d}.safetensors", weights, dict(meta), kind=role, neighbour=about
        )

    def put_shard(self, number: int, columns: Tensors, meta: Mapping[str, Any]) -> ObjectRef:
        """Store ``replay/shard_<number, 6 digits>.safetensors`` with its ``.json`` neighbour.

        Put it on the index given to the next commit; one that no kept commit reaches is removed.
        """
        about = {"number": number, "run_id": self.id, **self.schema.envelope(), **meta}
        return self.put_tensors(
            f"replay/shard_{number:06d}.safetensors",
            columns,
            {**self.schema.envelope(), **meta},
            kind="shard",
            neighbour=about,
        )

    def _after_named(self, ref: ObjectRef, neighbour: Mapping[str, Any] | None) -> ObjectRef:
        if neighbour is not None:
            # The neighbour is for people and never the source of truth, so it may be replaced.
            about = {**neighbour, "file": Path(ref.path).name, "bytes": ref.size}
            beside = (self.path / ref.path).with_suffix(".json")
            replace_file(beside, pretty_json({**about, "sha256": ref.sha256}), durable=False)
        return self._collector.fresh(ref)

    # -- checkpoints -------------------------------------------------------------------------

    def save_checkpoint(
        self,
        payload: Tensors,
        meta: Mapping[str, Any],
        *,
        unit: int,
        policy: RetentionPolicy,
        parameters: int,
        elo: float | None = None,
        permanent: bool | None = None,
        compress: int = 0,
    ) -> tuple[CheckpointEntry, list[Removal]]:
        """Write a checkpoint container for users, then let the retention policy remove old ones.

        Commit right after it: the manifest of a permanent checkpoint is kept as long as the file.

        Args:
            payload: weights, averaged weights, optimizer, ...: all that going on exactly needs.
            meta: JSON that goes with it.
            unit: iterations (or other units) done, 1-based; goes into the name.
            policy: decides folder and removals, e.g. ``KeepLast(5)`` or ``Milestones(5, 4)``.
            parameters: number of weights, for the name.
            elo: rating, for the name, only when there is one.
            permanent: overrides the policy's choice of folder (``ludus save`` gives True).
            compress: level of zstd, 1 to 19; 0 for none.

        Returns: the new entry, and what was removed.

        Raises: SaveError, DurabilityError.
        """
        self._require_lock()
        started = time.monotonic()
        entry = self.checkpoints.save(
            payload,
            meta,
            unit=unit,
            where="permanent"
            if (policy.place(unit) if permanent is None else permanent)
            else "cache",
            parameters=parameters,
            elo=elo,
            manifest=self.manifest,
            counters=self.counters.as_dict(),
            compress=compress,
        )
        told: dict[str, Any] = {
            "path": entry.path,
            "kind": entry.where,
            "bytes": entry.size,
            "seconds": round(time.monotonic() - started, 6),
            "unit": unit,
        }
        self.events.append("checkpoint_saved", **told)
        _LOG.info("checkpoint saved", event="checkpoint_saved", **told)
        removals = self.checkpoints.retain(policy)
        for removal in removals:
            if removal.error is not None:
                _LOG.warning(
                    f"could not remove {removal.path}: {removal.error}", event="removal_failed"
                )
            self.events.append("checkpoint_removed", **removal.as_fields())
            _LOG.info("checkpoint removed", event="checkpoint_removed", **removal.as_fields())
        return entry, removals

    # -- logs --------------------------------------------------------------------------------

    @property
    def metrics(self) -> NdjsonLog:
        """``logs/metrics.ndjson``: the truth about every measured number."""
        return self.log("metrics")

    @property
    def events(self) -> NdjsonLog:
        """``logs/events.ndjson``: what happened: saves, fallbacks, commands, guards."""
        return self.log("events")

    def log(self, name: str) -> NdjsonLog:
        """The log ``logs/<name>.ndjson`` (``roots``, ...), created when first asked for."""
        self._require_lock()
        return self._logs.get(name)
