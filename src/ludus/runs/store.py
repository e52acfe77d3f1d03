"""The files that manifests refer to: written once, named by content or number."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ludus.errors import CorruptError, RunError, VersionError
from ludus.runs import layout, tensors
from ludus.runs.jsonio import canonical_json, strict_json
from ludus.runs.objects import (
    Buffer,
    NameTakenError,
    NewFile,
    ObjectRef,
    SaveError,
    check_relative,
    fsync_directory,
    hash_file,
    read_file,
    unreadable,
    write_new,
)

_KIND = re.compile(r"^[a-z0-9][a-z0-9_-]*$")
_INDEX_FORMAT = "ludus-index"
_INDEX_VERSION = 1
_INDEX_LIMIT = 64 << 20
_OBJECT_LIMIT = 64 << 30


def is_index(ref: ObjectRef) -> bool:
    """Whether the file is a list of further files, written by ``put_index``."""
    return ref.path.startswith(f"{layout.STATE}/") and ref.path.endswith(".json")


def neighbour_of(path: str) -> str | None:
    """The JSON that may lie beside a shard or a model, for people; None for other files."""
    stem, suffix = os.path.splitext(path)
    if suffix != ".safetensors" or path.startswith(f"{layout.STATE}/"):
        return None
    return f"{stem}.json"


class ObjectStore:
    """Puts and gets the files of one run directory. Writers must hold the run's lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Directories with new names in them, flushed together before the next manifest.
        self._unflushed: set[Path] = set()

    # -- putting -----------------------------------------------------------------------------

    def put_object(
        self, kind: str, payload: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]
    ) -> ObjectRef:
        """Arrays and JSON under a name from their content; see ``Run.put_object``."""
        return self._put_content(kind, ".safetensors", tensors.encode(payload, meta))

    def put_index(
        self, kind: str, files: Iterable[ObjectRef], meta: Mapping[str, Any]
    ) -> ObjectRef:
        """A list of files and JSON under a name from their content; see ``Run.put_index``."""
        document = {
            "format": _INDEX_FORMAT,
            "format_version": _INDEX_VERSION,
            "kind": kind,
            "files": [ref.document() for ref in files],
            "meta": dict(meta),
        }
        return self._put_content(kind, ".json", (canonical_json(document),))

    def put_manifest(self, name: str, data: bytes) -> None:
        """The commit itself. Raises NameTakenError rather than touch another manifest."""
        for directory in sorted(self._unflushed):
            fsync_directory(directory)
            self._unflushed.discard(directory)
        write_new(self.root / layout.MANIFESTS, name, (data,), stem="manifest")

    def put_named(
        self,
        relative: str,
        chunks: Iterable[Buffer],
        *,
        kind: str,
        reachable: Callable[[str], bool],
    ) -> ObjectRef:
        """Bytes under a name of the caller's choice; see ``Run.put_file``."""
        path = self.root / check_relative(relative)
        if len(Path(relative).parts) < 2:
            raise RunError(f"{relative} would lie at the top of the run: name a folder too")
        self.make_directory(path.parent)
        with NewFile(path.parent, kind) as file:
            for chunk in chunks:
                file.write(chunk)
            ref = ObjectRef(kind, relative, file.size, file.sha256())
            try:
                file.place(path.name, directory=False)
            except NameTakenError:
                if self.intact(ref):
                    self._unflushed.add(path.parent)  # its own flush may have been what failed
                    return ref
                if reachable(relative):
                    raise RunError(
                        f"{path} belongs to a commit and differs from what was to be written"
                    ) from None
                self.quarantine([relative], "replaced")
                file.place(path.name, directory=False)
        self._unflushed.add(path.parent)
        return ref

    def put_tensors(
        self,
        relative: str,
        payload: Mapping[str, NDArray[Any]],
        meta: Mapping[str, Any],
        *,
        kind: str,
        reachable: Callable[[str], bool],
    ) -> ObjectRef:
        """Arrays and JSON as a plain safetensors file under a name of the caller's choice."""
        chunks = tensors.encode(payload, meta)
        return self.put_named(relative, chunks, kind=kind, reachable=reachable)

    def _put_content(self, kind: str, suffix: str, chunks: Iterable[Buffer]) -> ObjectRef:
        if _KIND.fullmatch(kind) is None:
            raise ValueError(f"{kind!r} is no kind of object: it must be [a-z0-9][a-z0-9_-]*")
        directory = self.root / layout.STATE
        with NewFile(directory, kind) as file:
            for chunk in chunks:
                file.write(chunk)
            digest = file.sha256()
            name = f"{kind}-{digest[:32]}{suffix}"
            ref = ObjectRef(kind, f"{layout.STATE}/{name}", file.size, digest)
            try:
                file.place(name, directory=False)
            except NameTakenError:
                # An intact one is flushed again too: its own flush may have been what failed.
                if not self.intact(ref):
                    self.quarantine([ref.path], "damaged")
                    file.place(name, directory=False)
        self._unflushed.add(directory)
        return ref

    # -- getting -----------------------------------------------------------------------------

    def read(self, ref: ObjectRef, limit: int = _OBJECT_LIMIT) -> bytes:
        """The verified bytes of a file; raises CorruptError."""
        path = self.root / check_relative(ref.path)
        try:
            data = read_file(path, min(limit, ref.size))
        except FileNotFoundError:
            raise CorruptError(f"{path} is missing") from None
        if len(data) != ref.size:
            raise CorruptError(f"{path} has {len(data)} bytes instead of {ref.size}")
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise CorruptError(f"{path} is damaged: its SHA-256 is not that of the manifest")
        return data

    def get_object(self, ref: ObjectRef) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON, verified; raises CorruptError."""
        return tensors.decode(self.read(ref), ref.path)

    def get_index(self, ref: ObjectRef) -> tuple[list[ObjectRef], dict[str, Any]]:
        """Files and JSON of an index, itself verified.

        Raises: CorruptError; VersionError if it is whole and of another version.
        """
        document = strict_json(self.read(ref, _INDEX_LIMIT), ref.path)
        if document.get("format") != _INDEX_FORMAT:
            raise CorruptError(f"{ref.path} is no index of Ludus")
        if document.get("format_version") != _INDEX_VERSION:
            raise VersionError(
                f"{ref.path} has format_version {document.get('format_version')}, and this version "
                f"of Ludus reads {_INDEX_VERSION}: use the version of Ludus that wrote the run"
            )
        files, meta = document.get("files"), document.get("meta")
        if not isinstance(files, list) or not isinstance(meta, dict):
            raise CorruptError(f"{ref.path} is damaged: it holds no list of files")
        return [ObjectRef.from_document(entry) for entry in files], meta

    def verify(self, ref: ObjectRef, *, only_hash: Collection[str] | None = None) -> None:
        """Read a file, and all files of an index, from the disk and compare size and digest.

        Args:
            ref: the file.
            only_hash: for the files of an index: paths to be hashed; the others must only exist
                with the right size. None hashes all.

        Raises: CorruptError.
        """
        self._compare(ref, hashed=True)
        if is_index(ref):
            for file in self.get_index(ref)[0]:
                self._compare(file, hashed=only_hash is None or file.path in only_hash)

    def _compare(self, ref: ObjectRef, *, hashed: bool) -> None:
        path = self.root / check_relative(ref.path)
        try:
            size = os.lstat(path).st_size
            if size != ref.size:
                raise CorruptError(f"{path} has {size} bytes instead of {ref.size}")
            if hashed and hash_file(path) != (ref.size, ref.sha256):
                raise CorruptError(f"{path} is damaged: its SHA-256 is not that of the manifest")
        except FileNotFoundError:
            raise CorruptError(f"{path} is missing") from None
        except OSError as error:
            raise unreadable(path, error) from error

    def intact(self, ref: ObjectRef) -> bool:
        """Whether the file is on disk with the right content."""
        try:
            self._compare(ref, hashed=True)
        except CorruptError:
            return False
        return True

    def reaches(self, refs: Iterable[ObjectRef], *, certain: bool = True) -> set[str]:
        """Paths of the files and of the files of their indexes.

        Args:
            refs: the files.
            certain: whether all must be known; else a damaged index reaches only itself.

        Raises: CorruptError: an index cannot be read, if it must be certain.
        """
        paths: set[str] = set()
        for ref in refs:
            paths.add(ref.path)
            if is_index(ref):
                try:
                    paths.update(file.path for file in self.get_index(ref)[0])
                except CorruptError:
                    if certain:
                        raise
        return paths

    # -- moving and making -------------------------------------------------------------------

    def make_directory(self, path: Path) -> None:
        """Make a directory below the run so that it survives a power cut."""
        if not path.is_dir():
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SaveError(f"could not make {path}: {error.strerror}") from error
            fsync_directory(path.parent)

    def quarantine(self, paths: Iterable[str], label: str) -> list[str]:
        """Move files (those that exist) to ``quarantine/<time>-<label>-<random>/``, in order.

        Returns: the paths that were moved. Nothing rejected is ever deleted.

        Raises: SaveError, DurabilityError.
        """
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        base = self.root / layout.QUARANTINE / f"{stamp}-{label}-{secrets.token_hex(2)}"
        moved: list[str] = []
        for relative in paths:
            source, target = self.root / relative, base / relative
            if not os.path.lexists(source):
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(source, target)
            except OSError as error:
                raise SaveError(f"could not move {source} to {target}: {error.strerror}") from error
            fsync_directory(target.parent)
            fsync_directory(source.parent)
            moved.append(relative)
        return moved
