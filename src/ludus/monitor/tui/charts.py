"""Bars, sparklines and small charts out of characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from ludus.monitor.tui.palette import FAINT

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bar(share: float, width: int, colour: str) -> Text:
    """A bar, full at a share of 1."""
    width = max(1, width)
    full = int(max(0.0, min(1.0, share)) * width + 1e-9)
    text = Text("━" * full, style=colour)
    text.append("━" * (width - full), style=FAINT)
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
    """A line of columns over several rows, from top to bottom; as :func:`spark` otherwise."""
    points = fit(values, width) if values else []
    low, spread = _range(points)
    if spread <= 0.0:
        return [" " * width] * (height - 1) + [("─" if points else " ") * width]
    top = 8 * height - 1
    columns = [1 + round((value - low) / spread * top) for value in points]
    return [
        "".join(_EIGHTHS[max(0, min(8, column - 8 * row))] for column in columns)
        for row in reversed(range(height))
    ]


def _range(points: Sequence[float]) -> tuple[float, float]:
    low = min(points, default=0.0)
    return low, max(points, default=0.0) - low
