"""How a training run is shown while it works: one live line on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

PLAIN_SECONDS = 10.0
"""Pause between two plain lines."""


def describe(beat: Mapping[str, Any]) -> str:
    """A heartbeat as one line of text."""
    parts = [f"iteration {beat.get('iteration', 0)}"]
    phase = beat.get("phase")
    done, total, unit = beat.get("done"), beat.get("total"), beat.get("unit") or ""
    if beat.get("waiting"):
        parts.append(f"waiting: {beat.get('reason', '')}")
    elif phase:
        parts.append(f"{phase} {done}/{total} {unit}".rstrip() if total else str(phase))
    for key, text in (
        ("games_per_second", "{:.0f} games/s"),
        ("leaves_per_second", "{:,.0f} leaves/s"),
        ("steps_per_second", "{:.1f} steps/s"),
        ("loss", "loss {:.3f}"),
        ("loss_policy", "policy {:.3f}"),
        ("loss_value", "value {:.3f}"),
    ):
        value = beat.get(key)
        if isinstance(value, int | float):
            parts.append(text.format(value))
    if beat.get("gate"):
        parts.append(str(beat["gate"]))
    strength = beat.get("strength")
    if isinstance(strength, Mapping) and strength:
        parts.append(" ".join(f"{name} {rate:.0%}" for name, rate in strength.items()))
    alerts = beat.get("alerts")
    if isinstance(alerts, list) and alerts:
        more = f" and {len(alerts) - 2} more" if len(alerts) > 2 else ""
        parts.append(f"ALERT {', '.join(map(str, alerts[:2]))}{more}")
    if beat.get("warnings"):
        parts.append(f"warnings {beat['warnings']}")
    if beat.get("elo"):
        openskill = str(beat["elo"]).endswith("openskill")
        parts.append(f"{'rating' if openskill else 'Elo'} {beat['elo']}")
    if beat.get("eta"):
        parts.append(f"ETA {beat['eta']}")
    return " | ".join(parts)


def rating_unit(found: Mapping[str, Any] | None) -> str:
    """What a rating's points are called: Elo, or openskill for more than two seats."""
    kind = (found or {}).get("rating_kind")
    return "Elo" if kind in (None, "elo") else str(kind)


def rating_text(found: Mapping[str, Any] | None) -> str | None:
    """``1234 +- 21``, or a bound, for people, with its unit if not Elo; None without a rating."""
    if found is None or found.get("elo") is None:
        return None
    if found["standing"] == "rated":
        unit = rating_unit(found)
        text = f"{found['elo']:.0f} +- {found['elo_se']:.0f}"
        return text if unit == "Elo" else f"{text} {unit}"
    bound = found.get("bound")
    return None if bound is None else f"{found['standing']} {bound:.0f}"


class PlainView:
    """A line every ten seconds, and at each change of phase a line when that is longer ago."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = 0.0
        self._phase: tuple[Any, Any] | None = None

    def beat(self, beat: Mapping[str, Any]) -> None:
        """Show progress, if it is time."""
        if not beat.get("phase") and not beat.get("waiting"):
            return
        now = time.monotonic()
        phase = (beat.get("iteration"), beat.get("phase"))
        pause = PLAIN_SECONDS if phase == self._phase else PLAIN_SECONDS / 4
        if now - self._last >= pause:
            self._last, self._phase = now, phase
            self.note(describe(beat))

    def note(self, text: str) -> None:
        """Show a sentence."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class LiveView:
    """One line with a bar that is redrawn in place, on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=sys.stderr)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def beat(self, beat: Mapping[str, Any]) -> None:
        """Redraw."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        done, total = beat.get("done"), beat.get("total")
        if total and isinstance(done, int | float):
            filled = min(20, int(20 * done / total))
            grid.add_row(Text("█" * filled + "░" * (20 - filled)), Text(describe(beat)))
        else:
            grid.add_row(Text(describe(beat)))
        self._live.update(grid)

    def note(self, text: str) -> None:
        """Show a sentence above the line."""
        from rich.text import Text

        self._console.print(Text(text))

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)


def make_view() -> PlainView | LiveView:
    """The view that fits the place where stderr goes."""
    return LiveView() if sys.stderr.isatty() else PlainView(sys.stderr)
