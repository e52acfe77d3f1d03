"""What a run has improved: first, last and best of strength, rating, loss and score."""

from __future__ import annotations

import math
from typing import Any

from ludus.training.health import history as past
from ludus.training.health.history import History, Points
from ludus.training.health.trends import normal_p, trend

SIGNIFICANT = 0.05
"""A p-value below it is called significant."""

_MOST = 200  # points of a trend over the whole run; a longer series is thinned out evenly


def improvement(history: History) -> dict[str, Any]:
    """First, last and best values, their change and whether it is more than chance.

    Args:
        history: entries of ``run.json``, oldest first; may be empty.

    Returns: JSON. ``strength`` by opponent (win rate), ``elo``, ``loss``, ``score`` (solitaire mean
        where the game has one), ``selfplay_score``; each None where it was never measured, else
        ``first``, ``last`` and ``best`` as ``{"iteration", "value"}``, ``change`` (last less
        first), ``p_value`` (two-sided; None where errors are unknown) and ``significant``.
    """
    return {
        "iterations": sum(1 for entry in history if "finished_ms" in entry),
        "games": int(sum(past.games(entry) for entry in history)),
        "strength": {
            name: _between(points, _rate_errors(history, name, points))
            for name, points in past.win_rates(history).items()
        },
        "elo": _elo(history),
        "loss": _along(past.series(history, "train", "loss_mean", "loss_total"), low=True),
        "score": _solitaire(history),
        "selfplay_score": _along(past.series(history, "selfplay", "mean_score")),
    }


def _ends(points: Points, *, low: bool = False) -> dict[str, Any]:
    best = (min if low else max)(range(len(points)), key=lambda index: points.y[index])
    places = {"first": 0, "last": len(points) - 1, "best": best}
    return {
        **{
            name: {"iteration": int(points.x[index]), "value": points.y[index]}
            for name, index in places.items()
        },
        "change": points.y[-1] - points.y[0],
    }


def _judged(found: dict[str, Any], p: float | None) -> dict[str, Any]:
    return {**found, "p_value": p, "significant": p is not None and p < SIGNIFICANT}


def _between(points: Points, errors: tuple[float, float] | None) -> dict[str, Any] | None:
    """The last value against the first, each with its standard error."""
    if not len(points):
        return None
    found = _ends(points)
    if errors is None or len(points) < 2:
        return _judged(found, None)
    return _judged(found, normal_p(found["change"], math.hypot(*errors)))


def _along(points: Points, *, low: bool = False) -> dict[str, Any] | None:
    """A trend over the whole run, where single values have no known error."""
    if not len(points):
        return None
    step = -(-len(points) // _MOST)
    found = trend(points.x[::step], points.y[::step])
    return _judged(_ends(points, low=low), None if found is None else found.p)


def _rate_errors(history: History, name: str, points: Points) -> tuple[float, float] | None:
    """Standard errors of the first and the last win rate, from their 95 % intervals."""
    errors = []
    for x in (points.x[0], points.x[-1]):
        entry = next(one for one in history if one["iteration"] == x)
        result = entry["evaluate"]["results"][name]
        low, high = (
            past.number(result.get("win_rate_low")),
            past.number(result.get("win_rate_high")),
        )
        if low is None or high is None:
            return None
        errors.append((high - low) / (2 * 1.96))
    return errors[0], errors[1]


def _elo(history: History) -> dict[str, Any] | None:
    points, errors = Points([], []), []
    for entry in history:
        rating = past.rating(entry) or {}
        value = past.number(rating.get("elo"))
        if value is None or rating.get("standing") != "rated":
            continue
        points.x.append(float(entry["iteration"]))
        points.y.append(value)
        errors.append(past.number(rating.get("elo_se")))
    if not len(points):
        return None
    ends = errors[0], errors[-1]
    known = ends if ends[0] is not None and ends[1] is not None else None
    # The errors share the games of the anchor; taken as independent they are too large, not small.
    return _between(points, known)  # type: ignore[arg-type]


def _solitaire(history: History) -> dict[str, Any] | None:
    points, errors = Points([], []), []
    for entry in history:
        result = ((entry.get("evaluate") or {}).get("results") or {}).get("solitaire") or {}
        mean = past.number(result.get("mean"))
        if mean is None:
            continue
        points.x.append(float(entry["iteration"]))
        points.y.append(mean)
        std, count = past.number(result.get("std")), past.number(result.get("games"))
        errors.append(None if std is None or not count else std / math.sqrt(count))
    if not len(points):
        return None
    if errors[0] is None or errors[-1] is None:
        return _between(points, None)
    return _between(points, (errors[0], errors[-1]))
