"""Numbers that do not fit their neighbours: robust z-scores of the metrics of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.monitor.inspect.findings import Anomaly
from ludus.runs import read_ndjson

WATCHED: Mapping[str, tuple[str, ...]] = {
    "train_step": (
        "loss_total",
        "loss_policy",
        "loss_value",
        "loss_margin",
        "entropy",
        "grad_norm",
        "throughput_steps_s",
    ),
    "selfplay_iter": (
        "games_per_second",
        "leaves_per_second",
        "mean_plies",
        "mean_score",
        "policy_entropy",
        "fallback_rate",
        "collision_rate",
    ),
    "gate_summary": ("win_rate",),
}
"""Records and their figures that are looked at."""

LIMIT = 8.0
"""Robust standard deviations from the median of the neighbours that are still let pass."""

_NEIGHBOURS = 15
"""Records on each side that a value is held against."""

_FEWEST = 8
"""Neighbours below which nothing can be said."""

_TOLD = 3
"""Outliers of one figure that are told, the farthest first."""


def robust_scores(
    values: Sequence[float] | npt.NDArray[np.float64], neighbours: int = _NEIGHBOURS
) -> npt.NDArray[np.float64]:
    """How far each value lies from the median of its neighbours, in robust standard deviations.

    The spread is 1.4826 times the median distance of the neighbours from their median, at least
    a hundredth of the median and of the median step between neighbours in the series, so that
    a figure that hardly moves has no outliers.

    Args:
        values: in order, finite.
        neighbours: on each side.

    Returns: f64[n], signed; 0 where there are too few neighbours.
    """
    series = np.asarray(values, np.float64)
    scores = np.zeros(len(series))
    for index in range(len(series)):
        low, high = max(0, index - neighbours), min(len(series), index + neighbours + 1)
        near = np.concatenate([series[low:index], series[index + 1 : high]])
        if len(near) < _FEWEST:
            continue
        median = float(np.median(near))
        spread = 1.4826 * float(np.median(np.abs(near - median)))
        steps = float(np.median(np.abs(np.diff(near))))
        spread = max(spread, steps, 0.01 * abs(median), 1e-9)
        scores[index] = (series[index] - median) / spread
    return scores


def metric_outliers(run: Path, limit: float = LIMIT) -> list[Anomaly]:
    """Outliers, and numbers that were not finite (null in the log), in a run's metrics.

    Args:
        run: the directory.
        limit: see :data:`LIMIT`.
    """
    path = run / "logs" / "metrics.ndjson"
    series: dict[tuple[str, str], list[tuple[Mapping[str, Any], float]]] = {}
    nulls: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in read_ndjson(path)[0] if path.is_file() else ():
        event = str(record.get("event"))
        for name in WATCHED.get(event, ()):
            value = record.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                if math.isfinite(value):
                    series.setdefault((event, name), []).append((record, float(value)))
            elif name in record and value is None:
                nulls.setdefault((event, name), []).append(record)
    return [*_not_numbers(nulls, series), *_outliers(series, limit)]


def place_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where a record stands: log, event, step, iteration."""
    found = {"log": "logs/metrics.ndjson", "event": record.get("event"), "step": record.get("step")}
    if record.get("iteration") is not None:
        found["iteration"] = record["iteration"]
    return found


def _where(record: Mapping[str, Any]) -> str:
    text = f"{record.get('event')} at step {record.get('step')}"
    iteration = record.get("iteration")
    return text if iteration is None else f"{text} (iteration {iteration})"


def _not_numbers(
    nulls: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    series: Mapping[tuple[str, str], Sequence[Any]],
) -> Iterable[Anomaly]:
    for key, records in nulls.items():
        # A figure that never had a number is one that does not apply, as without a margin head.
        if not series.get(key) or key[1] in ("policy_entropy", "win_rate"):
            continue
        yield Anomaly(
            "not_a_number",
            "error",
            f"{_where(records[0])}: {key[1]} was no finite number "
            f"({len(records)} of {len(records) + len(series[key])} records)",
            place_of(records[0]) | {"figure": key[1]},
        )


def _outliers(
    series: Mapping[tuple[str, str], Sequence[tuple[Mapping[str, Any], float]]], limit: float
) -> Iterable[Anomaly]:
    for (_, name), rows in series.items():
        values = [value for _, value in rows]
        scores = robust_scores(values)
        order = np.argsort(-np.abs(scores), kind="stable")[:_TOLD]
        for index in order.tolist():
            if abs(scores[index]) <= limit:
                break
            record, value = rows[index]
            near = [v for i, v in enumerate(values) if i != index and abs(i - index) <= _NEIGHBOURS]
            yield Anomaly(
                "outlier",
                "warning",
                f"{_where(record)}: {name} is {value:.4g}, {scores[index]:+.1f} robust standard "
                f"deviations from the {np.median(near):.4g} around it",
                place_of(record) | {"figure": name, "value": value, "score": float(scores[index])},
            )
