"""Two measurements of the same figure: faster, slower or unchanged, as far as the noise allows."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ludus.errors import UserError
from ludus.measure.figures import Figure

Verdict = Literal["faster", "slower", "unchanged", "unclear"]

FORMAT = "ludus-bench"
_CONFIDENCE = 0.99
"""Of one figure; a report has some twenty, and a false alarm costs an afternoon."""

_FLOOR_TOGETHER = 0.02
_FLOOR_APART = 0.05
"""Smallest change that is told: in alternating turns; between two reports, where the calibration
figure stands for caches and memory too, which it only knows by half."""

_TOO_WIDE = 0.25
"""A threshold past this says that the noise hides what one wants to know."""

_SIZE_LIMIT = 16 << 20


@dataclass(frozen=True)
class Rates:
    """The rates of one figure somewhere, by turn, with the machine's figure of the same turn."""

    name: str
    unit: str
    rates: tuple[float, ...]
    calibration: tuple[float, ...]

    @property
    def scaled(self) -> list[float]:
        """Rates over the machine's figure of their turn."""
        return [a / b for a, b in zip(self.rates, self.calibration, strict=True)]


@dataclass(frozen=True)
class Comparison:
    """One figure, now against before.

    Attributes:
        name, unit: of the figure.
        ratio: now over before.
        threshold: relative change below which nothing is claimed: the half width of the 99 %
            interval of the logarithm, at least 2 % (together) or 5 % (apart); None if one turn
            tells nothing of the spread.
        low, high: smallest and largest ratio of a turn.
        verdict: faster, slower, unchanged; unclear where the threshold is past 25 %.
        together: measured in alternating turns.
    """

    name: str
    unit: str
    ratio: float
    threshold: float | None
    low: float
    high: float
    verdict: Verdict
    together: bool

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def rates_of(figure: Figure) -> Rates:
    """What comparing needs of a figure."""
    return Rates(figure.name, figure.unit, tuple(figure.rates), tuple(figure.calibration))


def compare_together(
    name: str, unit: str, now: Sequence[float], before: Sequence[float]
) -> Comparison:
    """Rates of alternating turns: each turn is one ratio, whatever the machine's speed was."""
    ratios = [a / b for a, b in zip(now, before, strict=True)]
    logs = [math.log(ratio) for ratio in ratios]
    width = None
    if len(logs) > 1:
        error = statistics.stdev(logs) / math.sqrt(len(logs))
        width = _quantile(len(logs) - 1) * error
    return _judge(name, unit, ratios, width, together=True)


def compare_apart(now: Rates, before: Rates) -> Comparison:
    """Rates of two reports, each scaled by the machine's figure of its turn (Welch's interval)."""
    ours = [math.log(value) for value in now.scaled]
    theirs = [math.log(value) for value in before.scaled]
    middle = statistics.median(before.scaled)
    width = None
    if len(ours) > 1 and len(theirs) > 1:
        first, second = (statistics.variance(x) / len(x) for x in (ours, theirs))
        error = math.sqrt(first + second)
        spread = first**2 / (len(ours) - 1) + second**2 / (len(theirs) - 1)
        freedom = (first + second) ** 2 / spread if spread > 0.0 else len(ours) + len(theirs) - 2
        width = _quantile(freedom) * error
    return _judge(now.name, now.unit, [v / middle for v in now.scaled], width, together=False)


def _quantile(freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf(0.5 + _CONFIDENCE / 2, max(1.0, freedom)))


def _judge(
    name: str, unit: str, ratios: Sequence[float], width: float | None, *, together: bool
) -> Comparison:
    ratio = statistics.median(ratios)
    threshold = None
    verdict: Verdict = "unclear"
    if width is not None:
        floor = _FLOOR_TOGETHER if together else _FLOOR_APART
        limit = max(math.log1p(floor), width)
        threshold = math.expm1(min(limit, 20.0))
        if math.log(ratio) > limit:
            verdict = "faster"
        elif math.log(ratio) < -limit:
            verdict = "slower"
        elif threshold <= _TOO_WIDE:
            verdict = "unchanged"
    return Comparison(name, unit, ratio, threshold, min(ratios), max(ratios), verdict, together)


def read_report(path: Path) -> dict[str, Rates]:
    """Figures of an earlier ``ludus bench --json``, by name.

    Raises:
        UserError: no such file, or no report of a benchmark.
    """
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise UserError(f"{path} is no report of ludus bench --json: it is too large")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path} is no report of ludus bench --json: it is no JSON") from None
    found = data.get("figures") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise UserError(f"{path} is no report of ludus bench --json: it has no figures")
    rates = [_rates(entry, f"{path}, figure {index}") for index, entry in enumerate(found)]
    return {entry.name: entry for entry in rates}


def _rates(entry: Any, where: str) -> Rates:
    if not isinstance(entry, Mapping):
        raise UserError(f"{where}: it is no object")
    name, unit = entry.get("name"), entry.get("unit")
    lists: list[Any] = [entry.get("rates"), entry.get("calibration")]
    sound = isinstance(name, str) and isinstance(unit, str)
    for values in lists:
        sound = sound and isinstance(values, list) and len(values) > 0
        sound = sound and all(
            isinstance(v, int | float) and math.isfinite(v) and v > 0 for v in values or []
        )
    if not sound or len(lists[0]) != len(lists[1]):
        raise UserError(
            f"{where}: a figure has a name, a unit, and as many positive rates as calibrations"
        )
    return Rates(str(name), str(unit), tuple(lists[0]), tuple(lists[1]))


def against_report(
    figures: Sequence[Figure], before: Mapping[str, Rates]
) -> tuple[list[Comparison], list[str]]:
    """Compare with an earlier report.

    Returns: comparisons in the order of the figures, and the names that the report lacks.
    """
    found, missing = [], []
    for figure in figures:
        old = before.get(figure.name)
        if old is None or old.unit != figure.unit:
            missing.append(figure.name)
        else:
            found.append(compare_apart(rates_of(figure), old))
    return found, missing
