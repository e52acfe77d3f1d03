"""The answer to a leaf batch against its readable twin, its bits, and what it refuses."""

import math

import numpy as np
import pytest
from tests.twins.answer_twin import answer as twin

from ludus import _core
from ludus.errors import GameError

ACTIONS, COLUMNS = 13, 64


def arrays(rows=67, seats=2, seed=0, filled=60):
    """A fused output and a ragged batch; the last rows have no legal actions."""
    random = np.random.default_rng(seed)
    counts = np.where(np.arange(rows) < filled, random.integers(1, ACTIONS + 1, rows), 0)
    legal = np.zeros(rows * ACTIONS, np.int32)
    offsets = np.zeros(rows + 1, np.int32)
    offsets[1:] = np.cumsum(counts)
    for row in range(rows):
        chosen = np.sort(random.choice(ACTIONS, counts[row], replace=False))
        legal[offsets[row] : offsets[row + 1]] = row * ACTIONS + chosen
    return {
        "fused": (3 * random.normal(size=(rows, COLUMNS))).astype(np.float32),
        "seats": random.integers(0, seats, rows).astype(np.int32),
        "legal": legal,
        "offsets": offsets,
        "logits": np.full(rows * ACTIONS, np.nan, np.float32),
        "values": np.full((rows, seats), np.nan, np.float32),
    }


def call(a, weight=0.0, columns=None, players=None):
    seats = a["values"].shape[1]
    width = columns or (1 if seats <= 2 else seats)
    return _core.answer(
        a["fused"],
        ACTIONS,
        width,
        weight,
        a["seats"],
        a["legal"],
        a["offsets"],
        a["logits"],
        a["values"],
        players,
    )


@pytest.mark.parametrize("seats", [1, 2, 3, 5])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("rows", [1, 8, 67])
def test_answers_are_those_of_the_twin(seats, weight, rows):
    a = arrays(rows, seats, seed=rows)
    assert call(a, weight) is True
    width = 1 if seats <= 2 else seats
    logits, values = twin(
        a["fused"].tolist(), ACTIONS, width, weight, a["seats"], a["legal"], a["offsets"], seats
    )
    used = a["offsets"][-1]
    assert a["logits"][:used].tolist() == logits
    assert np.isnan(a["logits"][used:]).all()  # not written
    assert np.abs(a["values"] - np.array(values)).max() < 5e-7
    assert np.abs(a["values"]).max() <= 1.0


def test_seats_that_are_not_in_play_get_nothing():
    """Column k is that of seat (mover + k) mod players; 0 players stands for all seats."""
    a = arrays(67, 5, seed=8)
    random = np.random.default_rng(2)
    players = random.integers(2, 6, 67).astype(np.int32)
    players[::7] = 0
    a["seats"] = (random.integers(0, 5, 67) % np.where(players == 0, 5, players)).astype(np.int32)
    assert call(a, 0.3, players=players)
    _, values = twin(
        a["fused"].tolist(),
        ACTIONS,
        5,
        0.3,
        a["seats"],
        a["legal"],
        a["offsets"],
        5,
        players.tolist(),
    )
    assert np.abs(a["values"] - np.array(values)).max() < 5e-7
    assert (a["values"][players == 3, 3:] == 0.0).all()
    players[9], a["seats"][9] = 3, 3
    with pytest.raises(GameError, match=r"Row 9 .* seat 3 of 3"):
        call(a, players=players)
    players[9] = 6
    with pytest.raises(GameError, match=r"Row 9 .* 6 players of 5 seats"):
        call(a, players=players)


def test_tanh_is_accurate_over_its_whole_range():
    numbers = np.concatenate(
        [
            np.linspace(-12, 12, 40_001),
            10.0 ** np.arange(-38, 38),
            -(10.0 ** np.arange(-38, 38)),
            [0.625, np.nextafter(np.float32(0.625), np.float32(0)), 0.0],
        ]
    ).astype(np.float32)
    a = arrays(len(numbers), 1, filled=0)
    a["fused"][:, ACTIONS] = numbers
    a["seats"][:] = 0
    assert call(a)
    exact = np.array([math.tanh(float(x)) for x in numbers])
    assert np.abs(a["values"][:, 0] - exact).max() < 2e-7
    small = np.abs(numbers) < 0.6
    relative = np.abs(a["values"][small, 0] / np.where(exact[small] == 0, 1, exact[small]) - 1)
    assert relative[exact[small] != 0].max() < 4e-7
    assert np.abs(a["values"]).max() == 1.0
    assert (np.sign(a["values"][:, 0]) == np.sign(numbers)).all()


@pytest.mark.parametrize("seats", [2, 4])
def test_bits_depend_on_the_row_alone(seats):
    a = arrays(64, seats, seed=3, filled=64)
    call(a, 0.25)
    order = np.random.default_rng(1).permutation(64)
    for size in (64, 5):
        b = arrays(size, seats, seed=4, filled=0)
        b["fused"][...] = a["fused"][order[:size]]
        b["seats"][...] = a["seats"][order[:size]]
        call(b, 0.25)
        assert b["values"].tobytes() == a["values"][order[:size]].tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (66, ACTIONS), (66, 63), (31, 40)])
def test_numbers_that_are_not_finite_are_told(bad, row, column):
    a = arrays()
    a["fused"][row, column] = bad
    assert call(a) is False
    assert np.isfinite(a["values"]).all()
    assert call(arrays()) is True


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a["legal"].__setitem__(a["offsets"][3], 2 * ACTIONS), "row 3 .* another row"),
        (lambda a: a["legal"].__setitem__(a["offsets"][3], 4 * ACTIONS), "row 3 .* another row"),
        (lambda a: a["legal"].__setitem__(0, -1), "row 0 .* another row"),
        (lambda a: a["offsets"].__setitem__(5, a["offsets"][4] - 1), "row 4 has"),
        (lambda a: a["offsets"].__setitem__(67, 67 * ACTIONS + 1), "at most 871; row 66"),
        (lambda a: a["offsets"].__setitem__(0, -1), "row 0 has -1"),
        (lambda a: a["seats"].__setitem__(9, 2), "Row 9 .* seat 2 of 2"),
        (lambda a: a["seats"].__setitem__(9, -1), "Row 9 .* seat -1 of 2"),
        (lambda a: a.update(seats=a["seats"][:-1].copy()), "answer.. wants fused"),
        (lambda a: a.update(fused=a["fused"][:, :ACTIONS].copy()), "at least 14 columns"),
        (lambda a: a.update(values=np.zeros((67, 3), np.float32)), "one value column"),
    ],
)
def test_batches_that_contradict_themselves_are_refused(change, sentence):
    a = arrays()
    change(a)
    with pytest.raises(GameError, match=sentence):
        call(a, columns=1)
    with pytest.raises(GameError, match="margin weight"):
        call(arrays(), weight=1.5)


def test_arrays_of_another_type_are_refused_instead_of_copied():
    a = arrays()
    a["values"] = a["values"].astype(np.float64)
    with pytest.raises(TypeError):
        call(a)
