"""Keeps the floors of the C++ core: who may include whom.

A file of `cpp/<room>/` may include headers of its own room and of the rooms below it. Nothing
outside `bindings` may include Python or nanobind, and no header may be reached by a relative path.
Run by `.ci/run`; prints one line a violation and exits with 1 if there are any.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# Lowest first; the rooms of one entry are neighbours that do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("base",),
    ("games",),
    ("search",),
    ("oracles",),
    ("patterns",),
    ("play",),
    ("bindings",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)
PYTHON = re.compile(r"^(Python\.h|nanobind/|pybind11/|numpy/)")
SOURCES = {".h", ".hpp", ".cpp", ".cc"}


def violations(root: Path) -> list[str]:
    """One sentence for each include below `root` (the folder `cpp`) that the floors forbid."""
    found: list[str] = []
    for path in sorted(p for p in root.rglob("*") if p.suffix in SOURCES):
        room = path.relative_to(root).parts[0]
        where = path.relative_to(root.parent).as_posix()
        if room not in LEVEL:
            found.append(f"{where}: {room} is not a room; the rooms are {', '.join(LEVEL)}")
            continue
        text = path.read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            reason = judge(room, match[1] == '"', match[2])
            if reason:
                found.append(f"{where}:{line}: {reason}")
    return found


def judge(room: str, own: bool, name: str) -> str | None:
    """Why a file of `room` may not include `name`, or None. `own`: written with quotes."""
    if PYTHON.match(name):
        return None if room == "bindings" else f"{room} must not know Python, but includes <{name}>"
    if not own:
        return None
    if name.startswith("."):
        return f'write "room/file.h", not the relative path "{name}"'
    other = name.split("/")[0]
    if "/" not in name or other not in LEVEL:
        return f'"{name}" is not of the form "room/file.h"'
    if other != room and LEVEL[other] >= LEVEL[room]:
        return f'{room} may not use {other}, which is not below it ("{name}")'
    return None


def main(arguments: list[str]) -> int:
    """Checks the folder named, by default `cpp` beside this one."""
    default = Path(__file__).resolve().parent.parent / "cpp"
    root = Path(arguments[0]) if arguments else default
    found = violations(root)
    for line in found:
        print(line)
    files = sum(1 for p in root.rglob("*") if p.suffix in SOURCES)
    print(f"includes: {files} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
