"""Numbers, times and foreign text, as people read them."""

from __future__ import annotations

import math
import time
from typing import Any

from ludus.monitor.view import number

MISSING = "–"
"""Stands for a cell without a value."""


def plain(value: Any) -> str:
    """Text that cannot steer the terminal: what is not printable is shown, never sent."""
    return "".join(_shown(char) for char in str(value))


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    if char in "\n\r\t":
        return " "
    code = ord(char)
    return chr(0x2400 + code) if code < 32 else "·"


def duration(seconds: float | None) -> str:
    """From a day on days and hours, from an hour on hours with one decimal, else minutes."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    seconds = max(0.0, seconds)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        return f"{seconds / 60:.0f} min"
    if seconds < 86400 - 180:
        return f"{seconds / 3600:.1f} h"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def short(value: float) -> str:
    """A number in at most five characters or so: ``835``, ``17.2k``, ``1.4M``."""
    size = abs(value)
    if size >= 999_950:
        return f"{value / 1e6:.1f}M"
    if size >= 99_950:
        return f"{value / 1e3:.0f}k"
    if size >= 9_995:
        return f"{value / 1e3:.1f}k"
    if size >= 99.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.3g}"


def count(value: Any) -> str:
    """A whole number with separators of thousands."""
    known = number(value)
    return MISSING if known is None else f"{known:,.0f}"


def percent(share: Any, digits: int = 1) -> str:
    """A share as a percentage."""
    known = number(share)
    return MISSING if known is None else f"{known:.{digits}%}".replace("%", " %")


def size_text(value: float) -> str:
    """Bytes."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= factor:
            return (
                f"{value / factor:.1f} {unit}"
                if value < 99.95 * factor
                else (f"{value / factor:.0f} {unit}")
            )
    return f"{value / 1e3:.0f} kB"


def clock(ts_ms: Any, now: float | None = None) -> str:
    """Time of a day, with the date in front if it was another day; 8 or 11 characters."""
    known = number(ts_ms)
    if known is None or not 0 <= known < 4e12:
        return MISSING
    then = time.localtime(known / 1000)
    today = time.localtime(time.time() if now is None else now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    return time.strftime("%m-%d %H:%M", then)


def signed(value: float) -> str:
    """A whole number with its sign."""
    return f"{value:+.0f}".replace("-", "−")
