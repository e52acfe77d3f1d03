"""Every backend that is installed: agreement, bits, lanes, new weights, sentences where missing."""

import importlib.util
import threading

import numpy as np
import pytest
import torch
from tests.nets.boards import BOARD, DUEL, HANDS
from tests.nets.test_tower import lively
from tests.nets.test_transformer import lively as lively_transformer

from ludus import _core, nets
from ludus.errors import ConfigError, NumericsError
from ludus.evaluators import (
    AGREEMENT_BF16,
    AGREEMENT_F32,
    BACKENDS,
    NetworkEvaluator,
    probe_batch,
    probe_digest,
)
from ludus.evaluators.calibration import difference
from ludus.testing.evaluators import check_evaluator

GAME = _core.game("yatzy")
NAMES = [
    pytest.param(
        name,
        marks=[
            *([pytest.mark.gpu] if backend.device == "cuda" else []),
            pytest.mark.skipif(
                backend.unavailable() is not None, reason=f"{name}: {backend.unavailable()}"
            ),
        ],
    )
    for name, backend in BACKENDS.items()
]
ROWS = 128


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def networks():
    """An MLP with biases, a tower and a transformer, each with its game."""
    mlp = nets.build(GAME, hidden=128, blocks=2, seed=1)
    random = np.random.default_rng(1)
    arrays = {
        name: array + random.normal(0, 0.05, array.shape).astype(np.float32)
        for name, array in nets.arrays_of(mlp).items()
    }
    nets.load_arrays(mlp, arrays)
    return [
        (mlp, GAME),
        (lively(channels=32, head_channels=8), BOARD),
        (lively_transformer(DUEL, tokens=HANDS, loud=0.05), DUEL),
    ]


def answer(evaluator, game, rows=ROWS):
    batch = probe_batch(game, rows)
    evaluator.evaluate(batch)
    return batch.logits.copy(), batch.values.copy()


@pytest.mark.parametrize("name", NAMES)
def test_answers_agree_with_the_network_within_the_stated_bound(name):
    rough = BACKENDS[name].precision == "bf16"
    for net, game in networks():
        batch = probe_batch(game, ROWS)
        with torch.inference_mode():
            logits, value, margin = net(torch.from_numpy(batch.observations))
        value = 0.75 * value.numpy() + 0.25 * margin.numpy()
        sign = 1 - 2 * batch.seats
        wanted = logits.numpy().reshape(-1), np.stack([sign * value, -sign * value], 1)
        found = answer(NetworkEvaluator(net, backend=name, margin_weight=0.25), game)
        bound = AGREEMENT_BF16 if rough else AGREEMENT_F32
        assert difference(wanted, found, rough) <= bound
        assert np.abs(wanted[0]).max() > 0.5
        if rough:
            assert difference(wanted, found, rough) > 1e-6  # it is another arithmetic


@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_the_place_in_the_batch_or_on_neighbours(name):
    for net, game in networks():
        evaluator = NetworkEvaluator(net, backend=name)
        logits, values = answer(evaluator, game)
        order = np.random.default_rng(2).permutation(ROWS)
        moved = probe_batch(game, ROWS)
        seats = moved.seats.copy()
        moved.observations[...] = moved.observations[order]
        moved.seats[...] = seats[order]
        moved.observations[::5] = 0
        evaluator.evaluate(moved)
        kept = np.arange(ROWS) % 5 != 0
        by_row = moved.logits.reshape(ROWS, -1)
        assert np.array_equal(by_row[kept], logits.reshape(ROWS, -1)[order][kept])
        assert np.array_equal(moved.values[kept], values[order][kept])


@pytest.mark.parametrize("name", NAMES)
def test_lanes_share_an_evaluator_and_get_the_same_bits(name):
    for net, game in networks():
        evaluator = NetworkEvaluator(net, backend=name)
        alone = answer(evaluator, game)
        found = [None] * 3

        def lane(index, evaluator=evaluator, game=game, found=found):
            for _ in range(5):
                found[index] = answer(evaluator, game)

        threads = [threading.Thread(target=lane, args=(index,)) for index in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in found:
            assert np.array_equal(one[0], alone[0])
            assert np.array_equal(one[1], alone[1])


@pytest.mark.parametrize("name", NAMES)
def test_new_weights_are_those_of_a_new_evaluator(name):
    for net, game in networks():
        other = nets.of_spec(game, net.spec, seed=77)
        evaluator = NetworkEvaluator(net, backend=name)
        clone = evaluator.clone()
        before = probe_digest(evaluator, game, ROWS)
        arrays = nets.arrays_of(other)
        evaluator.refresh(arrays)
        for array in arrays.values():
            array.fill(9.0)  # the evaluator has its own
        fresh = probe_digest(NetworkEvaluator(other, backend=name), game, ROWS)
        assert probe_digest(evaluator, game, ROWS) == fresh != before
        assert evaluator.weights_id == nets.digest_of(nets.arrays_of(other))
        assert probe_digest(clone, game, ROWS) == before
        with pytest.raises(NumericsError, match="not finite"):
            evaluator.refresh({n: a * np.nan for n, a in nets.arrays_of(other).items()})
        assert probe_digest(evaluator, game, ROWS) == fresh


@pytest.mark.parametrize("name", NAMES)
def test_several_batches_and_shapes_in_turn(name):
    net, game = networks()[0]
    evaluator = NetworkEvaluator(net, backend=name)
    batches = [probe_batch(game, rows) for rows in (64, 128, 64)]
    batches[2].observations *= 0.5
    for _ in range(2):
        for batch in batches:
            batch.logits.fill(np.nan)
            evaluator.evaluate(batch)
    assert np.array_equal(answer(evaluator, game, 64)[0], batches[0].logits)
    assert not np.array_equal(batches[0].logits, batches[2].logits)
    assert np.isfinite(batches[1].logits).all()


@pytest.mark.parametrize("name", NAMES)
def test_an_output_that_is_not_finite_is_told(name):
    net, game = networks()[0]
    batch = probe_batch(game, 64)
    batch.observations[5, 3] = np.inf
    with pytest.raises(NumericsError, match="not finite"):
        NetworkEvaluator(net, backend=name).evaluate(batch)


@pytest.mark.parametrize("name", NAMES)
def test_every_backend_passes_the_public_kit(name):
    check_evaluator(NetworkEvaluator(networks()[0][0], backend=name), GAME)


def test_a_missing_package_is_one_sentence_that_names_the_extra(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "openvino" else real(name)
    )
    with pytest.raises(
        ConfigError,
        match=r"backend openvino-f32 is unavailable: openvino is not installed; install it with "
        r"pip install 'ludus\[fast\]', or take torch-f32$",
    ):
        NetworkEvaluator(networks()[0][0], backend="openvino-f32")


def test_a_missing_device_is_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"cuda-f32 is unavailable: .*CUDA.*; use a machine"):
        NetworkEvaluator(networks()[0][0], backend="cuda-f32")
