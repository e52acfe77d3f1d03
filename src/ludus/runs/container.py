"""The checkpoint container: one file that holds all that going on exactly needs.

Layout (little-endian)::

    0    prefix, 128 bytes: magic "LUDS", format version, flags, sizes, CRC32 and SHA-256 of header
         and of payload, CRC32 of the prefix itself
    128  header: canonical JSON, padded with spaces to a multiple of 64
    ...  payload at a multiple of 64: a safetensors file, compressed with zstd if flag 1 is set

Prefix and header can be read and verified without the payload. The digests are over the bytes as
stored, so nothing unverified is ever decompressed or parsed. Nothing follows the payload.

Migration: a reader refuses any other format version and names both. When the format changes, the
version is raised and a converter from each older version is kept in this module.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from numpy.typing import NDArray

from ludus.errors import CorruptError, RunError, VersionError
from ludus.runs import tensors as safetensors_files
from ludus.runs.jsonio import canonical_json, strict_json
from ludus.runs.objects import (
    Buffer,
    NameTakenError,
    NewFile,
    close_quietly,
    open_regular,
    unreadable,
)
from ludus.runs.schema import CONTAINER_VERSION

MAGIC = b"LUDS"
ALIGNMENT = 64
FLAG_ZSTD = 1
_KNOWN_FLAGS = FLAG_ZSTD
# magic, version, flags, prefix size, header size, payload offset, stored size, plain size,
# payload CRC32, header CRC32, payload SHA-256, header SHA-256, reserved, prefix CRC32
_PREFIX = struct.Struct("<4sHHIIQQQII32s32s12sI")
_HEADER_LIMIT = 4 << 20
_PIECE = 1 << 20
# A stored payload may decompress to this many times its size at most (zeros reach about 30,000).
_RATIO_LIMIT = 1 << 17


@dataclass(frozen=True)
class CheckpointHeader:
    """What is known of a checkpoint without its payload.

    Attributes:
        meta: the JSON given by the writer (run id, sequence, unit, schema ids, counters, ...).
        tensors: dtype and shape of each array.
        payload_offset, stored_size, plain_size: bytes.
        compressed: whether the payload is zstd.
        payload_crc32: of the stored payload.
        payload_sha256: of the stored payload, in hex.
        version: format version of the file.
    """

    meta: dict[str, Any]
    tensors: dict[str, Any]
    payload_offset: int
    stored_size: int
    plain_size: int
    compressed: bool
    payload_crc32: int
    payload_sha256: str
    version: int


class _Payload:
    """Counts and hashes what passes into the file."""

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.crc = 0
        self.size = 0

    def write(self, data: Buffer) -> None:
        if len(data):
            self._file.write(data)
            self._hash.update(data)
            self.crc = zlib.crc32(data, self.crc)
            self.size += len(data)

    def digest(self) -> bytes:
        return self._hash.digest()


def write_checkpoint(
    path: Path,
    tensors: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    *,
    compress: int = 0,
    alternatives: Callable[[int], str] | None = None,
) -> Path:
    """Write a checkpoint durably to a new name, streaming: no second copy of the arrays is made.

    Args:
        path: the file; its directory exists.
        tensors: arrays by name; they must not change meanwhile.
        meta: JSON for the header.
        compress: level of zstd, 1 to 19; 0 for none.
        alternatives: file name for the n-th further attempt (2, 3, ...) if the name is taken.

    Returns: the path written.

    Raises: NameTakenError, SaveError, DurabilityError; NumericsError or TypeError for content
        that cannot be stored.
    """
    header = canonical_json({"meta": dict(meta), "tensors": safetensors_files.describe(tensors)})
    header += b" " * (-(_PREFIX.size + len(header)) % ALIGNMENT)
    if len(header) > _HEADER_LIMIT:
        raise RunError(
            f"the header of {path} would have {len(header)} bytes: at most {_HEADER_LIMIT}"
        )
    with NewFile(path.parent, "checkpoint") as file:
        file.write(bytes(_PREFIX.size))
        file.write(header)
        payload, plain_size = _Payload(file), 0
        squeeze = zstandard.ZstdCompressor(level=compress).compressobj() if compress else None
        for piece in safetensors_files.encode(tensors, {}):
            plain_size += len(piece)
            for start in range(0, len(piece), _PIECE):
                part = piece[start : start + _PIECE]
                payload.write(squeeze.compress(part) if squeeze else part)
        if squeeze:
            payload.write(squeeze.flush())
        file.patch(0, _prefix(header, payload, plain_size, compress > 0))
        return _place(file, path, alternatives)


def _place(file: NewFile, path: Path, alternatives: Callable[[int], str] | None) -> Path:
    name, attempt = path.name, 1
    while True:
        try:
            return file.place(name)
        except NameTakenError:
            if alternatives is None or attempt >= 1000:
                raise
            attempt += 1
            name = alternatives(attempt)


def _prefix(header: bytes, payload: _Payload, plain_size: int, compress: bool) -> bytes:
    body = _PREFIX.pack(
        MAGIC,
        CONTAINER_VERSION,
        FLAG_ZSTD if compress else 0,
        _PREFIX.size,
        len(header),
        _PREFIX.size + len(header),
        payload.size,
        plain_size,
        payload.crc,
        zlib.crc32(header),
        payload.digest(),
        hashlib.sha256(header).digest(),
        bytes(12),
        0,
    )[:-4]
    return body + struct.pack("<I", zlib.crc32(body))


def _read_exactly(descriptor: int, size: int, path: Path) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = os.read(descriptor, min(_PIECE, size - len(data)))
        if not piece:
            raise CorruptError(f"{path} is cut short")
        data += piece
    return bytes(data)


def _open_header(path: Path) -> tuple[int, CheckpointHeader]:
    """Verify prefix, header and size; returns the open file, standing at the payload."""
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        raise RunError(f"there is no checkpoint {path}") from None
    try:
        return descriptor, _parse_header(descriptor, path)
    except OSError as error:
        close_quietly(descriptor)
        raise unreadable(path, error) from error
    except BaseException:
        close_quietly(descriptor)
        raise


def _parse_header(descriptor: int, path: Path) -> CheckpointHeader:
    prefix = _read_exactly(descriptor, _PREFIX.size, path)
    (
        magic,
        version,
        flags,
        prefix_size,
        header_size,
        payload_offset,
        stored_size,
        plain_size,
        payload_crc,
        header_crc,
        payload_sha,
        header_sha,
        reserved,
        prefix_crc,
    ) = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise CorruptError(f"{path} is no checkpoint of Ludus: it does not begin with LUDS")
    if zlib.crc32(prefix[:-4]) != prefix_crc:
        raise CorruptError(f"{path} is damaged in its first {_PREFIX.size} bytes")
    if version != CONTAINER_VERSION or flags & ~_KNOWN_FLAGS:
        raise VersionError(
            f"{path} has checkpoint format {version} with flags {flags}, and this version of Ludus "
            f"reads format {CONTAINER_VERSION}: use the version of Ludus that wrote it"
        )
    fits = (
        prefix_size == _PREFIX.size
        and payload_offset == _PREFIX.size + header_size
        and payload_offset % ALIGNMENT == 0
        and header_size <= _HEADER_LIMIT
        and reserved == bytes(12)
        and os.fstat(descriptor).st_size == payload_offset + stored_size
        and (plain_size == stored_size or flags & FLAG_ZSTD)
        and plain_size <= stored_size * _RATIO_LIMIT
    )
    if not fits:
        raise CorruptError(f"{path} is cut short or has sizes that do not fit together")
    header = _read_exactly(descriptor, header_size, path)
    if zlib.crc32(header) != header_crc or hashlib.sha256(header).digest() != header_sha:
        raise CorruptError(f"{path} is damaged in its header")
    document = strict_json(header, f"the header of {path}")
    meta, described = document.get("meta"), document.get("tensors")
    if not isinstance(meta, dict) or not isinstance(described, dict):
        raise CorruptError(f"the header of {path} lacks meta or tensors")
    # What is decompressed is held in memory: no more than the arrays take.
    arrays = safetensors_files.described_bytes(described, f"the header of {path}")
    if not 0 <= plain_size - arrays <= 8 + safetensors_files.HEADER_LIMIT:
        raise CorruptError(f"{path} promises {plain_size} bytes of arrays that take {arrays}")
    return CheckpointHeader(
        meta=meta,
        tensors=described,
        payload_offset=payload_offset,
        stored_size=stored_size,
        plain_size=plain_size,
        compressed=bool(flags & FLAG_ZSTD),
        payload_crc32=payload_crc,
        payload_sha256=payload_sha.hex(),
        version=version,
    )


def read_header(path: Path) -> CheckpointHeader:
    """Read and verify the header without the payload.

    Raises: RunError if there is no such file; CorruptError, VersionError.
    """
    descriptor, header = _open_header(path)
    close_quietly(descriptor)
    return header


def _verify_payload(descriptor: int, header: CheckpointHeader, path: Path) -> None:
    digest, crc, size = hashlib.sha256(), 0, 0
    while piece := os.read(descriptor, _PIECE):
        digest.update(piece)
        crc = zlib.crc32(piece, crc)
        size += len(piece)
    if (size, crc, digest.hexdigest()) != (
        header.stored_size,
        header.payload_crc32,
        header.payload_sha256,
    ):
        raise CorruptError(f"{path} is damaged in its payload")
    os.lseek(descriptor, header.payload_offset, os.SEEK_SET)


def _plain_pieces(descriptor: int, header: CheckpointHeader, path: Path) -> Iterator[bytes]:
    """The safetensors bytes of a verified payload; never more than the header promises."""
    if not header.compressed:
        while piece := os.read(descriptor, _PIECE):
            yield piece
        return
    size = 0
    try:
        with (
            open(descriptor, "rb", closefd=False) as file,
            zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream,
        ):
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > header.plain_size:
                    break
                yield piece
    except zstandard.ZstdError as error:
        raise CorruptError(f"{path} cannot be decompressed: {error}") from error
    if size != header.plain_size:
        raise CorruptError(f"{path} does not decompress to {header.plain_size} bytes")


def verify_checkpoint(path: Path) -> CheckpointHeader:
    """Verify the whole file without parsing the payload; returns the header.

    Raises: RunError if there is no such file; CorruptError, VersionError.
    """
    descriptor, header = _open_header(path)
    try:
        _verify_payload(descriptor, header, path)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        close_quietly(descriptor)
    return header


def read_checkpoint(path: Path) -> tuple[dict[str, NDArray[Any]], CheckpointHeader]:
    """Arrays and header of a checkpoint, all verified before anything is parsed.

    Raises: RunError if there is no such file; CorruptError, VersionError.
    """
    descriptor, header = _open_header(path)
    try:
        _verify_payload(descriptor, header, path)
        data = b"".join(_plain_pieces(descriptor, header, path))
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        close_quietly(descriptor)
    found = safetensors_files.decode(data, str(path))[0]
    if safetensors_files.describe(found) != header.tensors:
        raise CorruptError(f"{path} holds other arrays than its header says")
    return found, header


def extract_checkpoint(path: Path, target: Path) -> CheckpointHeader:
    """Write the payload as a plain safetensors file to a new name; returns the header.

    Raises: RunError if there is no such checkpoint or `target` exists; CorruptError, VersionError;
        SaveError, DurabilityError.
    """
    descriptor, header = _open_header(path)
    try:
        _verify_payload(descriptor, header, path)
        with NewFile(target.parent, "extract") as file:
            for piece in _plain_pieces(descriptor, header, path):
                file.write(piece)
            file.place(target.name)
    except NameTakenError:
        raise RunError(f"{target} exists already: name another file") from None
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        close_quietly(descriptor)
    return header
