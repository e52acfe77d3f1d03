"""One training job and its directory: create, open, save, commit, resume.

A loop uses it like this::

    run = Run.open(path, write=True)     # takes the lock, picks the newest commit that verifies
    tensors, meta = run.get_object(run.manifest.objects["learner"])
    ...
    for command in run.control.poll():          # between units
        obey(command)
        run.control.done(command)
    run.status.write({"state": "training", "phase": "selfplay"})
    run.metrics.append("train_step", step=1200, loss_total=0.7)
    run.counters.add("games", 64)
    if run.cadence.due():
        run.save(commit_everything, required=False)   # put_object(...)s, then run.commit(...)
    run.close()

Nothing that was put is durable progress before :meth:`Run.commit` returns; a crash at any instant
leaves the run at the commit before or at the one being made.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ludus.errors import CorruptError, RunError
from ludus.logs import get_logger
from ludus.runs import birth, layout, recovery
from ludus.runs.control import ControlReader
from ludus.runs.files import RunFiles
from ludus.runs.jsonio import pretty_json
from ludus.runs.lock import RunLock
from ludus.runs.manifest import Manifest, manifest_name, read_manifest
from ludus.runs.objects import (
    ObjectRef,
    SaveError,
    fsync_directory,
    replace_file,
    sweep_temporary_files,
)
from ludus.runs.saving import CommitCadence, SaveHistory, SavePolicy, Space
from ludus.runs.schema import SchemaIds
from ludus.runs.status import StatusWriter
from ludus.runs.store import ObjectStore

_LOG = get_logger("runs")
_Result = TypeVar("_Result")


class Run(RunFiles):
    """A run directory, open for reading, or for writing under its lock.

    Attributes:
        path: the directory.
        id: the run's id, in every manifest, log record and checkpoint.
        manifest: the commit that the run stands at (the newest one that verifies). Its ``progress``
            is empty and ``sequence`` is 1 right after :meth:`create` (see :attr:`fresh`).
        config: the resolved configuration as it was when the run was created. Settings changed at
            run time belong into ``progress``; this stays.
        schema: the ids of encoder, action space and rules.
        counters: owner of all counters; restored on resume, stored by each commit.
        iterations: history of iterations (JSON dictionaries), restored on resume, stored by each
            commit; append to it and edit its last entry freely.
        incarnation: id of this process's turn with the run; new at each ``open(write=True)``.
        notices: sentences about what resume found wrong and did (fallback, cut log tails, stale
            commands); tell the user all of them. They were logged and written as events already.
        control, status, checkpoints, cadence, policy, saves: see the classes; only with
            ``write=True``.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        *,
        lock: RunLock | None,
        notices: list[str],
        policy: SavePolicy | None = None,
    ) -> None:
        """Not for callers: use :meth:`create` or :meth:`open`."""
        super().__init__(path, manifest, lock)
        self._seconds_before = manifest.elapsed_seconds
        self.notices = notices
        self.incarnation = secrets.token_hex(6)
        self.policy = policy or SavePolicy()
        self.cadence = CommitCadence()
        self.config: dict[str, Any] = birth.read_config(path, manifest)
        self.control = ControlReader(path, on_refused=self._refused_command)
        self.status = StatusWriter(path, run_id=self.id, incarnation=self.incarnation)
        self.saves = SaveHistory()
        self._last_commit: dict[str, Any] = {}
        self._opened = time.monotonic()
        self._newest_number = manifest.sequence

    # -- birth and opening -------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        recipe: str,
        asked: bytes,
        resolved: Mapping[str, Any],
        seed: int,
        schema: SchemaIds,
        git_hash: str | None = None,
        policy: SavePolicy | None = None,
    ) -> Run:
        """Make a new run directory and return it open for writing.

        Args:
            path: a directory that does not exist, is empty, or holds a creation that was killed.
            recipe: name of the recipe, e.g. ``yatzy``.
            asked: the bytes of the configuration as the user gave it, kept as ``config.yaml``.
            resolved: every setting with its value, kept as ``config.resolved.yaml``.
            seed: the run's seed.
            schema: ids of encoder, action space and rules.
            git_hash: commit of the code, if known.
            policy: what to do when saving fails; the default is the project's.

        Raises:
            RunError: the directory holds a run already, or foreign files.
            RunLockedError: another process is creating or using it.
            SaveError, DurabilityError: the disk refused.
        """
        directory, lock, manifest = birth.create(
            Path(path),
            recipe=recipe,
            asked=asked,
            resolved=resolved,
            seed=seed,
            schema=schema,
            git_hash=git_hash,
        )
        try:
            return cls._take(directory, lock, manifest, [], policy, event="run_created")
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: str | Path, *, write: bool, keep_commands: bool = False) -> Run:
        """Open an existing run.

        With ``write=False`` nothing is locked or changed; the newest well-formed manifest is taken.

        With ``write=True`` the lock is taken and held until :meth:`close`, the newest manifest
        whose objects all verify is chosen, those rejected on the way (and everything that only they
        reach) are moved to ``quarantine/``, temporary files of killed writers are swept, stale
        commands are cleared (unless `keep_commands`: a restart after a crash obeys them) and the
        logs are cut back to the commit. :attr:`notices` says so.

        Raises:
            RunError: no such directory, or not a run directory.
            RunLockedError: another process holds the run; the sentence names it.
            VersionError: written by a newer version of Ludus; nothing was changed.
            CorruptError: no commit at all verifies; nothing was changed.
        """
        directory = layout.require_run(Path(path))
        recovery.refuse_newer(directory)
        if not write:
            return cls(directory, recovery.newest_readable(directory), lock=None, notices=[])
        lock = RunLock.acquire(directory)
        try:
            found = recovery.choose(directory, ObjectStore(directory))
            notices = recovery.settle(directory, ObjectStore(directory), found)
            keep = keep_commands
            return cls._take(directory, lock, found.manifest, notices, event="resume", keep=keep)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _take(
        cls,
        directory: Path,
        lock: RunLock,
        manifest: Manifest,
        notices: list[str],
        policy: SavePolicy | None = None,
        *,
        event: str,
        keep: bool = False,
    ) -> Run:
        """Put the directory in order after the lock was taken and the commit was chosen."""
        swept = sweep_temporary_files(layout.swept_directories(directory))
        run = cls(directory, manifest, lock=lock, notices=notices, policy=policy)
        cuts = run._logs.heal(manifest, incarnation=run.incarnation, event=event)
        run.notices.extend(cuts)
        stale = [] if keep else run.control.clear()
        if stale:
            run.notices.append(f"cleared {len(stale)} stale command(s): {', '.join(stale)}")
        fsync_directory(directory / layout.MANIFESTS)  # removals of a killed process
        run._collector.collect(manifest)
        run._write_summary({})
        for notice in run.notices:
            _LOG.warning(f"{directory}: {notice}", event="notice")
            run.events.append("notice", message=notice)
        if swept:
            run.events.append("temporary_files_swept", count=len(swept))
        return run

    @property
    def fresh(self) -> bool:
        """True until the first commit after birth: there is nothing yet to go on from."""
        return not self.manifest.progress and not self.manifest.objects

    @property
    def elapsed_seconds(self) -> float:
        """Seconds worked on the run, this process and all before it (up to their last commit)."""
        here = max(0.0, time.monotonic() - self._opened) if self.writable else 0.0
        return self._seconds_before + here

    # -- commits -----------------------------------------------------------------------------

    def commit(
        self,
        progress: Mapping[str, Any],
        objects: Mapping[str, ObjectRef],
        *,
        summary: Mapping[str, Any] | None = None,
        good: bool = True,
    ) -> Manifest:
        """Make all progress so far durable in one step: the rename of the next manifest.

        Logs are flushed first and their lengths recorded, so that log and state agree after a
        resume. Then the manifest is read back with its objects, and garbage is collected.

        Args:
            progress: JSON of the loop: phase, unit, cursors, schedules, changed settings, ... At
                most a few KB: the manifest stays under 64 KB.
            objects: by name, everything needed to go on: ``learner``, ``slots``, ``champion``,
                ``candidate``, ``replay_index``, ... also those that did not change since last time.
            summary: further top-level fields for ``run.json``, for people and readers.
            good: whether the numbers were checked; the last good commit is kept whatever its age.

        Returns: the new manifest, also as :attr:`manifest`.

        Raises:
            SaveError: not committed (disk full, ...); the run stands at the old commit.
            DurabilityError: an EIO of fsync; never try again, stop with state ``error``.
            CorruptError: what was just written reads back differently; the old commit is kept.
        """
        self._require_lock()
        started = time.monotonic()
        named = dict(objects)
        if self.iterations:
            named["iterations"] = self._collector.fresh(
                self.store.put_index("iterations", (), {"iterations": self.iterations})
            )
        # A number is used once: a manifest whose last flush failed may be on disk all the same.
        self._newest_number += 1
        # Written before the logs are measured, so that the record belongs to the commit it tells
        # of; what the commit cost can only be told by the next one.
        self.events.append(
            "commit",
            sequence=self._newest_number,
            bytes=sum(ref.size for ref in named.values()),
            **self._last_commit,
        )
        manifest = self.manifest.successor(
            sequence=self._newest_number,
            progress=progress,
            objects=named,
            counters=self.counters.as_dict(),
            logs=self._logs.sync(),
            elapsed_seconds=self.elapsed_seconds,
            incarnation=self.incarnation,
            permanent=self.checkpoints.take_permanent(),
            good=good,
        )
        self.store.put_manifest(manifest_name(manifest.sequence), manifest.encode())
        self._seconds_before, self._opened = manifest.elapsed_seconds, time.monotonic()
        self.manifest = manifest
        self.checkpoints.committed()
        removed = self._verify_and_collect(manifest)
        self._write_summary(summary or {})
        seconds = time.monotonic() - started
        self.cadence.committed(seconds)
        self._last_commit = {
            "last_seconds": round(seconds, 6),
            "last_removed_files": len(removed),
            "last_removed_bytes": sum(size for _, size in removed),
        }
        return manifest

    def save(
        self,
        action: Callable[[], _Result],
        *,
        required: bool,
        wait: Callable[[float], None] = time.sleep,
    ) -> _Result | None:
        """Run a saving action under the failure policy: on failure once more after 5 s.

        Args:
            action: puts objects and commits, or saves a checkpoint. It is called again whole, so
                it must not depend on what the failed call left.
            required: True on pause, end and promotion: the second failure is raised. False at the
                cadence: it is counted, told as event ``save_failed``, and None is returned.
            wait: how to wait, e.g. one that keeps heartbeats going.

        Raises:
            DurabilityError: at once and always, whatever ``required`` says.
            SaveError: the second failure when ``required``.
        """

        def failed(error: SaveError, attempt: int) -> None:
            self.saves.failed(str(error))
            _LOG.warning(
                f"{self.path}: saving failed (attempt {attempt}): {error}",
                event="save_failed",
                attempt=attempt,
            )
            self.events.append_if_possible("save_failed", attempt=attempt, message=str(error))

        result = self.policy.attempt(action, required=required, on_failure=failed, wait=wait)
        self.saves.ended(saved=result is not None)
        if result is None:
            self.cadence.committed(0.0)  # wait a whole period before trying again
        return result

    @property
    def save_failures(self) -> int:
        """Attempts to save that failed in this process."""
        return self.saves.failures

    def space(self) -> Space:
        """Free space of the run's disk and how bad that is: ``ok``, ``warn`` or ``floor``."""
        return self.policy.space(self.path)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Close the logs and give the lock back. Commits nothing. May be called twice."""
        self._logs.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside ------------------------------------------------------------------------------

    def _refused_command(self, reason: str) -> None:
        _LOG.warning(f"{self.path}: command refused: {reason}", event="command_refused")
        if self.writable:
            self.events.append_if_possible("command_refused", message=reason)

    def _verify_and_collect(self, manifest: Manifest) -> list[tuple[str, int]]:
        """Read the new commit back from the disk: only then may older ones be collected."""
        try:
            self._verify_newest(manifest)
            return self._collector.collect(manifest)
        except CorruptError:
            raise
        except RunError as error:
            # The commit is made; it just cannot be looked at now (too many open files, say).
            _LOG.warning(f"{self.path}: nothing was collected: {error}")
            return []

    def _verify_newest(self, manifest: Manifest) -> None:
        again = read_manifest(self.path / "manifests" / manifest_name(manifest.sequence))
        if again != manifest:
            raise CorruptError(
                f"manifest {manifest.sequence} of {self.path} reads back differently"
            )
        for ref in manifest.objects.values():
            self.store.verify(ref, only_hash=self._collector.pending)
        self._collector.settled(manifest)

    def _write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``run.json``. It is a copy: a failure to write it must not fail the commit."""
        document = {
            **self.manifest.document(),
            **self.schema.envelope(),
            "config_snapshot": "config.yaml",
            "replay_path": "replay",
            "iterations": self.iterations,
            **summary,
        }
        try:
            replace_file(self.path / "run.json", pretty_json(document), durable=False)
        except SaveError as error:
            _LOG.warning(f"run.json was not written: {error}")
