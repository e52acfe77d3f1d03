"""From games to weights: records, replay, sampler and learner together, as a run uses them."""

import numpy as np
import pytest

from ludus import _core, nets
from ludus.evaluators import LeafBatch, NetworkEvaluator, probe_digest
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings, plan_steps
from ludus.replay import GameRecords, ReplaySampler, ReplaySchema, ReplayStore, audit_rows

GAME = _core.game("yatzy")


def play(evaluator, count=64, rule="gumbel"):
    settings = {"kind": "search", "rule": rule, "simulations": [4, 4]}
    slots = _core.Slots(GAME, slots=64, group_size=64, seed=3, players=[settings], record=True)
    batch = LeafBatch.allocate(GAME, slots.rows, slots.legal_capacity)
    slots.bind(0, 0, batch.observations, batch.seats, batch.legal, batch.offsets)
    ids = np.arange(count, dtype=np.int64)
    slots.schedule(ids, ids.astype(np.uint64) * 7919, np.zeros((count, 2), np.int8))
    while slots.busy(0):
        if slots.collect(0, 0):
            evaluator.evaluate(batch)
            slots.supply(0, 0, batch.logits, batch.values)
    return GameRecords(slots.finished())


@pytest.fixture(scope="module")
def store():
    replay = ReplayStore(ReplaySchema.of(GAME), 2, games_per_shard=24)
    replay.add(play(NetworkEvaluator(nets.build(GAME, hidden=32, blocks=1, seed=1))))
    replay.flush(lambda name, data: None)
    assert len(replay.entries) == 2 and len(replay.tail) == 16
    return replay


def train(store, learner, until, champion=None):
    sampler = ReplaySampler(GAME, store.window(), seed=5)
    settings = learner.settings
    if champion is not None:
        plan = plan_steps(
            batch_size=settings.batch_size,
            epochs=1,
            snapshot_samples=store.snapshot()["total_samples"],
        )
        learner.begin_iteration(champion, plan.steps_target)
    seen = []
    while learner.iteration_step < min(until, learner.steps_target):
        rows = sampler.rows(learner.update, settings.batch_size)
        audit_rows(rows, GAME.num_actions)
        seen.append(learner.step(rows))
    return seen


def learner_of(seed, **settings):
    net = nets.build(GAME, hidden=32, blocks=1, seed=seed)
    return AlphaZeroLearner(
        net, AlphaZeroSettings(batch_size=128, learning_rate=5e-3, margin_weight=0.3, **settings)
    )


def test_an_epoch_over_real_games_makes_a_better_predictor(store):
    learner = learner_of(1)
    seen = train(store, learner, 10**6, champion=learner.weights())
    assert len(seen) == -(-store.samples // 128)
    # The first network's search says little about policy; who wins is what there is to learn.
    for loss in ("loss_value", "loss_margin"):
        first = np.mean([m[loss] for m in seen[:5]])
        last = np.mean([m[loss] for m in seen[-5:]])
        assert last < 0.85 * first, loss
    assert min(m["kl"] for m in seen) > -1e-5
    # The candidate plays.
    net = nets.build(GAME, hidden=32, blocks=1)
    nets.load_arrays(net, learner.candidate())
    assert len(play(NetworkEvaluator(net, margin_weight=0.2))) == 64


@pytest.mark.parametrize("threads", [1, 2])
def test_a_killed_iteration_goes_on_to_the_same_candidate(store, threads):
    straight = learner_of(1, threads=threads)
    train(store, straight, 20, champion=straight.weights())
    killed = learner_of(1, threads=threads)
    train(store, killed, 7, champion=killed.weights())
    resumed = learner_of(2, threads=threads)
    resumed.restore(killed.state())
    train(store, resumed, 20)
    assert nets.digest_of(resumed.candidate()) == nets.digest_of(straight.candidate())
    net = nets.build(GAME, hidden=32, blocks=1)
    nets.load_arrays(net, resumed.candidate())
    assert probe_digest(NetworkEvaluator(net), GAME, 64)
