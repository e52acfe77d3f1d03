"""How evenly pattern tables have been learned: by pattern and stage, against what games give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ludus.games.pattern_tables import described
from ludus.learners.td import TdLearner
from ludus.learners.td_sums import TdSums

Shares = npt.NDArray[np.float64]

LEAST_GAMES = 10_000
"""Games before which nothing is called undertrained."""

UNDERTRAINED = 0.1
"""Share of the expected mean of updates below which a pattern's table of a stage is undertrained.
Games that end early, and openings that nobody learns from, take some of it everywhere."""

COVERAGE_GAMES, COVERAGE = 500_000, 0.9
"""Games after which play should meet so large a share of entries that were learned before."""


@dataclass(frozen=True)
class Coverage:
    """Updates of the tables.

    Attributes:
        patterns: their names.
        updated: share of entries with an update, f64[stages, patterns].
        mean: updates of an entry, f64[stages, patterns].
        expected: what the mean would be if every game were 60 discs long and learned from at each,
            f64[stages, patterns].
    """

    patterns: tuple[str, ...]
    updated: Shares
    mean: Shares
    expected: Shares

    @property
    def undertrained(self) -> npt.NDArray[np.bool_]:
        """Tables whose mean is far below what is expected, bool[stages, patterns]."""
        found: npt.NDArray[np.bool_] = self.mean < UNDERTRAINED * self.expected
        return found


def coverage_of(learner: TdLearner) -> Coverage:
    """Updates of a learner's tables; at rest."""
    patterns, stages = described(learner.patterns), int(learner.patterns.stages)
    updates = learner.entries()[1].reshape(stages, -1)
    first = [pattern["first_slot"] for pattern in patterns]
    slots = np.diff([*first, updates.shape[1]])
    instances = np.array([len(pattern["placements"]) for pattern in patterns])
    discs = 60 / stages  # of a game in each stage
    return Coverage(
        patterns=tuple(pattern["name"] for pattern in patterns),
        updated=np.add.reduceat(updates > 0, first, axis=1, dtype=np.float64) / slots,
        mean=np.add.reduceat(updates, first, axis=1, dtype=np.float64) / slots,
        expected=np.tile(learner.games * discs * instances / slots, (stages, 1)),
    )


def met_before(learner: TdLearner, sums: TdSums) -> float | None:
    """Share of the entries that learning came by in some games that had been updated before.

    Most contents of a pattern never occur, so a share of all entries says little of what is left
    to learn; this one comes near 1 when play meets nothing new. None without games.
    """
    visits = sums.updates * int(learner.patterns.instances)
    return 1.0 - sums.fresh / visits if visits else None


def findings(learner: TdLearner, sums: TdSums) -> dict[str, str]:
    """What is wrong with the coverage: kind -> sentence.

    Args:
        learner: at rest.
        sums: of the newest games.
    """
    found: dict[str, str] = {}
    met = met_before(learner, sums)
    if met is not None and learner.games >= COVERAGE_GAMES and met < COVERAGE:
        found["coverage"] = (
            f"after {learner.games:,} games only {met:.1%} of the entries that games come by were "
            f"learned before; {COVERAGE:.0%} are expected after {COVERAGE_GAMES:,}"
        )
    if learner.games < LEAST_GAMES:
        return found
    now = coverage_of(learner)
    poor = now.undertrained
    if poor.any():
        stage, pattern = (int(i) for i in np.argwhere(poor)[0])
        found["undertrained"] = (
            f"{int(poor.sum())} of {poor.size} tables are undertrained, such as pattern {pattern} "
            f"({now.patterns[pattern]}) in stage {stage}: {now.mean[stage, pattern]:.3g} updates "
            f"an entry, {now.expected[stage, pattern]:.3g} are expected"
        )
    return found
