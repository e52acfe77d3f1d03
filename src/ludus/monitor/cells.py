"""Cells of CSV files that people open in spreadsheets."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t")
"""How spreadsheets know a formula."""


def cell(value: Any) -> Any:
    """A value for a cell: a text of a run is one line, and no formula; anything else stays."""
    if not isinstance(value, str):
        return value
    # A lone carriage return would end the row for readers, and the writer does not quote it.
    line = " ".join(value.splitlines())
    return f"'{line}" if line.startswith(_FORMULA) else line
