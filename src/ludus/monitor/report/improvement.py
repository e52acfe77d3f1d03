"""Did the player get better? The figures at the beginning and now, and one verdict.

The one place where the report asks; ``metrics.json`` has the answer under ``improvement``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ludus.monitor.report.curves import Curve, history_curves, iteration_rows


def improvement(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What changed over the run.

    Args:
        history: entries of ``run.json``, oldest first.

    Returns: ``verdict`` (``better``, ``worse``, ``unclear``, ``unknown``), ``text`` for people,
        ``promotions``, ``candidates``, and ``figures``: by name ``first``, ``last``, ``best`` and
        ``change``, over the champions that were measured.
    """
    rows = iteration_rows(history)
    curves = {curve.name: curve for curve in history_curves(rows)}
    gated = [row for row in rows if row["promoted"] is not None]
    promotions = sum(bool(row["promoted"]) for row in gated)
    verdict, why = _verdict(curves)
    counted = f"{promotions} of {len(gated)} candidates became champion"
    text = f"{why}; {counted}." if gated else f"{why}."
    return {
        "verdict": verdict,
        "text": text,
        "promotions": promotions,
        "candidates": len(gated),
        **measured(history),
    }


def measured(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of :func:`improvement`, under ``figures``."""
    figures = {
        curve.name: _change(curve, lower_is_better=curve.name.startswith("loss"))
        for curve in history_curves(iteration_rows(history))
        if curve.name in ("elo", "loss", "loss_policy", "loss_value", "mean_score")
        or curve.name.startswith(("win_rate:", "mean:"))
    }
    return {"figures": figures}


def _change(curve: Curve, *, lower_is_better: bool) -> dict[str, float]:
    best = min(curve.y) if lower_is_better else max(curve.y)
    return {
        "first": curve.y[0],
        "last": curve.y[-1],
        "best": best,
        "change": curve.y[-1] - curve.y[0],
    }


def _verdict(curves: Mapping[str, Curve]) -> tuple[str, str]:
    """Intervals that no longer touch are a change; else nobody knows."""
    found: list[tuple[str, Curve, str]] = []
    if "elo" in curves:
        found.append(("the rating", curves["elo"], "{:.0f} Elo"))
    found += [
        (f"the win rate against {name.partition(':')[2]}", curve, "{:.0%}")
        for name, curve in curves.items()
        if name.startswith("win_rate:")
    ]
    measured = [one for one in found if len(one[1].y) > 1]
    for what, curve, form in measured:
        told = f"from {form.format(curve.y[0])} to {form.format(curve.y[-1])}"
        if curve.low[-1] > curve.high[0]:
            return "better", f"{what[0].upper()}{what[1:]} rose {told}"
    for what, curve, form in measured:
        told = f"from {form.format(curve.y[0])} to {form.format(curve.y[-1])}"
        if curve.high[-1] < curve.low[0]:
            return "worse", f"{what[0].upper()}{what[1:]} fell {told}"
    if measured:
        return "unclear", "No measured figure changed by more than its error"
    if found:
        return "unknown", "Strength was measured only once, which tells nothing of progress"
    return "unknown", "Strength has not been measured yet"
