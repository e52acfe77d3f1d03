"""Bars, sparklines and small charts out of characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from ludus.monitor.tui.palette import FAINT

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def bar(share: float, width: int, colour: str) -> Text:
    """A bar, full at a share of 1; in halves of a cell."""
    width = max(1, width)
    halves = int(max(0.0, min(1.0, share)) * width * 2 + 1e-9)
    full, half = divmod(halves, 2)
    text = Text("━" * full, style=colour)
    if half:
        text.append("╸", style=colour)
    text.append("━" * (width - full - half), style=FAINT)
    return text


def fit(values: Sequence[float], width: int) -> list[float]:
    """Just `width` values: means of neighbours, or each value several times."""
    if len(values) <= width:
        return [values[index * len(values) // width] for index in range(width)]
    edges = [round(index * len(values) / width) for index in range(width + 1)]
    return [sum(values[left:right]) / (right - left) for left, right in pairwise(edges)]


def spark(values: Sequence[float], width: int) -> str:
    """A line of columns, the newest value to the right.

    The least value has the lowest column, not none; a curve without spread is a thin line.
    """
    points = fit(values, width) if values else []
    low, spread = _range(points)
    if spread <= 0.0:
        return ("─" if points else " ") * width
    return "".join(_EIGHTHS[1 + round((value - low) / spread * 7)] for value in points)


def chart(values: Sequence[float], width: int, height: int) -> list[str]:
    """A curve in braille dots, two a cell across and four down, from top to bottom."""
    points = fit(values, 2 * width) if values else []
    low, spread = _range(points)
    rows = 4 * height
    cells = [[0] * width for _ in range(height)]
    before: int | None = None
    for column, value in enumerate(points):
        part = (value - low) / spread if spread > 0.0 else 0.5
        row = rows - 1 - round(part * (rows - 1))
        # Neighbours are joined, so that a jump is a stroke and no gap.
        first, last = (row, row) if before is None else (min(row, before), max(row, before))
        if before is not None and last - first > 1:
            first, last = (first + (before < row), last - (before > row))
        for dot in range(first, last + 1):
            cells[dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
        before = row
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]


def _range(points: Sequence[float]) -> tuple[float, float]:
    low = min(points, default=0.0)
    return low, max(points, default=0.0) - low
