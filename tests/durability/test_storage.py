"""The experiments on the disk with a budget of seconds, and their seeded bugs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.durability import bugs
from tests.durability.experiment import Budget, Experiment
from tests.durability.storage import BUGS, EXPERIMENTS

MINUTES = {
    "flips": 0.05,
    "tails": 0.05,
    "syscalls": 0.05,
    "power": 0.05,
    "full_disk": 0.05,
    "formats": 0.05,
    "size": 0.05,
}
"""Budgets in which each experiment takes a second or two; whole trainings take longer."""


@pytest.mark.parametrize(
    "experiment", [e for e in EXPERIMENTS if e.name in MINUTES], ids=lambda e: e.name
)
def test_nothing_fails(experiment: Experiment, tmp_path: Path) -> None:
    missing = experiment.missing()
    if missing is not None:
        pytest.skip(missing)
    outcome = experiment.run(Budget(MINUTES[experiment.name], 3, tmp_path))
    assert outcome.said == []
    assert outcome.failed == 0
    assert outcome.trials > 0


def test_every_seeded_bug_still_has_its_place() -> None:
    names = {experiment.name for experiment in EXPERIMENTS}
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 30
    for bug in BUGS:
        assert bug.caught_by in names
        assert bugs.changed(bug) != (bugs.package() / bug.file).read_text()
