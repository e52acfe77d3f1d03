"""Evaluators around evaluators: a cache that forgets in time, and batches split into chunks."""

import threading

import numpy as np
import pytest
import torch
from tests.evaluators.test_evaluators import make_batch

from ludus import _core, nets
from ludus.errors import ConfigError, NumericsError
from ludus.evaluators import (
    CachedEvaluator,
    LeafBatch,
    NetworkEvaluator,
    ScriptedEvaluator,
    SplitEvaluator,
)
from ludus.testing.evaluators import check_evaluator

GAME = _core.game("yatzy")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(seed=1):
    return nets.build(GAME, hidden=64, blocks=1, seed=seed)


class Counting:
    """An evaluator that notes the shape and the filled rows of what it is given."""

    def __init__(self, inner):
        self.inner = inner
        self.calls = []

    @property
    def weights_id(self):
        return self.inner.weights_id

    def evaluate(self, batch):
        self.calls.append((batch.rows, int(np.count_nonzero(np.diff(batch.offsets)))))
        self.inner.evaluate(batch)


def filled(batch):
    return np.flatnonzero(np.diff(batch.offsets))


def same_answers(one, other):
    used = one.used
    rows = filled(one)
    return np.array_equal(one.logits[:used], other.logits[:used]) and np.array_equal(
        one.values[rows], other.values[rows]
    )


# ---- splitting


