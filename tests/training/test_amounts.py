"""Games of iterations that grow, against counting."""

import pytest

from ludus.errors import ConfigError
from ludus.schedules import Schedule as Curve
from ludus.training.amounts import amounts_of, games_before, games_in, iteration_of
from ludus.training.keys import merge, validate
from ludus.training.layers import parse_assignment
from ludus.training.schedules import Schedule


@pytest.mark.parametrize(
    "amounts", [(5, 0, None), (5, 3, None), (5, 3, 12), (5, 3, 11), (5, 3, 5), (2000, 16, 10_000)]
)
def test_sums_and_their_inverse(amounts):
    total = 0
    for iteration in range(700 if amounts[0] > 100 else 12):
        games = games_in(iteration, *amounts)
        assert games == min(amounts[0] + amounts[1] * iteration, amounts[2] or 10**9)
        assert games_before(iteration, *amounts) == total
        for game in (total, total + games - 1):
            assert iteration_of(game, *amounts) == iteration
        total += games


def test_a_configuration_from_before_there_was_growth():
    assert amounts_of({"games_per_iteration": 64}) == (64, 0, None)


def test_a_table_has_each_value_until_its_tick():
    table = Schedule.model_validate({"kind": "table", "values": [1, 2, 5], "until": [50, 150]})
    assert [table.at(tick) for tick in (0, 49, 50, 149, 150, 10**6)] == [1, 1, 2, 2, 5, 5]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "table"}, "one tick less"),
        ({"kind": "table", "values": [1, 2]}, "one tick less"),
        ({"kind": "table", "values": [1, 2, 3], "until": [5, 5]}, "ascending"),
        ({"kind": "table", "values": [1, 2], "until": [0]}, "ascending"),
        ({"kind": "table", "values": [1], "warmup": 3}, "no warmup"),
        ({"kind": "linear", "until": [3]}, "kind table"),
    ],
)
def test_tables_that_cannot_be_followed_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Schedule.model_validate(given)


def test_a_curve_of_a_table_without_its_values_is_refused():
    with pytest.raises(ConfigError, match="table of 0 values"):
        Curve(kind="table", milestones=(3,))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "search={open_worlds: true, information_sets: true}",
            "open_worlds and information_sets exclude each other",
        ),
        ("selfplay.games_most=5", "games_most = 5 must not be below"),
        ("search.worlds_scale.clock=ply", "search.worlds_scale.clock must be iteration or game"),
        ("training.target_temperature=0", "target_temperature.start = 0.0 must lie between 0.05"),
        (
            "training.target_temperature={kind: table, values: [1, 20], until: [9]}",
            "target_temperature.values = 20.0 must lie between 0.05 and 10",
        ),
    ],
)
def test_settings_out_of_range(given, words):
    with pytest.raises(ConfigError, match=words):
        validate(merge([parse_assignment(given)]))
