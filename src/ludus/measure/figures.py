"""Figures: rates measured in turns with the machine's own speed, and goals for them."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

_CALIBRATION_BLOCKS = 2_000_000
_TURNS = 7
_QUICK_TURNS = 3
_NETWORK = ("network", "evaluate")
"""Phases that are the network itself: what is asked is what keeps it waiting."""


@dataclass(frozen=True)
class Goal:
    """What a figure should reach.

    Attributes:
        value: the limit.
        sense: ``least``: the figure should be at least this; ``most``: at most.
        on: ``rate`` (the median) or ``ratio`` (over what is measured in the same turns).
    """

    value: float
    sense: Literal["least", "most"] = "least"
    on: Literal["rate", "ratio"] = "rate"


@dataclass
class Figure:
    """One measured rate.

    Attributes:
        name: what was measured.
        unit: of the rates.
        rates: one for each turn.
        calibration: million Philox blocks a second of one core, taken between the turns.
        against: what ``ratio`` compares with, or None.
        ratio: median over the turns of this rate over the other's in the same turn, or None.
        extra: further figures by name. ``phases`` (share of the time by phase) or ``note`` (a
            sentence) says what holds the figure back.
        goal: what it should reach, or None.
    """

    name: str
    unit: str
    rates: list[float]
    calibration: list[float]
    against: str | None = None
    ratio: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """Median rate over the turns."""
        return statistics.median(self.rates)

    @property
    def verdict(self) -> Literal["met", "missed"] | None:
        """Whether the goal is reached; None without a goal or without what it is about."""
        if self.goal is None:
            return None
        value = self.median if self.goal.on == "rate" else self.ratio
        if value is None:
            return None
        reached = (
            value >= self.goal.value if self.goal.sense == "least" else value <= self.goal.value
        )
        return "met" if reached else "missed"

    @property
    def bottleneck(self) -> str | None:
        """What holds a missed figure back, as far as it was measured; None if it is not missed."""
        if self.verdict != "missed":
            return None
        phases = self.extra.get("phases")
        if isinstance(phases, Mapping):
            others = {str(k): float(v) for k, v in phases.items() if k not in _NETWORK}
            if others:
                name = max(others, key=lambda key: others[key])
                return f"{name} ({others[name]:.0%} of the time)"
        note = self.extra.get("note")
        return str(note) if note else "not known: the benchmark measures no phases"

    def as_json(self) -> dict[str, Any]:
        """All fields with median, verdict and bottleneck."""
        return {
            **asdict(self),
            "median": self.median,
            "verdict": self.verdict,
            "bottleneck": self.bottleneck,
        }


_asked: list[int] = []
"""Number of turns that :func:`turns` asks for, innermost last."""


@contextlib.contextmanager
def turns(count: int | None) -> Iterator[None]:
    """Let :func:`in_turns` take this many turns; None leaves it its own number."""
    if count is None:
        yield
        return
    _asked.append(count)
    try:
        yield
    finally:
        _asked.pop()


def rate(work: Callable[[], float]) -> float:
    """What ``work`` returns, over the seconds that it takes."""
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)


def calibrate() -> float:
    """The machine now: million Philox blocks a second of one core, in about 40 ms."""
    from ludus import _core

    def work() -> float:
        _core.calibration_work(_CALIBRATION_BLOCKS)
        return _CALIBRATION_BLOCKS / 1e6

    return rate(work)


def in_turns(
    name: str,
    unit: str,
    work: Callable[[], float],
    *,
    against: tuple[str, Callable[[], float]] | None = None,
    quick: bool = False,
    goal: Goal | None = None,
) -> Figure:
    """Measure ``work`` (which returns how much it did) in turns with a calibration and a rival.

    Args:
        name: of the figure.
        unit: of its rate.
        work: one turn.
        against: name and work of what to compare with, measured in the same turns.
        quick: three turns instead of seven.
        goal: what the figure should reach.
    """
    work()  # warm-up
    rates, calibration, ratios = [], [], []
    for _ in range(_asked[-1] if _asked else _QUICK_TURNS if quick else _TURNS):
        calibration.append(calibrate())
        rates.append(rate(work))
        if against is not None:
            ratios.append(rates[-1] / rate(against[1]))
    return Figure(
        name,
        unit,
        rates,
        calibration,
        against[0] if against else None,
        statistics.median(ratios) if ratios else None,
        goal=goal,
    )
