"""The mean of the tables: its weights, when it is taken, what is kept and stored of it."""

import numpy as np
import pytest
from tests.learners.few_patterns import few_patterns

from ludus.errors import VersionError
from ludus.games.pattern_tables import fold
from ludus.learners.td_average import POWER, TableAverage


def test_a_table_weighs_as_a_power_of_its_time():
    tables = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    average = TableAverage(3)
    for table in tables:
        average.add(table)
    # Shamir and Zhang's recursion, written out: the share that is left of each table.
    shares = [(POWER + 1) / (POWER + t) for t in range(1, 41)]
    left = [share * np.prod([1 - s for s in shares[t + 1 :]]) for t, share in enumerate(shares)]
    assert sum(left) == pytest.approx(1.0) and sum(left[30:]) == pytest.approx(2 / 3, abs=0.05)
    assert average.mean == pytest.approx(np.array(left) @ tables, abs=1e-6)


def test_a_table_is_rounded_as_the_core_rounds():
    average = TableAverage(5)
    average.add(np.array([0.0, -127.0, 127.0, 1 / 512, -1 / 512 - 1e-4], np.float32))
    assert average.table().tolist() == [32768, 256, 65280, 32769, 32767]


def test_the_mean_is_taken_every_so_many_games_and_is_the_model(tmp_path):
    learner = few_patterns(tmp_path, average_every=100)
    plain = few_patterns(tmp_path)
    average = TableAverage(learner.parameters)
    for games in range(64, 641, 64):
        learner.train(games)
        plain.train(games)
        if games // 100 > (games - 64) // 100:
            average.add(plain.entries()[0][:, 0].view(np.float32))
        if games < 100:  # nothing yet: the tables as they are
            assert np.array_equal(
                learner.model()["weights"], fold(learner.patterns, learner.tables.all())
            )
    assert learner.average.count == average.count == 6
    assert np.array_equal(learner.average.mean, average.mean)
    assert np.array_equal(learner.tables.all(), plain.tables.all())  # what learns is as without
    assert np.array_equal(learner.model()["weights"].reshape(-1), average.table())
    assert not np.array_equal(learner.model()["weights"], plain.model()["weights"])
    assert learner.memory()["average"] == 4 * learner.parameters


def test_going_on_from_a_state_changes_no_bit(tmp_path):
    whole = few_patterns(tmp_path, average_every=64)
    whole.train(640)
    first = few_patterns(tmp_path, average_every=64)
    first.train(320)
    second = few_patterns(tmp_path, average_every=64)
    second.restore(first.state())
    second.train(640, threads=2)
    for name, array in whole.state().items():
        assert np.array_equal(array, second.state()[name]), name
    assert np.array_equal(whole.model()["weights"], second.model()["weights"])
    state = first.state()
    with pytest.raises(VersionError, match="another pattern set"):
        second.restore({**state, "mean": state["mean"][1:]})


def test_tables_that_training_began_with_are_kept_where_no_game_came_by(tmp_path):
    old = few_patterns(tmp_path)
    old.train(640)
    began = few_patterns(tmp_path)
    began.begin(old.model())
    began.train(64)
    assert (began.entries()[1] == 0).any()
    again = few_patterns(tmp_path)
    again.restore(began.state())
    assert np.array_equal(again.tables.all(), began.tables.all())
