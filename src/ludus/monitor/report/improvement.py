"""Did the player get better? The figures at the beginning and now, and one verdict.

Figures and their significance are those of the learning health; here they become a sentence.
``metrics.json`` has the answer under ``improvement``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ludus.monitor.report.curves import iteration_rows
from ludus.training import health


def improvement(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What changed over the run.

    Args:
        history: entries of ``run.json``, oldest first.

    Returns: ``verdict`` (``better``, ``worse``, ``unclear``, ``unknown``), ``text`` for people,
        ``promotions``, ``candidates``, and ``figures``: what
        :func:`ludus.training.health.improvement` finds.
    """
    rows = iteration_rows(history)
    gated = [row for row in rows if row["promoted"] is not None]
    promotions = sum(bool(row["promoted"]) for row in gated)
    figures = health.improvement(history)
    verdict, why = _verdict(figures)
    counted = f"{promotions} of {len(gated)} candidates became champion"
    return {
        "verdict": verdict,
        "text": f"{why}; {counted}." if gated else f"{why}.",
        "promotions": promotions,
        "candidates": len(gated),
        "figures": figures,
    }


def _verdict(figures: Mapping[str, Any]) -> tuple[str, str]:
    """Strength alone counts: losses may fall while a player gets worse."""
    found: list[tuple[str, Mapping[str, Any], str]] = []
    if figures["elo"] is not None:
        found.append(("the rating", figures["elo"], "{:.0f} Elo"))
    found += [
        (f"the win rate against {name}", figure, "{:.0%}")
        for name, figure in figures["strength"].items()
        if figure is not None
    ]
    changed = [one for one in found if one[1]["significant"]]
    for verdict, verb, sign in (("better", "rose", 1.0), ("worse", "fell", -1.0)):
        for what, figure, form in changed:
            if sign * figure["change"] > 0.0:
                first, last = (form.format(figure[end]["value"]) for end in ("first", "last"))
                return verdict, f"{what[0].upper()}{what[1:]} {verb} from {first} to {last}"
    if any(figure["p_value"] is not None for _, figure, _ in found):
        return "unclear", "No measured figure changed by more than its error"
    if found:
        return "unknown", "Strength was measured only once, which tells nothing of progress"
    return "unknown", "Strength has not been measured yet"
