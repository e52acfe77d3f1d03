"""Results on stdout, the rest on stderr; tables and JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from ludus.errors import UserError


def clean(value: Any) -> Any:
    """JSON without numbers that JSON does not know: NaN and infinity become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(clean(value), indent=1, default=str) + "\n")


def say(text: str = "") -> None:
    """A result line on stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A line for people on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def printable(text: object) -> str:
    """Text without control characters: names and messages cannot steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns wide enough for their longest cell; numbers to the right."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max([len(title), *(len(row[column]) for row in cells)]) for column, title in enumerate(head)
    ]
    right = [
        bool(rows) and all(isinstance(row[column], int | float) for row in rows)
        for column in range(len(head))
    ]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([line(list(head)), *(line(row) for row in cells)])


def megabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def in_range(name: str, number: int, low: int, high: int) -> None:
    """Refuse an option's or argument's number outside its range.

    Raises:
        UserError: it lies outside.
    """
    if not low <= number <= high:
        raise UserError(f"{name} is {number}; it must lie in {low}..{high}")
