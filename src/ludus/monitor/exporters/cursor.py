"""How far a sink has read a log, kept beside the sink's output and never in the run's own files."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ludus import reading
from ludus.errors import UserError

VERSION = 1
NAME = "ludus-cursor.json"
_TAIL = 4096
_LIMIT = 4 << 20


@dataclass
class Cursor:
    """Where a sink stands.

    Attributes:
        sink: its name.
        run_id: whose records these are.
        offset: bytes of the log that the sink has.
        tail: digest of the last bytes before `offset`, by which a log that was cut and grew again
            is told from one that only grew: every record holds its time.
        steps: last step sent, by record name.
        again: while a log is read again for a sink that cannot take back: steps up to which
            records are known to it already, by record name.
        figures_ms: time of the status whose figures were sent last.
        checkpoints: paths of those that were sent, relative to the run, with their sizes.
        mark: the sink's own.
    """

    sink: str
    run_id: str
    offset: int = 0
    tail: str = ""
    steps: dict[str, int] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)
    figures_ms: int = 0
    checkpoints: list[str] = field(default_factory=list)
    mark: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, sink: str, run_id: str) -> Cursor:
        """The cursor in a folder; a new one if there is none.

        Raises:
            UserError: the folder holds another run's output, or its cursor cannot be read.
        """
        path = folder / NAME
        try:
            found = reading.parse_json(reading.read_regular(path, _LIMIT))
            version = found.pop("version")
            cursor = cls(**found)
        except FileNotFoundError:
            return cls(sink, run_id)
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            raise UserError(
                f"{path} cannot be read: name another folder with --to, or remove this one"
            ) from None
        if version != VERSION:
            raise UserError(f"{path} has version {version}, this Ludus knows {VERSION}")
        if (cursor.sink, cursor.run_id) != (sink, run_id):
            raise UserError(
                f"{folder} holds what {cursor.sink} got of the run {cursor.run_id}, not what "
                f"{sink} got of {run_id}: name another folder with --to"
            )
        return cursor

    def save(self, folder: Path) -> None:
        """Replace the cursor in a folder; whole or not at all."""
        path, new = folder / NAME, folder / f".{NAME}.{os.getpid()}.tmp"
        new.write_text(json.dumps({"version": VERSION, **asdict(self)}), encoding="utf-8")
        os.replace(new, path)

    def take(self, log: Path, offset: int) -> None:
        """Note that the sink has the log up to `offset`."""
        self.offset, self.tail = offset, tail_digest(log, offset) or ""

    def fits(self, log: Path) -> bool:
        """Whether the log still begins with what was read of it."""
        return self.offset == 0 or self.tail == tail_digest(log, self.offset)


def tail_digest(log: Path, offset: int) -> str | None:
    """Digest of the last bytes of a file before `offset`; None if it is shorter or absent."""
    try:
        with reading.open_regular(log) as file:
            begin = max(0, offset - _TAIL)
            file.seek(begin)
            data = file.read(offset - begin)
    except OSError:
        return None
    return hashlib.sha256(data).hexdigest() if len(data) == offset - begin else None


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder of a sink's output: two at once would write everything twice.

    Raises:
        UserError: somebody else holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): name another folder with --to"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"another ludus writes to {folder} now: wait for it, or name another folder "
                "with --to"
            ) from None
        yield
    finally:
        os.close(descriptor)
