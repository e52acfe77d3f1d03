"""The stopwatch around an evaluator: same answers, right counts, any number of threads."""

import threading
import time

import numpy as np
import pytest

from ludus import _core, nets
from ludus.errors import NumericsError
from ludus.evaluators import (
    Durations,
    EvaluatorTimes,
    LeafBatch,
    NetworkEvaluator,
    ScriptedEvaluator,
    TimedEvaluator,
)
from ludus.evaluators.timing import BUCKETS, bucket_edge

GAME = _core.game("yatzy")


def filled(rows, used):
    """A batch whose first rows have two legal actions each."""
    batch = LeafBatch.allocate(GAME, rows, 2 * rows)
    batch.offsets[1:] = 2 * np.minimum(np.arange(1, rows + 1), used)
    for row in range(used):
        batch.legal[2 * row : 2 * row + 2] = row * GAME.num_actions + np.array([0, 1])
        batch.observations[row] = row % 7
    return batch


def nothing(batch):
    batch.logits.fill(0.0)
    batch.values.fill(0.0)


def test_answers_are_those_of_the_inner_evaluator():
    inner = NetworkEvaluator(nets.build(GAME, hidden=32, blocks=1, seed=3))
    timed = TimedEvaluator(inner)
    one, two = filled(64, 50), filled(64, 50)
    inner.evaluate(one)
    timed.evaluate(two)
    assert one.logits.tobytes() == two.logits.tobytes()
    assert one.values.tobytes() == two.values.tobytes()
    assert timed.weights_id == inner.weights_id
    assert timed.by_weights().keys() == {inner.weights_id}


@pytest.mark.parametrize(
    ("used", "tenth"), [(0, 0), (1, 0), (12, 1), (13, 2), (32, 4), (63, 9), (64, 9)]
)
def test_fill_counts_the_rows_that_hold_a_leaf(used, tenth):
    timed = TimedEvaluator(ScriptedEvaluator(nothing))
    timed.evaluate(filled(64, used))
    times = timed.times()
    assert (times.batches, times.rows, times.capacity) == (1, used, 64)
    assert times.fill == used / 64
    assert times.fills.index(1) == tenth and sum(times.fills) == 1


def test_latency_is_the_time_inside():
    timed = TimedEvaluator(ScriptedEvaluator(lambda batch: (time.sleep(0.02), nothing(batch))))
    for _ in range(3):
        timed.evaluate(filled(64, 64))
    times = timed.times()
    assert times.latency.count == 3
    assert times.latency.total_ns >= 3 * 20_000_000
    assert times.latency.quantile(0.5) >= 20_000 / 2**0.25


def test_a_change_of_weights_is_counted_apart():
    inner = NetworkEvaluator(nets.build(GAME, hidden=32, blocks=1, seed=3))
    timed = TimedEvaluator(inner)
    before = timed.weights_id
    timed.evaluate(filled(64, 10))
    inner.refresh(nets.arrays_of(nets.build(GAME, hidden=32, blocks=1, seed=4)))
    timed.evaluate(filled(64, 20))
    timed.evaluate(filled(64, 30))
    found = {name: (times.batches, times.rows) for name, times in timed.by_weights().items()}
    assert found == {before: (1, 10), inner.weights_id: (2, 50)}


def test_a_failed_call_is_not_counted_and_not_pending():
    def broken(batch):
        batch.logits.fill(np.nan)

    timed = TimedEvaluator(ScriptedEvaluator(broken))
    with pytest.raises(NumericsError):
        timed.evaluate(filled(64, 5))
    assert timed.times() == EvaluatorTimes()
    assert timed.pending == 0


def test_threads_lose_nothing_and_pending_shows_them():
    inside, go = threading.Barrier(4), threading.Event()

    def fill(batch):
        if batch.rows == 128:
            inside.wait()
            go.wait()
        nothing(batch)

    timed = TimedEvaluator(ScriptedEvaluator(fill))

    def work():
        for used in range(65):
            timed.evaluate(filled(64, used))
        timed.evaluate(filled(128, 1))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert timed.pending == 3
    go.set()
    for thread in threads:
        thread.join()
    times = timed.times()
    assert (times.batches, times.rows) == (3 * 66, 3 * (64 * 65 // 2 + 1))
    assert times.latency.count == sum(times.fills) == times.batches
    assert timed.pending == 0


def test_quantiles_are_exact_to_a_bucket():
    random = np.random.default_rng(1)
    values = np.exp(random.normal(7.0, 1.5, 5000))  # microseconds
    durations = Durations()
    for value in values:
        durations.add(int(value * 1000))
    for share in (0.05, 0.5, 0.95, 1.0):
        exact = float(np.quantile(values, share))
        assert durations.quantile(share) == pytest.approx(exact, rel=0.2)
    assert Durations().quantile(0.5) is None


def test_buckets_take_everything():
    durations = Durations()
    for nanoseconds in (0, 1, 999, 1001, 10**6, 10**12):
        durations.add(nanoseconds)
    assert durations.counts[0] == 4
    assert durations.counts[BUCKETS - 1] == 1
    assert sum(durations.sparse().values()) == durations.count == 6
    assert bucket_edge(4) == 2.0


def test_counts_survive_a_commit():
    timed = TimedEvaluator(ScriptedEvaluator(nothing))
    for used in (1, 33, 64):
        timed.evaluate(filled(64, used))
    before = timed.times()
    again = EvaluatorTimes.from_json(before.as_json())
    assert again == before
    again.merge(before)
    assert (again.batches, again.rows) == (6, 196)
    assert again.latency.total_ns == 2 * before.latency.total_ns
