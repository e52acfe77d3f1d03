"""Arrays as safetensors: written as a stream without a copy, parsed by the safetensors library.

The layout is the public one: 8 bytes little-endian size of the header, a JSON header padded with
spaces to a multiple of 8, then the raw little-endian arrays. The same arrays and the same JSON
always give the same bytes, so that equal content has equal digests.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from ludus.errors import CorruptError
from ludus.runs.jsonio import canonical_json, strict_json

_NAMES = {
    "bool": "BOOL",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}
_SIZES = {name: np.dtype(dtype).itemsize for dtype, name in _NAMES.items()}
HEADER_LIMIT = 16 << 20
"""Bytes of a header that is read."""
_META = "ludus"


def _prepared(tensors: Mapping[str, NDArray[Any]]) -> list[tuple[str, NDArray[Any], str]]:
    """Contiguous little-endian arrays with dtype names, the widest first so that all align."""
    rows = []
    for name, tensor in tensors.items():
        array = np.asarray(tensor)
        if array.dtype.name not in _NAMES or name == "__metadata__":
            raise TypeError(f"array {name!r} of dtype {array.dtype} cannot be stored")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        # Not ascontiguousarray, which would turn a scalar into a vector.
        rows.append((name, np.asarray(little, order="C"), _NAMES[array.dtype.name]))
    return sorted(rows, key=lambda row: (-row[1].itemsize, row[0]))


def describe(tensors: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, Any]]:
    """Dtype (as safetensors names it) and shape of each array, by name in order."""
    return {
        name: {"dtype": dtype, "shape": list(array.shape)}
        for name, array, dtype in sorted(_prepared(tensors), key=lambda row: row[0])
    }


def encode(
    tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]
) -> Iterator[bytes | memoryview]:
    """The pieces of a safetensors file; array data are views, not copies, where contiguous.

    Args:
        tensors: arrays of the dtypes that safetensors knows.
        meta: JSON, stored in the header's ``__metadata__``.

    Raises: TypeError for another dtype; NumericsError for a `meta` that is not finite.
    """
    rows = _prepared(tensors)
    text = json.dumps(json.loads(canonical_json(meta)), sort_keys=True, separators=(",", ":"))
    header: dict[str, Any] = {"__metadata__": {_META: text}}
    offset = 0
    for name, array, dtype in rows:
        end = offset + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    body = json.dumps(header, separators=(",", ":")).encode("ascii")
    body += b" " * (-len(body) % 8)
    yield struct.pack("<Q", len(body)) + body
    for _, array, _ in rows:
        if array.nbytes:
            yield array.reshape(-1).view(np.uint8).data


def described_bytes(described: Mapping[str, Any], what: str) -> int:
    """Bytes of the arrays that :func:`describe` describes.

    Raises: CorruptError for anything that it never wrote.
    """
    total = 0
    for name, about in described.items():
        shape = about.get("shape") if isinstance(about, dict) else None
        if not isinstance(shape, list) or str(about.get("dtype")) not in _SIZES:
            raise CorruptError(f"{what} describes its array {name[:80]!r} in no known way")
        if any(type(size) is not int or size < 0 for size in shape):
            raise CorruptError(f"{what} gives its array {name[:80]!r} a shape that cannot be")
        total += math.prod(shape) * _SIZES[str(about["dtype"])]
    return total


def require_header(file: BinaryIO, what: str) -> None:
    """Refuse a file whose first bytes cannot be those of safetensors, before the rest is read.

    The file stands at its beginning before and after.

    Raises: CorruptError.
    """
    length = os.fstat(file.fileno()).st_size
    head = file.read(8)
    size = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    if not 2 <= size <= min(HEADER_LIMIT, length - 8):
        raise CorruptError(f"{what} is no safetensors file: its header would have {size} bytes")
    file.seek(0)


def decode(data: bytes, what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays (fresh, writable) and JSON of a safetensors file held in memory.

    Raises: CorruptError, naming the file as `what`.
    """
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"{what} is no valid safetensors file: {error}") from error
    (size,) = struct.unpack_from("<Q", data)
    if size > HEADER_LIMIT:
        raise CorruptError(f"{what} has a header of {size} bytes, more than {HEADER_LIMIT}")
    about = strict_json(data[8 : 8 + size], what).get("__metadata__") or {}
    stored = about.get(_META)
    meta = strict_json(stored.encode("utf-8"), what) if isinstance(stored, str) else {}
    return tensors, meta
