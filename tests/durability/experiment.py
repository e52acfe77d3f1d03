"""What an experiment is, what it counts, and how much it may spend."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FULL_MINUTES = 60.0
"""The budget at which every experiment does what it says in full."""

Kind = Literal["lost", "torn", "code", "other"]
"""How a trial fails: something committed was lost or changed; something torn or damaged was
accepted; foreign code ran; anything else that was promised did not hold."""


@dataclass
class Outcome:
    """What an experiment found.

    Attributes:
        unit: what a trial is, in the plural.
        trials: how many there were.
        failures: how many of each kind; a trial counts once.
        said: a sentence for each failure, the first twenty, with what repeats it.
        figures: measured besides, by name.
        skipped: parts that could not run here, and why.
    """

    unit: str
    trials: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    figures: dict[str, float | int | str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def fail(self, kind: Kind, sentence: str) -> None:
        """Count a trial that failed."""
        self.failures[kind] += 1
        if len(self.said) < 20:
            self.said.append(f"{kind}: {sentence}")

    @property
    def failed(self) -> int:
        """Trials that failed in any way."""
        return sum(self.failures.values())


@dataclass(frozen=True)
class Budget:
    """How much an experiment may do, where, and by which random numbers.

    Attributes:
        minutes: of the whole suite; 60 means the counts that an experiment names.
        seed: all random choices follow from it.
        folder: empty, on a disk, removed afterwards.
    """

    minutes: float
    seed: int
    folder: Path

    def count(self, full: int, least: int = 1) -> int:
        """How many trials, where an hour would do ``full``; never below ``least``."""
        return max(least, round(full * self.minutes / FULL_MINUTES))

    def random(self, *names: object) -> random.Random:
        """A stream of random numbers of its own for these names."""
        return random.Random(repr((self.seed, *names)))


def nothing_missing() -> str | None:
    """For experiments that run anywhere."""
    return None


@dataclass(frozen=True)
class Experiment:
    """One way of trying to lose something.

    Attributes:
        name: on the command line.
        proves: in one line, for the table.
        run: does it.
        missing: a sentence that says what this machine lacks for it, or None.
        alone: nothing else may run meanwhile, because time is measured.
    """

    name: str
    proves: str
    run: Callable[[Budget], Outcome]
    missing: Callable[[], str | None] = nothing_missing
    alone: bool = False


def upper_bound(failures: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of a failure rate (Clopper and Pearson 1934, by bisection)."""
    if trials == 0 or failures >= trials:
        return 1.0
    if failures == 0:
        return 1.0 - (1.0 - confidence) ** (1.0 / trials)
    from scipy.stats import beta

    return float(beta.ppf(confidence, failures + 1, trials - failures))
