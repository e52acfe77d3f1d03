"""All logs of a run: cut back to the commit when a process takes the run, flushed at commits."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludus.errors import RunError
from ludus.runs import layout
from ludus.runs.manifest import LogPosition, Manifest
from ludus.runs.ndjson import NdjsonLog, Watcher, whole_length
from ludus.runs.objects import (
    NewFile,
    SaveError,
    close_quietly,
    fsync_directory,
    fsync_file,
    open_regular,
)

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_COPY_SIZE = 1 << 20
_ALWAYS = ("metrics", "events")
_EMPTY = LogPosition(0, 0, {})


class RunLogs:
    """The logs ``logs/<name>.ndjson`` of one run, for the holder of its lock."""

    def __init__(self, run: Path, *, envelope: Mapping[str, Any]) -> None:
        self._run = run
        self._envelope = dict(envelope)
        self._positions: dict[str, LogPosition] = {}
        self._open: dict[str, NdjsonLog] = {}
        self._rewinds = 0
        self.watchers: list[Watcher] = []

    def heal(self, manifest: Manifest, *, incarnation: str, event: str) -> list[str]:
        """Cut every log to where the commit left it and open it with a record of this process.

        What lies beyond the commit (whole records too: their work is redone), or has no newline at
        its end, moves to ``quarantine/``.

        Args:
            manifest: the commit that the run stands at.
            incarnation: id of this process, for the record.
            event: name of the record: ``resume``, or ``run_created`` at birth.

        Returns: a sentence for each log that was found shorter than the commit says.

        Raises: SaveError, DurabilityError; RunError: the logs cannot be listed now.
        """
        notices: list[str] = []
        on_disk = {path.stem for path in self._files()}
        known = {name for name in {*on_disk, *manifest.logs} if _NAME.fullmatch(name)}
        for name in sorted({*known, *_ALWAYS}):
            position = manifest.logs.get(name, _EMPTY)
            path = self._path(name)
            size = os.lstat(path).st_size if os.path.lexists(path) else 0
            keep = self._whole_length(path, position.offset) if size else 0
            if keep < position.offset:
                notices.append(
                    f"{path.name} holds {keep} whole bytes of the {position.offset} that were "
                    "committed: records were lost"
                )
            if size > keep:
                self._cut(path, keep, incarnation)
            self._positions[name] = LogPosition(keep, position.lines, position.steps)
            log = self.get(name)
            log.append(
                event,
                incarnation=incarnation,
                manifest=manifest.sequence,
                cut_bytes=size - keep,
                missing_bytes=position.offset - keep,
            )
        return notices

    def rewind(self, manifest: Manifest) -> None:
        """Cut all logs but ``events`` back to a commit, while they are in use.

        Events are no part of the work that is done again: they tell of the return itself.

        Raises: SaveError, DurabilityError.
        """
        for path in self._files():
            name = path.stem
            if name == "events" or _NAME.fullmatch(name) is None:
                continue
            if name in self._open:
                self._open.pop(name).close()
            position = manifest.logs.get(name, _EMPTY)
            self._positions[name] = position
            if os.lstat(path).st_size > position.offset:
                self._cut(path, position.offset, secrets.token_hex(6))

    def _cut(self, path: Path, keep: int, incarnation: str) -> None:
        """Move the bytes after `keep` to quarantine, durably, before they go from the log."""
        try:
            source = open_regular(path)
        except (FileNotFoundError, RunError) as error:
            raise SaveError(f"could not heal {path}: {error}") from error
        try:
            directory = self._run / layout.QUARANTINE
            with NewFile(directory, "tail") as tail:
                os.lseek(source, keep, os.SEEK_SET)
                while piece := os.read(source, _COPY_SIZE):
                    tail.write(piece)
                tail.place(f"{path.name}.tail-{incarnation}")
        except OSError as error:
            raise SaveError(f"could not read {path}: {error.strerror}") from error
        finally:
            close_quietly(source)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.ftruncate(descriptor, keep)
                fsync_file(descriptor, path)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SaveError(f"could not cut {path}: {error.strerror}") from error

    def get(self, name: str) -> NdjsonLog:
        """The log of that name, created when first asked for. Raises ValueError for a bad name."""
        log = self._open.get(name)
        if log is None:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is no name for a log: it must be [a-z][a-z0-9_]*")
            path = self._path(name)
            new = not path.exists()
            position = self._positions.get(name, _EMPTY)
            log = NdjsonLog(
                path,
                name=name,
                envelope=self._envelope,
                position=position,
                watchers=self.watchers,
            )
            if new:
                fsync_directory(path.parent)
            self._open[name] = log
        return log

    def sync(self) -> dict[str, LogPosition]:
        """Flush all logs; returns how far each reaches. Raises SaveError, DurabilityError."""
        return {name: log.sync() for name, log in self._open.items()}

    def close(self) -> None:
        """Close all logs. May be called twice."""
        for log in self._open.values():
            log.close()
        self._open.clear()

    def _whole_length(self, path: Path, limit: int) -> int:
        try:
            return whole_length(path, limit)
        except (FileNotFoundError, RunError) as error:
            raise SaveError(f"could not heal {path}: {error}") from error

    def _files(self) -> list[Path]:
        folder = self._run / layout.LOGS
        return [folder / name for name in layout.names_in(folder) if name.endswith(".ndjson")]

    def _path(self, name: str) -> Path:
        return self._run / layout.LOGS / f"{name}.ndjson"
