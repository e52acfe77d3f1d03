"""Sentences of a report: what the run is, what came of it, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ludus.monitor.report.curves import Curve
from ludus.runs import duration_text
from ludus.training.view import rating_text, rating_unit

STATES = {
    "training": "is training now",
    "paused": "is paused",
    "done": "is done",
    "idle": "was stopped",
    "error": "ended with an error",
    "dead": "was killed, and goes on from its last commit",
    "unknown": "has not said how it stands",
}
"""State of a run -> the words that follow its name."""


def count(value: Any, one: str, many: str | None = None) -> str:
    """``1 game``, ``1,234 games``."""
    number = int(value or 0)
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def headline(run: Mapping[str, Any], totals: Mapping[str, Any]) -> str:
    """One sentence: what was trained, for how long, and how the run stands."""
    worked = duration_text(totals["elapsed_seconds"])
    words = STATES.get(str(run["state"]), STATES["unknown"])
    if run["live"] and run["state"] == "paused":
        words = "waits in a guard's pause"
    return (
        f"The run {run['name']} {words}: {count(totals['games'], 'game')} of {run['game']} in "
        f"{count(totals['iterations'], 'iteration')} and {worked} of work."
    )


def outcome(
    rows: Sequence[Mapping[str, Any]],
    rating: Mapping[str, Any] | None,
    better: Mapping[str, Any],
) -> str:
    """One or two sentences: what came of it."""
    parts = []
    elo = rating_text(rating)
    if elo is not None and rating is not None:
        text = elo.replace("+-", "±") + (" Elo" if rating_unit(rating) == "Elo" else "")
        parts.append(f"its rating is {text} (anchor {rating.get('anchor')})")
    matches: Mapping[str, Any] = next(
        (row["matches"] for row in reversed(rows) if row["matches"]), {}
    )
    won = [
        f"{one['win_rate']:.0%} against {who}"
        for who, one in matches.items()
        if one["win_rate"] is not None and one["mean"] is None
    ]
    if won:
        parts.append("it wins " + _and(won))
    parts += [
        f"it scores {one['mean']:.4g} on average in the suite {who}"
        for who, one in matches.items()
        if one["mean"] is not None
    ]
    if not parts:
        return "The champion has not met anybody yet." if rows else "Nothing has come of it yet."
    text = "; ".join(parts)
    return f"The champion: {text}. {better['text']}"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def missing(
    run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], curves: Sequence[Curve]
) -> list[str]:
    """What a reader may look for in vain, and why it is not there."""
    found = []
    if run["live"]:
        found.append("The run is still going: this is how it stood at its last commit.")
    if not any(row["finished"] for row in rows):
        found.append("No iteration is finished yet.")
    names = {curve.name for curve in curves}
    if "elo" not in names:
        found.append("There is no rating yet: it comes with the first evaluation.")
    if run["gated"] and "gate_win_rate" not in names:
        found.append("No gate has been played.")
    return found


def settings_text(value: Any) -> str:
    """A value of a setting for people."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(settings_text(one) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {settings_text(v)}" for k, v in value.items()) + "}"
    return str(value)


_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 32) -> str:
    """A curve as a word: means of neighbours between the smallest and the largest value."""
    if not values:
        return ""
    each = max(1, -(-len(values) // width))
    means = [
        sum(part) / len(part)
        for part in (values[at : at + each] for at in range(0, len(values), each))
    ]
    low, high = min(means), max(means)
    if high <= low:
        return _BLOCKS[3] * len(means)
    scale = (len(_BLOCKS) - 1) / (high - low)
    return "".join(_BLOCKS[round((value - low) * scale)] for value in means)
