"""All experiments and all seeded bugs, in the order in which they run."""

from __future__ import annotations

from tests.durability import inputs, processes, storage, teeth
from tests.durability.bugs import Bug
from tests.durability.experiment import Budget, Experiment, Outcome

BUGS: tuple[Bug, ...] = (*storage.BUGS, *processes.BUGS, *inputs.BUGS)


def _teeth(budget: Budget) -> Outcome:
    return teeth.run(budget, BUGS)


EXPERIMENTS: tuple[Experiment, ...] = (
    *storage.EXPERIMENTS,
    *processes.EXPERIMENTS,
    *inputs.EXPERIMENTS,
    Experiment("teeth", "R3: seeded bugs are caught", _teeth),
)
