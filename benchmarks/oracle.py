"""The exact solver of solitaire Yatzy: time and memory of its table."""

from __future__ import annotations

from ludus import _core
from ludus.measure import Figure, in_turns


def measure(quick: bool) -> list[Figure]:
    """Tables a second on two threads, with the seconds and the bytes of one."""
    built: list[_core.YatzyOracle] = []

    def work() -> float:
        built[:] = [_core.YatzyOracle(threads=2)]
        return 1.0

    figure = in_turns("yatzy: oracle table, two threads", "tables/s", work, quick=quick)
    figure.extra["seconds"] = round(1.0 / figure.median, 4)
    figure.extra["table_mb"] = round(built[0].table_bytes / 1e6, 2)
    return [figure]
