"""Atomic writing of files: the recipe that every durable artefact goes through.

A file is written under a temporary name with ``O_EXCL``, in a loop that survives short writes,
hashed on the way, flushed with ``fsync``, given its final name without ever replacing another
file, and the directory is flushed. A crash or power cut at any instant leaves either no file under
the final name or the whole of it. Reference: Pillai et al., "All File Systems Are Not Created
Equal", OSDI 2014; for fsync errors Rebello et al., "Can Applications Recover from fsync
Failures?", USENIX ATC 2020.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from ludus.errors import CorruptError, LudusError, RunError, UnreadableError

_TEMPORARY = re.compile(r"^\..+\.\d+\.[0-9a-f]{16}\.tmp$")
_SAFE_PATH = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._/+-]*$")
_READ_SIZE = 1 << 20
_NO_FAULT_OF_THE_FILE = {
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
# File systems without hard links answer a link() with one of these.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}

Buffer = bytes | bytearray | memoryview


class SaveError(LudusError):
    """The disk refused: nothing appears under the final name. Trying once more may help."""


class DurabilityError(SaveError):
    """``fsync`` said EIO: the kernel has dropped the data, and a retry would lie. Stop the run."""


class NameTakenError(SaveError):
    """The final name exists already; it was not touched."""


@dataclass(frozen=True)
class ObjectRef:
    """A file of a run, known by its content.

    Attributes:
        kind: what it is: ``learner``, ``shard``, ``champion``, ``iterations``, ...
        path: below the run directory, with ``/``.
        size: bytes.
        sha256: of the whole file, in hex.
    """

    kind: str
    path: str
    size: int
    sha256: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"kind": self.kind, "path": self.path, "bytes": self.size, "sha256": self.sha256}

    @classmethod
    def from_document(cls, document: Any) -> ObjectRef:
        """Back from JSON; raises CorruptError for anything that :meth:`document` never wrote."""
        try:
            values = [document[name] for name in ("kind", "path", "bytes", "sha256")]
        except (TypeError, KeyError) as error:
            raise CorruptError(f"a reference to a file lacks {error}") from error
        kind, path, size, sha256 = values
        if not all(isinstance(text, str) for text in (kind, path, sha256)) or type(size) is not int:
            raise CorruptError("a reference to a file has a field of the wrong type")
        if size < 0 or re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
            raise CorruptError("a reference to a file has a field that cannot be")
        return cls(kind, check_relative(path), size, sha256)


def check_relative(path: str) -> str:
    """Return `path` if it stays below the run directory, else raise CorruptError."""
    parts = PurePosixPath(path).parts
    if _SAFE_PATH.fullmatch(path) is None or ".." in parts or str(PurePosixPath(path)) != path:
        raise CorruptError(f"{path!r} is not a path below the run directory")
    return path


@contextlib.contextmanager
def _reporting(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SaveError(f"could not {what} {path}: {error.strerror or error}") from error


def _fsync(descriptor: int, path: Path) -> None:
    """Flush a descriptor, once: after an error the kernel may call the lost pages clean."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        sentence = f"could not flush {path} to the disk: {error.strerror or error}"
        kind = DurabilityError if error.errno == errno.EIO else SaveError
        raise kind(sentence) from error


def fsync_file(descriptor: int, path: Path) -> None:
    """Flush an open file; raises DurabilityError on EIO and SaveError on other failures."""
    _fsync(descriptor, path)


def fsync_directory(path: Path) -> None:
    """Flush a directory, so that names in it survive a power cut; raises as for files."""
    with _reporting("open the directory", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _fsync(descriptor, path)
    finally:
        with _reporting("close", path):
            os.close(descriptor)


def write_all(descriptor: int, data: Buffer) -> int:
    """Write all of `data`, however many short writes that takes; returns its size in bytes."""
    view = memoryview(data).cast("B")
    done = 0
    while done < len(view):
        done += os.write(descriptor, view[done:])
    return done


def pwrite_all(descriptor: int, data: Buffer, offset: int) -> None:
    """Write all of `data` at a place, however many short writes that takes."""
    view = memoryview(data).cast("B")
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], offset + done)


