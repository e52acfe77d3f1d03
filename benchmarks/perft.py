"""Counting the leaves of Othello's tree: moves and flips without anything around them.

Beside it the walk over the interface of games, which every game has. With ``LUDUS_PEER_EDAX`` set
to an executable of Edax (with its ``data`` folder, where it is started), beside Edax too.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ludus import _core
from ludus.measure import Figure, Goal, in_turns

DEPTH, QUICK_DEPTH, WALKED = 11, 9, 8
"""Plies that are counted, and those of the walk, which is much slower."""

GOAL = 185e6
"""Leaves a second: half of what Edax counts on the machine that the goals were set on."""

_ROW = re.compile(r"^\s*(\d+),\s*(\d+),")


class Edax:
    """A running Edax that counts when it is asked."""

    def __init__(self, path: Path) -> None:
        """Start it in the folder that has its ``data``."""
        home = path.parent.parent if (path.parent.parent / "data").is_dir() else path.parent
        self._process = subprocess.Popen(
            [str(path), "-verbose", "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home,
            text=True,
        )

    def count(self, depth: int) -> float:
        """Leaves of all depths up to this one, all of which Edax counts."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"perft {depth}\n")
        self._process.stdin.flush()
        leaves = 0
        for line in self._process.stdout:
            row = _ROW.match(line)
            if row is None:
                continue
            leaves += int(row[2])
            if int(row[1]) == depth:
                return float(leaves)
        raise RuntimeError(f"Edax ended before it had counted {depth} plies")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def edax() -> Iterator[Edax | None]:
    """The peer, if the environment names one."""
    path = os.environ.get("LUDUS_PEER_EDAX")
    peer = Edax(Path(path)) if path else None
    try:
        yield peer
    finally:
        if peer is not None:
            peer.close()


def measure(quick: bool) -> list[Figure]:
    """Leaves a second from the start, one thread."""
    start = _core.game("othello").initial()
    depth = QUICK_DEPTH if quick else DEPTH

    def count() -> float:
        return float(_core.perft(start, depth))

    def walk() -> float:
        return float(_core.perft(start, WALKED, bulk=False))

    title = f"othello: perft {depth}"
    rival = ("the walk over the interface", walk)
    figures = [
        in_turns(title, "leaves/s", count, against=rival, quick=quick, goal=Goal(GOAL)),
    ]
    with edax() as peer:
        if peer is not None:
            running = peer
            figures.append(
                in_turns(
                    f"{title} beside Edax",
                    "leaves/s",
                    count,
                    against=("Edax", lambda: running.count(depth)),
                    quick=quick,
                    goal=Goal(0.5, on="ratio"),
                )
            )
    return figures
