"""Memory of this process, and what machine and container allow it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

NO_COMPONENT = ("total", "budget", "growth", "fragmentation")
"""Entries of a memory report (``Session.memory``) that are no component of it."""

_CGROUP = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 60


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def peak_bytes() -> int | None:
    """Most resident memory that this process had so far; None where the system does not say."""
    return _kibibytes(Path("/proc/self/status"), "VmHWM:") or resident_bytes()


def _kibibytes(file: Path, name: str) -> int | None:
    """Bytes by the line of a file that begins with the name; None if there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None


def available_bytes() -> int | None:
    """Memory that the machine could give now without swapping; None where it does not say."""
    return _kibibytes(Path("/proc/meminfo"), "MemAvailable:")


def memory_limit(cgroup: Path = _CGROUP, own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Memory that this process may use: of the machine, or of its container if that is less.

    Args:
        cgroup: where control groups are mounted, version 1 or 2.
        own: names the groups of this process.

    Returns: bytes; None where the system does not say.
    """
    found = (_limit_in(path) for path in _limit_files(cgroup, own))
    limits = [limit for limit in found if limit is not None]
    with contextlib.suppress(OSError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)


def _limit_files(cgroup: Path, own: Path) -> Iterator[Path]:
    """Files that may hold a limit: of the own groups and of all above them."""
    try:
        lines = own.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in ["0::/", "0:memory:/", *lines]:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        base, file = cgroup, "memory.max"
        if controllers:
            if "memory" not in controllers.split(","):
                continue
            base, file = cgroup / "memory", "memory.limit_in_bytes"
        group = base / name.lstrip("/")
        for folder in (group, *group.parents):
            yield folder / file
            if folder == base:
                break


def _limit_in(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    limit = int(text) if text.isdecimal() else _NO_LIMIT
    return limit if 0 < limit < _NO_LIMIT else None


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def fragmentation() -> float | None:
    """Share of the allocator's memory that is free and not given back; None without glibc 2.33."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return None
    ask.restype = _Mallinfo2
    info = ask()
    held = int(info.arena) + int(info.hblkhd)
    return int(info.fordblks) / held if held else 0.0


def trim() -> None:
    """Ask the allocator to give back what is free (glibc; elsewhere nothing happens)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
