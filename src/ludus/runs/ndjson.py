"""Logs of one JSON object a line: appended with one ``write`` each, healed when opened.

Reference for the failure modes: a torn last line is normal after a crash, and an append onto it
would damage two records; so the writer cuts it first, and readers skip and count what they cannot
parse.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ludus import reading
from ludus.errors import RunError
from ludus.runs.jsonio import plain
from ludus.runs.manifest import LogPosition
from ludus.runs.objects import (
    SaveError,
    close_quietly,
    fsync_file,
    open_regular,
    pwrite_all,
    unreadable,
    write_all,
)

_EVENT = re.compile(r"^[a-z][a-z0-9_]*$")
_ENVELOPE = ("event", "ts_ms", "run_id", "v", "git_hash", "config_hash", "step")
_READ_SIZE = 1 << 20
_LONGEST_LINE = 4 << 20
_LONGEST_JUNK = 64 << 20


Watcher = Callable[[str, Mapping[str, Any]], None]
"""Told of a record that was written: the log's name, and the record as JSON. It must not raise."""


class NdjsonLog:
    """The writing end of one log. One writer only: the holder of the run's lock.

    A record has the envelope ``event``, ``ts_ms`` (milliseconds since 1970), ``run_id``, ``v`` (the
    four version ids), ``git_hash``, ``config_hash``, ``step``, then the fields. ``step`` never goes
    back within a stream; the stream is the event's name unless given.

    Attributes:
        name: the log's name (``metrics``).
        lines: records so far.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        envelope: Mapping[str, Any],
        position: LogPosition,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        """Open the healed file at `path` for appending, creating it if need be.

        `watchers` are told of every record that was written.
        """
        self.name = name
        self._watchers = watchers
        self.lines = position.lines
        self._path = path
        self._envelope = dict(envelope)
        self._steps = dict(position.steps)
        self._encoder = msgspec.json.Encoder(enc_hook=plain)
        self._unflushed = bytearray()  # what was written since the last flush, and whether
        self._doubtful = False  # a flush failed since, after which nobody knows what the disk has
        # Without waiting for a reader, should somebody have put a pipe there.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self._descriptor = os.open(path, flags, 0o644)
            self._size = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise SaveError(f"could not open {path}: {error.strerror}") from error

    def append(
        self, event: str, *, step: int | None = None, stream: str | None = None, **fields: Any
    ) -> None:
        """Write one record. Not flushed to the disk before the next commit.

        Args:
            event: ``[a-z][a-z0-9_]*``.
            step: the stream's clock (a training step, a ply, a game index); None counts on by one.
            stream: whose clock `step` is; the event's name if None.
            fields: JSON; numpy scalars and arrays are accepted; numbers that are not finite
                become null.

        Raises:
            ValueError: a step that goes back, a bad event name, or a field named as the envelope.
            SaveError: the disk refused; the log is as before.
        """
        if _EVENT.fullmatch(event) is None:
            raise ValueError(f"{event!r} is no name for an event: it must be [a-z][a-z0-9_]*")
        taken = [name for name in fields if name in _ENVELOPE]
        if taken:
            raise ValueError(f"the field {taken[0]} of event {event} belongs to the envelope")
        clock = stream or event
        last = self._steps.get(clock)
        now = (0 if last is None else last + 1) if step is None else int(step)
        if last is not None and now < last:
            raise ValueError(f"step {now} of {clock} in {self.name} comes after step {last}")
        record = {
            "event": event,
            "ts_ms": time.time_ns() // 1_000_000,
            **self._envelope,
            "step": now,
            **fields,
        }
        line = self._encoder.encode(record)
        self._write(line + b"\n")
        self._steps[clock] = now
        self.lines += 1
        if self._watchers:
            plain_record = msgspec.json.decode(line)
            for watcher in self._watchers:
                watcher(self.name, plain_record)

    def append_if_possible(self, event: str, **fields: Any) -> bool:
        """Like :meth:`append`, about a failing disk: returns False instead of raising."""
        try:
            self.append(event, **fields)
        except SaveError:
            return False
        return True

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):  # the disk filled up: try the rest, to learn the reason
                write_all(self._descriptor, line[written:])
        except OSError as error:
            # Take the torn line back, or the next record would be merged with it.
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError:
                raise SaveError(f"{self._path} has a torn line: {error.strerror}") from error
            raise SaveError(f"could not write to {self._path}: {error.strerror}") from error
        self._size += len(line)
        self._unflushed += line

    def sync(self) -> LogPosition:
        """Flush the log to the disk; returns how far it reaches.

        After a flush that failed the lines are written again before the next one, and the old
        descriptor is not used any more: it would say success, whatever became of them.

        Raises: SaveError, DurabilityError.
        """
        if self._doubtful:
            self._write_again()
        try:
            fsync_file(self._descriptor, self._path)
        except SaveError:
            self._doubtful = True
            raise
        self._unflushed.clear()
        return LogPosition(self._size, self.lines, dict(self._steps))

    def _write_again(self) -> None:
        start = self._size - len(self._unflushed)
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags)
            try:
                pwrite_all(descriptor, self._unflushed, start)
                fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
            except OSError:
                close_quietly(descriptor)
                raise
        except OSError as error:
            raise SaveError(f"could not write to {self._path}: {error.strerror}") from error
        close_quietly(self._descriptor)
        self._descriptor, self._doubtful = descriptor, False

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            close_quietly(descriptor)  # a commit flushed all that it vouches for


def whole_length(path: Path, limit: int) -> int:
    """Bytes of `path`, of its first `limit`, up to and with the last newline; raises RunError."""
    descriptor = open_regular(path)
    try:
        end = min(limit, os.fstat(descriptor).st_size)
        while end > 0:
            start = max(0, end - _READ_SIZE)
            newline = os.pread(descriptor, end - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        close_quietly(descriptor)
    return 0


class NdjsonReader:
    """Reads a log that may be growing, torn or damaged; needs nothing but the file.

    Attributes:
        bad: lines skipped because they are no JSON object.
        restarts: how often the file was cut or replaced below what had been read, after which
            reading starts again from its beginning (a resumed run cuts what was not committed).
        offset: bytes read so far.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._identity: tuple[int, int] | None = None
        self._decoder = msgspec.json.Decoder()
        self.bad = 0
        self.restarts = 0
        self.offset = 0

    def poll(self) -> Iterator[dict[str, Any]]:
        """The records that were completed since last time. A line without newline waits."""
        try:
            file = reading.open_regular(self._path)  # closed below; absence is normal
        except FileNotFoundError:
            return
        with file:
            about = os.fstat(file.fileno())
            identity = (about.st_dev, about.st_ino)
            if about.st_size < self.offset or self._identity not in (None, identity):
                self.offset, self.restarts = 0, self.restarts + 1
            self._identity = identity
            file.seek(max(0, self.offset - 1))
            if self.offset and file.read(1) != b"\n":  # cut, and grown again since
                self.offset, self.restarts = 0, self.restarts + 1
                file.seek(0)
            while line := file.readline(_LONGEST_LINE):
                length = len(line)
                # What no writer would write is passed over, unless it seems to have no end.
                while len(line) == _LONGEST_LINE and length < _LONGEST_JUNK:
                    if line.endswith(b"\n"):
                        break
                    line = file.readline(_LONGEST_LINE)
                    length += len(line)
                if not line.endswith(b"\n"):
                    return
                self.offset += length
                record = self._parse(line if length == len(line) else b"")
                if record is not None:
                    yield record

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        try:
            record = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            record = None
        if isinstance(record, dict):
            return record
        self.bad += 1
        return None


def read_ndjson(path: str | Path) -> tuple[list[dict[str, Any]], int]:
    """All whole records of a log, and the number of lines that were skipped.

    An unterminated last line is being written and is neither.

    Raises: RunError: the log cannot be read.
    """
    reader = NdjsonReader(path)
    try:
        return list(reader.poll()), reader.bad
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
