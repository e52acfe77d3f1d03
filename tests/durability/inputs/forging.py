"""Files of our own formats with any content, checksums right: what a forger would write."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

# As in docs/run-directory.md, on purpose not taken from the product.
_PREFIX = struct.Struct("<4sHHIIQQQII32s32s12sI")


def safetensors_bytes(header: Mapping[str, Any] | bytes, body: bytes) -> bytes:
    """A safetensors file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def container(
    header: Mapping[str, Any] | bytes,
    payload: bytes,
    *,
    version: int = 1,
    flags: int = 0,
    header_size: int | None = None,
    offset: int | None = None,
    stored: int | None = None,
    plain: int | None = None,
    reserved: bytes = bytes(12),
) -> bytes:
    """A checkpoint with this header and payload; sizes are right where not given."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(_PREFIX.size + len(text)) % 64)
    body = _PREFIX.pack(
        b"LUDS",
        version,
        flags,
        _PREFIX.size,
        len(text) if header_size is None else header_size,
        _PREFIX.size + len(text) if offset is None else offset,
        len(payload) if stored is None else stored,
        len(payload) if plain is None else plain,
        zlib.crc32(payload),
        zlib.crc32(text),
        hashlib.sha256(payload).digest(),
        hashlib.sha256(text).digest(),
        reserved,
        0,
    )[:-4]
    return body + struct.pack("<I", zlib.crc32(body)) + text + payload


def manifest_bytes(document: Mapping[str, Any]) -> bytes:
    """A manifest with its digest."""
    body = {name: value for name, value in document.items() if name != "digest"}
    digest = hashlib.sha256(_canonical(body)).hexdigest()
    return _canonical({**body, "digest": digest})


def _canonical(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"
