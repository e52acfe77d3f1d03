"""The experiments on what comes from outside, with a budget of seconds."""

from __future__ import annotations

import pytest
from tests.durability.bugs import changed
from tests.durability.experiment import Budget, Experiment
from tests.durability.inputs import BUGS, EXPERIMENTS

_MINUTES = 0.02
_SLOW = ("numbers", "listeners", "status")
"""They start trainings, or several processes."""


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.name in _SLOW else [])
        for one in EXPERIMENTS
    ],
)
def test_nothing_fails(experiment: Experiment, tmp_path) -> None:
    missing = experiment.missing()
    if missing is not None:
        pytest.skip(missing)
    outcome = experiment.run(Budget(_MINUTES, 1, tmp_path))
    assert outcome.trials > 0 or outcome.skipped
    assert outcome.failed == 0, outcome.said


@pytest.mark.parametrize("bug", BUGS, ids=lambda one: one.name)
def test_seeded_bugs_still_fit(bug) -> None:
    assert changed(bug)
    assert bug.caught_by in {experiment.name for experiment in EXPERIMENTS}
