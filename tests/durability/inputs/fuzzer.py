"""A process that fuzzes parsers; what it does just now stands in a file, for when it dies.

``fuzzer.py SEED COUNT FOLDER``: prints what it found as JSON. Every block of inputs has a seed of
its own: (seed, parser, block) makes the same inputs again.
"""

from __future__ import annotations

import json
import mmap
import random
import resource
import struct
import sys
import time
from collections import Counter
from pathlib import Path

from tests.durability.inputs.parsers import Parser, all_parsers

from ludus.errors import LudusError

BLOCK = 500
SECONDS = 1.0
"""Of processor time that one input may take."""
ROOM = 512 << 20
"""Bytes of memory above what the process has when it begins."""
NOW = struct.Struct("<QQQ")
"""Number of the parser, block, input: what is worked on."""


def inputs(parser: Parser, seed: int, block: int) -> list[bytes]:
    """The inputs of a block."""
    rng = random.Random(repr((seed, parser.name, block)))
    return [parser.make(rng) for _ in range(BLOCK)]


def work(seed: int, count: int, folder: Path) -> dict[str, object]:
    """Fuzz all parsers, in turn, with so many inputs together."""
    parsers = all_parsers(folder)
    with (folder / "now").open("w+b") as file:
        file.truncate(NOW.size)
        now = mmap.mmap(file.fileno(), NOW.size)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
    whole = sum(parser.share for parser in parsers)
    done: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    wrong: list[list[str]] = []
    for place, parser in enumerate(parsers):
        known = (LudusError, *parser.expected)
        for block in range(max(1, round(count * parser.share / whole / BLOCK))):
            made = inputs(parser, seed, block)
            for number, data in enumerate(made):
                NOW.pack_into(now, 0, place, block, number)
                began = time.process_time()
                try:
                    parser.parse(data)
                    accepted[parser.name] += 1
                except known:
                    pass
                except Exception as error:  # noqa: BLE001 - whatever is raised is the finding
                    said = f"{type(error).__name__}: {str(error)[:120]}"
                    kind = "torn" if type(error).__name__ == "NotAsWrittenError" else "other"
                    wrong.append([kind, _about(parser, block, number, data, said)])
                took = time.process_time() - began
                if took > SECONDS:
                    wrong.append(["other", _about(parser, block, number, data, f"{took:.1f} s")])
            done[parser.name] += len(made)
    return {"done": done, "accepted": accepted, "wrong": wrong, "parsers": len(parsers)}


def _about(parser: Parser, block: int, number: int, data: bytes, said: str) -> str:
    return f"{parser.name}, block {block}, input {number}: {said}; it was {data[:160]!r}"


if __name__ == "__main__":
    print(json.dumps(work(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
