"""The seconds' worth of the experiments on processes, and that their seeded bugs still fit."""

from __future__ import annotations

import pytest
from tests.durability.bugs import changed
from tests.durability.experiment import Budget
from tests.durability.processes import BUGS, EXPERIMENTS


@pytest.mark.parametrize("name", ["starts"])
def test_nothing_fails(name, tmp_path):
    experiment = next(one for one in EXPERIMENTS if one.name == name)
    outcome = experiment.run(Budget(0.2, 7, tmp_path))
    assert outcome.said == []
    assert outcome.trials > 0


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_still_fits_its_file(bug):
    assert changed(bug).count(bug.new) >= 1
    assert bug.caught_by in {experiment.name for experiment in EXPERIMENTS}
