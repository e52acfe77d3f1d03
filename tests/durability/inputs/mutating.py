"""Mutations of valid inputs: of bytes, of JSON values, of files with their checksums mended."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Make = Callable[[random.Random], bytes]

_BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\n", b"\r", b" ", b'"', b"[", b"{", b"]", b"-", b"=")
_WORDS = (
    b"-1",
    b"0",
    b"255",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1e309",
    b"NaN",
    b"-Infinity",
    b"null",
    b"true",
    b"../../etc/passwd",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"%s%n",
    b"\x1b[2J",
    b"!!python/object:os.system",
    b"&a [*a]",
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    2**200,
    -(2**63) - 1,
    0.5,
    -1e308,
    1e308,
    "",
    "x",
    "../../x",
    "/etc/passwd",
    "\x00",
    "\ud800",
    "9" * 50,
    "0x10",
    "\u0663",
    [],
    {},
    [[]],
    [None],
    {"a": {"b": []}},
    [0] * 50,
)


def of_bytes(corpus: Sequence[bytes], words: Sequence[bytes] = ()) -> Make:
    """Mutations of one of these, at one to four places."""
    vocabulary = (*_BYTES, *_WORDS, *words)

    def make(rng: random.Random) -> bytes:
        # Numbers are drawn as floats: that is three times as fast as randrange.
        draw = rng.random
        data = bytearray(corpus[int(draw() * len(corpus))])
        for _ in range(1 + int(draw() * 4)):
            size = len(data)
            at, kind = int(draw() * (size + 1)), int(draw() * 8)
            if kind == 0 and size:
                data[min(at, size - 1)] ^= 1 << int(draw() * 8)
            elif kind == 1 and size:
                data[min(at, size - 1)] = int(draw() * 256)
            elif kind == 2:
                del data[at : at + 1 + int(draw() * 8)]
            elif kind == 3:
                data[at:at] = data[at : at + 1 + int(draw() * 16)]
            elif kind == 4:
                data[at:at] = vocabulary[int(draw() * len(vocabulary))]
            elif kind == 5:
                word = vocabulary[int(draw() * len(vocabulary))]
                data[at : at + len(word)] = word
            elif kind == 6:
                other = corpus[int(draw() * len(corpus))]
                data[at:] = other[int(draw() * (len(other) + 1)) :]
            elif draw() < 0.3:
                del data[at:]
        return bytes(data)

    return make


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    """All pairs of a container and a key in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            found.append((value, key))
            _places(inner, found)
    elif isinstance(value, list):
        for at, inner in enumerate(value[:20]):
            found.append((value, at))
            _places(inner, found)


def mutated_json(document: Any, rng: random.Random) -> Any:
    """A copy with one or two values replaced, removed, doubled or renamed."""
    changed = copy.deepcopy(document)
    for _ in range(1 + int(rng.random() * 2)):
        found: list[tuple[Any, Any]] = []
        _places(changed, found)
        if not found:
            break
        holder, key = found[int(rng.random() * len(found))]
        kind = rng.random()
        value = _VALUES[int(rng.random() * len(_VALUES))]
        if kind < 0.5:
            holder[key] = copy.deepcopy(value)
        elif kind < 0.6:
            del holder[key]
        elif kind < 0.8 and isinstance(holder[key], int | float):
            holder[key] = -holder[key] if rng.random() < 0.3 else holder[key] + rng.choice((1, -1))
        elif isinstance(holder, dict):
            holder[rng.choice(("x", "__class__", "", str(key) + " "))] = holder.pop(key)
        else:
            holder.append(copy.deepcopy(holder[key]))
    return changed


def of_json(documents: Sequence[Any], encode: Callable[[Any], bytes] | None = None) -> Make:
    """Mutations of the values of one of these documents, written by `encode`."""

    def make(rng: random.Random) -> bytes:
        changed = mutated_json(documents[int(rng.random() * len(documents))], rng)
        try:
            return json.dumps(changed).encode() if encode is None else encode(changed)
        except (ValueError, TypeError, AttributeError, OverflowError):
            return b"{}"  # what cannot be written

    return make


def either(*makes: Make) -> Make:
    """One of these, all alike."""

    def make(rng: random.Random) -> bytes:
        return makes[int(rng.random() * len(makes))](rng)

    return make
