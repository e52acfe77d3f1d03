"""Reading what others wrote: whole files of a bounded size, JSON and YAML of a bounded depth.

A file may be a pipe that nobody writes to, a device without an end, a link to either, or hold a
few bytes that unfold to gigabytes. What is raised here is OSError for the file and ValueError,
with one line, for what it says: never RecursionError or MemoryError, and nothing hangs.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

SETTINGS_LIMIT = 1 << 16
"""Bytes of a YAML file of settings or rules; parsing it in Python takes a quarter of a second."""

_DEEPEST = 100
_MOST_NODES = 100_000
_LONGEST_NUMBER = 4096
"""Bits of a whole number; printing longer ones takes time, and Python refuses at 4300 digits."""


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; links are followed.

    Raises:
        OSError: it cannot be opened, or is a pipe, a device, a socket or a directory.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return open(descriptor, "rb")


def read_regular(path: str | Path, limit: int) -> bytes:
    """The whole of a regular file of at most so many bytes.

    Raises:
        OSError: as of :func:`open_regular`, or it is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        # A file of /proc has no size, and one may grow while it is read.
        data = b"" if size > limit else file.read(limit + 1)
    if size > limit or len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return data


def parse_json(data: bytes) -> Any:
    """A JSON document in UTF-8.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_yaml(data: bytes | str, limit: int = SETTINGS_LIMIT) -> Any:
    """The first document of a YAML text, of plain values only.

    Raises:
        ValueError: no YAML, longer than `limit`, nested too deeply, more than 100,000 values when
            its aliases are written out, or a whole number of more than a thousand digits.
    """
    import yaml

    if len(data) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    _require_shallow(data)
    try:
        tree = yaml.safe_load(data)
        _count(tree, {}, 0)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        # Also of dates such as 2026-13-45 and of tags whose text does not fit them.
        raise ValueError(" ".join(str(error).split())) from None
    return tree


def _require_shallow(data: bytes | str) -> None:
    """Refuse nesting that takes the parser quadratic time before it gives up."""
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > _DEEPEST:
                raise ValueError("it is nested too deeply")
        elif character in "]}":
            depth = max(0, depth - 1)


def _count(tree: Any, known: dict[int, int], depth: int) -> int:
    """Values of a tree with aliases written out; -1 marks what is being counted."""
    if isinstance(tree, int) and tree.bit_length() > _LONGEST_NUMBER:
        raise ValueError("it holds a whole number of more than a thousand digits")
    if not isinstance(tree, dict | list | tuple | set):
        return 1
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    counted = known.get(id(tree))
    if counted is not None:
        if counted < 0:
            raise ValueError("an alias holds itself")
        return counted
    known[id(tree)] = -1
    inner = [*tree, *tree.values()] if isinstance(tree, dict) else list(tree)
    total = 1 + sum(_count(value, known, depth + 1) for value in inner)
    if total > _MOST_NODES:
        raise ValueError(f"its aliases unfold to more than {_MOST_NODES} values")
    known[id(tree)] = total
    return total
