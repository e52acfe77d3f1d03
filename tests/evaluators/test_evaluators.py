"""Evaluators against the plain network, row by row, and their promises about bits."""

import threading

import numpy as np
import pytest
import torch

from ludus import _core, nets
from ludus.errors import ConfigError, NumericsError
from ludus.evaluators import (
    LeafBatch,
    NetworkEvaluator,
    ScriptedEvaluator,
    UniformEvaluator,
    positions_per_second,
    probe_batch,
    probe_digest,
)

GAME = _core.game("yatzy")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_batch(rows=128, filled=100, seed=0, game=GAME):
    """A batch as Slots fills it: ragged legal actions, padding rows without any."""
    random = np.random.default_rng(seed)
    batch = LeafBatch.allocate(game, rows, rows * game.num_actions)
    batch.observations[:filled] = random.normal(size=(filled, game.observation_size))
    batch.seats[:filled] = random.integers(0, game.num_seats, filled)
    entries = []
    for row in range(rows):
        if row < filled:
            count = random.integers(1, 30)
            actions = np.sort(random.choice(game.num_actions, count, replace=False))
            entries.extend(row * game.num_actions + actions)
        batch.offsets[row + 1] = len(entries)
    batch.legal[: len(entries)] = entries
    return batch


def test_answers_equal_the_plain_network_row_by_row():
    net = nets.build(GAME, hidden=64, blocks=2, seed=1)
    evaluator = NetworkEvaluator(net, margin_weight=0.25)
    batch = make_batch()
    evaluator.evaluate(batch)
    with torch.inference_mode():
        logits, value, margin = net(torch.from_numpy(batch.observations))
    mixed = (0.75 * value + 0.25 * margin).numpy()
    for row in range(100):
        for entry in range(batch.offsets[row], batch.offsets[row + 1]):
            action = batch.legal[entry] - row * GAME.num_actions
            assert batch.logits[entry] == pytest.approx(float(logits[row, action]), abs=1e-5)
        mover = batch.seats[row]
        assert batch.values[row, mover] == pytest.approx(mixed[row], abs=1e-5)
        assert batch.values[row, 1 - mover] == -batch.values[row, mover]


def test_values_of_more_seats_are_rotated_from_the_mover_into_seat_order():
    class FourSeats:
        num_seats = 4

        def __getattr__(self, name):
            return getattr(GAME, name)

    game = FourSeats()
    net = nets.build(game, hidden=32, blocks=0, seed=1)
    batch = make_batch(game=game)
    NetworkEvaluator(net).evaluate(batch)
    with torch.inference_mode():
        value = net(torch.from_numpy(batch.observations))[1].numpy()
    for row in range(100):
        for ahead in range(4):
            seat = (batch.seats[row] + ahead) % 4
            assert batch.values[row, seat] == pytest.approx(value[row, ahead], abs=1e-5)


def test_bf16_is_close_to_f32():
    net = nets.build(GAME, hidden=64, blocks=2, seed=1)
    exact, rough = make_batch(), make_batch()
    NetworkEvaluator(net).evaluate(exact)
    NetworkEvaluator(net, backend="torch-bf16").evaluate(rough)
    assert np.abs(exact.values - rough.values).max() < 0.02
    assert np.abs(exact.logits - rough.logits).max() < 0.05
    assert not np.array_equal(exact.logits, rough.logits)


@pytest.mark.parametrize("backend", ["torch-f32", "torch-bf16"])
def test_a_row_has_the_same_bits_at_any_position_and_beside_any_neighbours(backend):
    """The rule of deterministic mode (design, section 5): fixed shape, finite padding."""
    net = nets.build(GAME, hidden=256, blocks=2, seed=1)
    evaluator = NetworkEvaluator(net, backend=backend)
    batch = probe_batch(GAME, 256)
    batch.seats[...] = 0
    evaluator.evaluate(batch)
    logits, values = batch.logits.reshape(256, -1).copy(), batch.values.copy()
    random = np.random.default_rng(2)
    order = random.permutation(256)
    moved = probe_batch(GAME, 256)
    moved.seats[...] = 0
    moved.observations[...] = moved.observations[order]
    moved.observations[::5] = 0
    kept = np.arange(256) % 5 != 0
    evaluator.evaluate(moved)
    assert np.array_equal(moved.logits.reshape(256, -1)[kept], logits[order][kept])
    assert np.array_equal(moved.values[kept], values[order][kept])


