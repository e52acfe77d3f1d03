"""How evenly tables are learned: counts by pattern and stage, and what is said of gaps."""

import numpy as np
import pytest
from tests.learners.few_patterns import few_patterns

from ludus.games.pattern_tables import described
from ludus.learners.td_coverage import coverage_of, findings, met_before
from ludus.learners.td_sums import TdSums
from ludus.training.health.analysis import health_of


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A learner and the sums of its games."""
    learner = few_patterns(tmp_path_factory.mktemp("few"))
    return learner, learner.train(12_800).sums


def test_updates_by_pattern_and_stage(trained):
    learner, sums = trained
    found, updates = coverage_of(learner), learner.entries()[1].reshape(30, -1)
    assert found.patterns == ("edge", "corner", "diagonal")
    for number, pattern in enumerate(described(learner.patterns)):
        end = pattern["first_slot"] + int(learner.patterns.slots_of(number).max()) + 1
        mine = updates[:, pattern["first_slot"] : end]
        assert found.updated[:, number] == pytest.approx((mine > 0).mean(axis=1))
        assert found.mean[:, number] == pytest.approx(mine.mean(axis=1))
        # All but stage 0, which has one move instead of two, and moves behind early ends.
        assert found.mean[1:25, number] == pytest.approx(found.expected[1:25, number], rel=0.02)
    assert updates.sum() == sums.updates * int(learner.patterns.instances)
    assert sums.fresh == (updates > 0).sum()
    assert met_before(learner, sums) == 1 - sums.fresh / updates.sum()
    assert met_before(learner, TdSums()) is None


def test_well_trained_tables_have_no_findings(trained):
    assert findings(*trained) == {}


def test_a_table_that_nobody_came_by_is_named(trained):
    learner, sums = trained
    updates = learner.entries()[1].reshape(30, -1)
    kept = updates[7].copy()
    updates[7, described(learner.patterns)[1]["first_slot"] :] = 0
    try:
        (kind, text), *more = findings(learner, sums).items()
    finally:
        updates[7] = kept
    assert kind == "undertrained" and not more
    assert text.startswith("2 of 90 tables are undertrained, such as pattern 1 (corner) in stage 7")
    history = [{"iteration": 0, "selfplay": {"games": 12_800, "findings": {kind: text}}}]
    assert health_of(history).findings == {kind: text}


def test_play_that_meets_much_that_is_new_after_half_a_million_games(trained):
    learner, _ = trained
    new = TdSums(games=100, updates=6000, fresh=6000 * int(learner.patterns.instances) // 8)

    class Later:
        games = 500_000
        patterns = learner.patterns
        entries = learner.entries

    said = findings(Later, new)["coverage"]
    assert said == (
        "after 500,000 games only 87.5% of the entries that games come by were learned before; "
        "90% are expected after 500,000"
    )
    Later.games = 499_999
    assert "coverage" not in findings(Later, new)
    assert np.isfinite(coverage_of(learner).expected).all()