class NewFile:
    """A file in the making. Leaving the ``with`` block without :meth:`place` discards it.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, directory: Path, stem: str) -> None:
        """Open a temporary file in `directory`; `stem` is for whoever looks at the directory."""
        self.directory = directory
        name = f".{stem}.{os.getpid()}.{secrets.token_hex(8)}.tmp"
        self._temporary = directory / name
        self._hash = hashlib.sha256()
        self.size = 0
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        with _reporting("create", self._temporary):
            self._descriptor = os.open(self._temporary, flags, 0o644)
        self._present = True

    def write(self, data: Buffer) -> None:
        """Append bytes."""
        self._hash.update(data)
        with _reporting("write", self._temporary):
            self.size += write_all(self._descriptor, data)

    def patch(self, offset: int, data: bytes) -> None:
        """Overwrite bytes written before. :meth:`sha256` then no longer speaks of the file."""
        with _reporting("write", self._temporary):
            pwrite_all(self._descriptor, data, offset)

    def sha256(self) -> str:
        """Digest of all that :meth:`write` got, in hex."""
        return self._hash.hexdigest()

    def place(
        self, name: str, *, durable: bool = True, replace: bool = False, directory: bool = True
    ) -> Path:
        """Flush, and give the file its name.

        Args:
            name: in the same directory.
            durable: flush file and directory. Only derived files may do without.
            replace: whether a file of that name may be replaced. Never for objects.
            directory: whether to flush the directory now; else the caller does so before it relies
                on the name, once for several files.

        Raises: NameTakenError (another name may be tried), SaveError, DurabilityError.
        """
        final = self.directory / name
        if self._descriptor >= 0:  # else the name was taken, and another one is tried
            self._finish(durable)
        with _reporting("name", final):
            if replace:
                os.replace(self._temporary, final)
            else:
                self._link(final)
        self._present = False
        if durable and directory:
            fsync_directory(self.directory)
        return final

    def _finish(self, durable: bool) -> None:
        """Flush and close; after a failure the file can only be written anew."""
        try:
            if durable:
                _fsync(self._descriptor, self._temporary)
            descriptor, self._descriptor = self._descriptor, -1
            with _reporting("close", self._temporary):  # quota and network errors may come now
                os.close(descriptor)
        except BaseException:
            self.discard()
            raise

    def _link(self, final: Path) -> None:
        """Rename that never replaces: link() fails with EEXIST where rename() would overwrite."""
        try:
            os.link(self._temporary, final)
        except FileExistsError as error:
            raise NameTakenError(f"{final} exists already") from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # The run's lock makes this process the only writer, so look-then-rename is safe.
            if os.path.lexists(final):
                raise NameTakenError(f"{final} exists already") from error
            os.rename(self._temporary, final)
            return
        # The file has its name; a left-over second name is swept at the next start.
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def discard(self) -> None:
        """Close and remove the temporary file, if it is still there. Never raises OSError."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self._present:
            self._present = False
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def write_new(
    directory: Path, name: str | Callable[[str], str], chunks: Iterable[Buffer], *, stem: str
) -> tuple[str, int, str]:
    """Write a new durable file that replaces nothing.

    Args:
        directory: where; it exists.
        name: final name, or a function from the content's digest to it.
        chunks: the content.
        stem: for the temporary name.

    Returns: final name, size in bytes, SHA-256 in hex.

    Raises: NameTakenError, SaveError, DurabilityError.
    """
    with NewFile(directory, stem) as file:
        for chunk in chunks:
            file.write(chunk)
        digest = file.sha256()
        final = name if isinstance(name, str) else name(digest)
        file.place(final)
        return final, file.size, digest


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Write `path` anew in one step: readers see the old content or the new, never a part.

    Without `durable` a power cut may leave the old content, the new, or an empty file: right for
    what is only derived from elsewhere (``status.json``, ``run.json``).

    Raises: SaveError, DurabilityError.
    """
    with NewFile(path.parent, path.name) as file:
        file.write(data)
        file.place(path.name, durable=durable, replace=True)


def sweep_temporary_files(directories: Iterable[Path]) -> list[str]:
    """Remove temporary files of killed writers; only under the lock, when no writer is alive."""
    removed: list[str] = []
    for directory in directories:
        with contextlib.suppress(OSError):  # swept again at the next start
            for name in sorted(os.listdir(directory)):
                if _TEMPORARY.fullmatch(name):
                    with contextlib.suppress(OSError):
                        os.unlink(directory / name)
                        removed.append(name)
    return removed


def unreadable(path: Path, error: OSError) -> RunError:
    """What a failed read says about the file.

    Missing rights or too few descriptors say nothing about it: a run must not fall back behind good
    commits for that, so it is no CorruptError.
    """
    kind = RunError if error.errno in _NO_FAULT_OF_THE_FILE else CorruptError
    if error.errno == errno.EIO:
        kind = UnreadableError
    return kind(f"{path} cannot be read: {error.strerror or error}")


def close_quietly(descriptor: int) -> None:
    """Close a descriptor where an error means nothing.

    It was only read from, or what was written is flushed already, only a message, or given up.
    Where the success of a write hangs on it, close it so that an error is raised.
    """
    with contextlib.suppress(OSError):
        os.close(descriptor)


def open_regular(path: Path) -> int:
    """Open a regular file for reading: no symbolic link, no pipe that would block for ever.

    Raises: FileNotFoundError; CorruptError if it is something else or the disk fails; RunError if
        this process may not or cannot open it now.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        close_quietly(descriptor)
        raise CorruptError(f"{path} is not a regular file")
    return descriptor


def read_file(path: Path, limit: int) -> bytes:
    """Read a whole regular file of at most `limit` bytes.

    Raises: FileNotFoundError; CorruptError if it is larger or no regular file; RunError.
    """
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        with open(descriptor, "rb", closefd=False) as file:
            data = b"" if size > limit else file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        close_quietly(descriptor)
    if max(size, len(data)) > limit:
        raise CorruptError(f"{path} is larger than {limit} bytes, the most such a file may have")
    return data


def hash_file(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file, read from the disk in pieces.

    Raises: FileNotFoundError; CorruptError if it is no regular file; RunError.
    """
    descriptor = open_regular(path)
    digest, size = hashlib.sha256(), 0
    try:
        while chunk := os.read(descriptor, _READ_SIZE):
            digest.update(chunk)
            size += len(chunk)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        close_quietly(descriptor)
    return size, digest.hexdigest()