@pytest.mark.parametrize("rows", [64, 128, 192, 256])
def test_a_split_batch_has_the_bits_of_fixed_chunks(rows):
    net, chunk = network(), 64
    batch = make_batch(rows=rows, filled=rows - 7)
    counting = Counting(NetworkEvaluator(net))
    SplitEvaluator(counting, chunk).evaluate(batch)
    assert [call[0] for call in counting.calls] == [chunk] * (rows // chunk)
    direct = NetworkEvaluator(net)
    for begin in range(0, rows, chunk):
        alone = LeafBatch.allocate(GAME, chunk, chunk * GAME.num_actions)
        alone.take(batch, np.arange(begin, begin + chunk))
        direct.evaluate(alone)
        first, last = batch.offsets[begin], batch.offsets[begin + chunk]
        assert np.array_equal(alone.logits[: alone.used], batch.logits[first:last])
        assert np.array_equal(alone.values, batch.values[begin : begin + chunk])


def test_the_last_chunk_is_padded_and_empty_chunks_cost_nothing():
    counting = Counting(NetworkEvaluator(network()))
    batch = make_batch(rows=320, filled=130)
    batch.values.fill(np.nan)
    SplitEvaluator(counting, 128).evaluate(batch)
    assert counting.calls == [(128, 128), (128, 2)]
    assert not batch.values[256:].any()
    wide = make_batch(rows=192, filled=192)
    SplitEvaluator(counting, 128).evaluate(wide)
    assert counting.calls[2:] == [(128, 128), (128, 64)]
    whole = make_batch(rows=192, filled=192)
    NetworkEvaluator(network()).evaluate(whole)
    assert np.abs(whole.logits - wide.logits).max() < 1e-5


def test_rows_taken_keep_their_positions_seats_and_actions():
    batch = make_batch(rows=128, filled=100, seed=3)
    rows = np.array([5, 17, 99, 100, 3])
    inner = batch.room(64, batch.used, None)
    inner.observations.fill(9)
    places = inner.take(batch, rows)
    assert batch.room(64, 10, inner) is inner
    for place, row in enumerate(rows):
        begin, end = batch.offsets[row], batch.offsets[row + 1]
        mine = slice(inner.offsets[place], inner.offsets[place + 1])
        assert np.array_equal(
            inner.legal[mine] - place * GAME.num_actions,
            batch.legal[begin:end] - row * GAME.num_actions,
        )
        assert np.array_equal(places[mine], np.arange(begin, end))
        assert inner.seats[place] == batch.seats[row]
        assert np.array_equal(inner.observations[place], batch.observations[row])
    assert not inner.observations[5:].any()
    assert not inner.legal[inner.used :].any()
    assert set(inner.offsets[5:]) == {inner.used}


@pytest.mark.parametrize("rows", [0, 63, 100, -64])
def test_chunks_of_other_sizes_are_refused(rows):
    with pytest.raises(ConfigError, match=f"rows = {rows} of a split evaluator"):
        SplitEvaluator(NetworkEvaluator(network()), rows)


# ---- the cache


def test_a_known_batch_is_not_evaluated_again_and_has_the_same_bits():
    counting = Counting(NetworkEvaluator(network(), margin_weight=0.25))
    cache = CachedEvaluator(counting)
    one, two, plain = make_batch(), make_batch(), make_batch()
    cache.evaluate(one)
    two.logits.fill(np.nan)
    cache.evaluate(two)
    NetworkEvaluator(network(), margin_weight=0.25).evaluate(plain)
    assert counting.calls == [(128, 100)]
    assert same_answers(one, plain)
    assert same_answers(two, plain)
    assert (cache.hits, cache.evaluated, len(cache)) == (100, 100, 100)


def test_partial_hits_evaluate_the_rest_in_the_full_shape():
    counting = Counting(NetworkEvaluator(network()))
    cache = CachedEvaluator(counting)
    cache.evaluate(make_batch(seed=1))
    mixed, plain = make_batch(seed=1), make_batch(seed=1)
    for batch in (mixed, plain):
        batch.observations[10:30] += 1
    cache.evaluate(mixed)
    NetworkEvaluator(network()).evaluate(plain)
    assert counting.calls == [(128, 100), (128, 20)]
    assert same_answers(mixed, plain)
    assert (cache.hits, cache.evaluated) == (80, 120)


def test_a_cache_over_a_split_evaluator_pays_for_the_chunks_it_needs():
    counting = Counting(NetworkEvaluator(network()))
    cache = CachedEvaluator(SplitEvaluator(counting, 64))
    cache.evaluate(make_batch(rows=256, filled=256))
    again = make_batch(rows=256, filled=256)
    again.observations[100:110] += 1
    cache.evaluate(again)
    assert counting.calls == [(64, 64)] * 4 + [(64, 10)]


@pytest.mark.parametrize("what", ["seat", "legal", "observation"])
def test_rows_that_differ_in_anything_are_different(what):
    cache = CachedEvaluator(NetworkEvaluator(network()))
    first, other = make_batch(), make_batch()
    cache.evaluate(first)
    if what == "seat":
        other.seats[:100] = 1 - other.seats[:100]
    elif what == "legal":
        for row in range(100):  # the last action becomes another one, or the first is left
            entry = other.offsets[row + 1] - 1
            last = other.legal[entry] - row * GAME.num_actions
            taken = set(other.legal[other.offsets[row] : entry] - row * GAME.num_actions)
            other.legal[entry] += next(a for a in range(47) if a not in taken | {last}) - last
    else:
        other.observations[:100, 0] += 1
    cache.evaluate(other)
    assert cache.hits == 0
    plain = make_batch()
    for name in ("observations", "seats", "legal", "offsets"):
        getattr(plain, name)[...] = getattr(other, name)
    NetworkEvaluator(network()).evaluate(plain)
    assert same_answers(other, plain)


def test_no_answer_outlives_its_weights():
    """Permanent: a cache that survives a change of weights answers for a player that is gone."""
    evaluator = NetworkEvaluator(network(1))
    cache = CachedEvaluator(evaluator)
    batch = make_batch()
    cache.evaluate(batch)
    old = batch.logits.copy()
    evaluator.refresh(nets.arrays_of(network(2)))
    assert cache.weights_id == evaluator.weights_id
    cache.evaluate(batch)
    plain = make_batch()
    NetworkEvaluator(network(2)).evaluate(plain)
    assert same_answers(batch, plain)
    assert not np.array_equal(batch.logits, old)
    assert cache.hits == 0
    evaluator.refresh(nets.arrays_of(network(1)))  # back again: it must not remember either
    cache.evaluate(batch)
    assert np.array_equal(batch.logits, old)
    assert cache.hits == 0
    assert len(cache) == 100


def test_weights_that_change_during_a_call_do_not_mix_in_a_batch():
    evaluator = NetworkEvaluator(network(1))

    class Swapping:
        swap = False

        @property
        def weights_id(self):
            return evaluator.weights_id

        def evaluate(self, batch):
            if self.swap:
                self.swap = False
                evaluator.refresh(nets.arrays_of(network(2)))
            evaluator.evaluate(batch)

    inner = Swapping()
    cache = CachedEvaluator(inner)
    cache.evaluate(make_batch())
    mixed, plain = make_batch(), make_batch()
    for batch in (mixed, plain):
        batch.observations[:10] += 1
    inner.swap = True
    cache.evaluate(mixed)
    NetworkEvaluator(network(2)).evaluate(plain)
    assert same_answers(mixed, plain)


def test_memory_is_bounded_and_the_oldest_go_first():
    cache = CachedEvaluator(NetworkEvaluator(network()), capacity_bytes=1_000_000)
    first = make_batch(seed=0)
    cache.evaluate(first)
    for seed in range(1, 40):
        cache.evaluate(make_batch(seed=seed))
        assert cache.bytes_used <= 1_000_000
    assert 1000 < len(cache) < 4000
    hits = cache.hits
    cache.evaluate(make_batch(seed=39))
    assert cache.hits == hits + 100
    cache.evaluate(make_batch(seed=0))
    assert cache.hits == hits + 100
    with pytest.raises(ConfigError, match="capacity_bytes = 10 "):
        CachedEvaluator(NetworkEvaluator(network()), capacity_bytes=10)


def test_nothing_is_remembered_of_a_batch_that_failed():
    def script(batch):
        batch.values.fill(2.0)

    cache = CachedEvaluator(ScriptedEvaluator(script))
    for _ in range(2):
        with pytest.raises(NumericsError):
            cache.evaluate(make_batch())
    assert len(cache) == 0


def test_lanes_share_a_cache():
    cache = CachedEvaluator(SplitEvaluator(NetworkEvaluator(network()), 64))
    batches = [make_batch(seed=seed % 2) for seed in range(4)]

    def lane(batch):
        for _ in range(20):
            cache.evaluate(batch)

    threads = [threading.Thread(target=lane, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, batch in enumerate(batches):
        plain = make_batch(seed=seed % 2)
        SplitEvaluator(NetworkEvaluator(network()), 64).evaluate(plain)
        assert same_answers(batch, plain)
    assert cache.hits + cache.evaluated == 4 * 20 * 100
    assert len(cache) == 200


@pytest.mark.parametrize(
    "wrap", [lambda e: SplitEvaluator(e, 64), CachedEvaluator, lambda e: CachedEvaluator(e, 10**6)]
)
def test_wrappers_pass_the_public_kit(wrap):
    check_evaluator(wrap(NetworkEvaluator(network())), GAME, rows=128)