def test_lanes_share_one_evaluator_and_get_the_same_bits():
    evaluator = NetworkEvaluator(nets.build(GAME, hidden=64, blocks=2, seed=1))
    alone = [make_batch(seed=seed) for seed in range(4)]
    for batch in alone:
        evaluator.evaluate(batch)
    together = [make_batch(seed=seed) for seed in range(4)]

    def lane(batch):
        for _ in range(50):
            evaluator.evaluate(batch)

    threads = [threading.Thread(target=lane, args=(batch,)) for batch in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.logits, other.logits)
        assert np.array_equal(one.values, other.values)


def test_weights_id_and_answers_change_with_the_weights():
    first = nets.build(GAME, hidden=32, blocks=1, seed=1)
    second = nets.build(GAME, hidden=32, blocks=1, seed=2)
    evaluator = NetworkEvaluator(first)
    clone = evaluator.clone()
    before = probe_digest(evaluator, GAME, 64)
    evaluator.refresh(nets.arrays_of(second))
    assert evaluator.weights_id == nets.digest_of(nets.arrays_of(second))
    assert probe_digest(evaluator, GAME, 64) == probe_digest(NetworkEvaluator(second), GAME, 64)
    assert clone.weights_id == nets.digest_of(nets.arrays_of(first))
    assert probe_digest(clone, GAME, 64) == before != probe_digest(evaluator, GAME, 64)


def test_training_the_network_does_not_change_an_evaluator_made_before():
    net = nets.build(GAME, hidden=32, blocks=1, seed=1)
    evaluator = NetworkEvaluator(net)
    before = probe_digest(evaluator, GAME, 64)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    net.train()
    assert probe_digest(evaluator, GAME, 64) == before


@pytest.mark.parametrize("backend", ["torch-f32", "torch-bf16"])
def test_numbers_that_are_not_finite_are_refused(backend):
    net = nets.build(GAME, hidden=32, blocks=1, seed=1)
    evaluator = NetworkEvaluator(net, backend=backend)
    for bad in (np.nan, np.inf):
        batch = make_batch()
        batch.observations[17, 3] = bad
        with pytest.raises(NumericsError, match="not finite"):
            evaluator.evaluate(batch)
    weights = nets.arrays_of(net)
    weights["input.bias"][0] = np.nan
    with pytest.raises(NumericsError, match=r"input\.bias"):
        evaluator.refresh(weights)
    evaluator.evaluate(make_batch())


def test_uniform_and_scripted():
    batch = make_batch()
    batch.logits[...] = 5
    UniformEvaluator().evaluate(batch)
    assert not batch.logits.any() and not batch.values.any()

    def script(given):
        given.logits[: given.used] = given.legal[: given.used] % given.num_actions
        given.values[:, 0] = 0.5

    scripted = ScriptedEvaluator(script, "climbing")
    scripted.evaluate(batch)
    assert batch.logits[0] == batch.legal[0] % GAME.num_actions
    assert scripted.weights_id == "climbing"

    def too_large(given):
        given.values.fill(1.5)

    with pytest.raises(NumericsError, match=r"outside \[-1, 1\]"):
        ScriptedEvaluator(too_large).evaluate(batch)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"backend": "f16"}, "'f16' is unknown; known are torch-f32"),
        ({"margin_weight": 2.0}, "must lie between 0 and 1"),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        NetworkEvaluator(nets.build(GAME, hidden=32, blocks=0), **settings)
    with pytest.raises(ConfigError, match="needs a network with a margin head"):
        NetworkEvaluator(nets.build(GAME, hidden=32, blocks=0, margin=False), margin_weight=0.1)
    with pytest.raises(ConfigError, match="rows = 100 must be a positive multiple of 64"):
        LeafBatch.allocate(GAME, 100, 10)


def test_speed_is_measured():
    net = nets.build(GAME, hidden=32, blocks=0)
    assert positions_per_second(NetworkEvaluator(net), GAME, 64, seconds=0.01) > 100


def test_slots_play_whole_games_with_a_network():
    """The real border: bind, collect, evaluate, supply."""
    settings = {"kind": "search", "rule": "puct", "simulations": [4, 4]}
    slots = _core.Slots(GAME, slots=64, group_size=64, seed=3, players=[settings], record=True)
    batch = LeafBatch.allocate(GAME, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    ids = np.arange(64, dtype=np.int64)
    slots.schedule(ids, ids.astype(np.uint64), np.zeros((64, 2), np.int8))
    evaluator = NetworkEvaluator(nets.build(GAME, hidden=32, blocks=1, seed=1))
    while slots.busy(0):
        if slots.collect(0, 0):
            evaluator.evaluate(batch)
            slots.supply(0, 0, batch.logits, batch.values)
    records = slots.finished()
    assert sorted(records["game_id"]) == list(range(64))
    assert slots.counters()["fallbacks"] == 0
