"""Who holds which hidden card: the rows that teach it, the loss, the head of the network."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from tests.search.driving import random_games_of, replay
from tests.search.test_worlds import HAND, SEAT_VIEW

from ludus import _core, nets
from ludus.errors import ConfigError, VersionError
from ludus.evaluators import LeafBatch, NetworkEvaluator, TimedEvaluator, probe_digest
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings
from ludus.learners.beliefs import belief_loss, hidden_rows
from ludus.nets import NetSpec
from ludus.replay import GameRecords, ReplaySampler, row_buffers
from ludus.replay.rows import fill_rows

GAME = _core.game("blob:players=3-6,cards=1-7")
NOBODY, SEEN = 7, 255


@pytest.fixture(scope="module")
def records():
    return random_games_of("blob:players=3-6,cards=1-7", 96, 5)


def targets(state):
    """Holder of each card, possible holders and how many each has: from what the seats see."""
    seat, players = state.seat, state.players
    hands = [state.observe((seat + k) % players)[HAND] > 0 for k in range(players)]
    own = state.observe(seat)
    hidden = ~(hands[0] | (own[52:104] > 0))
    holder = np.where(hidden, NOBODY, SEEN)
    held = np.zeros(8, int)
    possible = np.where(hidden, 1 << NOBODY, 0)
    for k in range(1, players):
        holder[hands[k]] = k - 1
        held[k - 1] = hands[k].sum()
        if held[k - 1]:
            void = own[180 + 4 * k : 184 + 4 * k] > 0
            possible |= np.where(hidden & ~np.repeat(void, 13), 1 << (k - 1), 0)
    held[NOBODY] = hidden.sum() - held.sum()
    if not held[NOBODY]:
        possible &= ~(1 << NOBODY)
    return holder, possible, held


# ---- rows ----------------------------------------------------------------------


@pytest.mark.parametrize("open_worlds", [False, True])
def test_rows_know_who_held_what(records, open_worlds):
    decisions = list(replay(records, GAME))
    order = {int(number): g for g, number in enumerate(records["game_id"])}
    games = np.array([order[d.game] for d in decisions], np.int64)
    plies = np.array([d.ply for d in decisions], np.int32)
    decoder = _core.RowDecoder(GAME, records, open=open_worlds)
    rows = fill_rows(decoder, games, plies, row_buffers(GAME, len(games), beliefs=True))
    voids = nobody = 0
    for i, decision in enumerate(decisions):
        if open_worlds and i % 2:
            assert (rows.holder[i] == SEEN).all() and not rows.possible[i].any()
            assert not rows.held[i].any()
            continue
        holder, possible, held = targets(decision.state)
        assert rows.holder[i].tolist() == holder.tolist()
        assert rows.possible[i].tolist() == possible.tolist()
        assert rows.held[i].tolist() == held.tolist()
        there = holder != SEEN  # the truth is always possible
        assert ((possible[there] >> holder[there]) & 1).all()
        voids += len(set(possible[there].tolist())) > 1
        nobody += (holder == NOBODY).any()
    assert voids > 100 and nobody > 500
    plain = fill_rows(decoder, games, plies, row_buffers(GAME, len(games)))
    assert plain.holder.size == plain.held.size == 0
    assert plain.observations.tobytes() == rows.observations.tobytes()


def test_rows_of_other_games_have_no_holders(records):
    yatzy = GameRecords(random_games_of("yatzy", 4, 1))
    with pytest.raises(ConfigError, match="unlike yatzy"):
        ReplaySampler(_core.game("yatzy"), yatzy, 1, beliefs=True)
    rows = row_buffers(GAME, 8, beliefs=True)
    small = dataclasses.replace(rows, possible=np.zeros((1, 52), np.uint8))
    decoder = _core.RowDecoder(GAME, records)
    with pytest.raises(ValueError, match="'possible' is too small"):
        fill_rows(decoder, np.arange(8), np.zeros(8, np.int32), small)


# ---- loss ----------------------------------------------------------------------


def sampled(records, count=256, **how):
    return ReplaySampler(GAME, GameRecords(records), 3, beliefs=True, **how).rows(0, count)


def test_the_loss_is_that_of_its_definition(records):
    rows = sampled(records, 64, open_worlds=True)
    which = hidden_rows(rows)
    assert which.tolist() == list(range(0, 64, 2))
    stream = np.random.Generator(np.random.PCG64(1))
    logits = stream.normal(0, 1, (len(which), 52, 8))
    nats, blind = [], []
    for i, row in enumerate(which.tolist()):
        for card in np.flatnonzero(rows.holder[row] != SEEN):
            may = [k for k in range(8) if rows.possible[row, card] >> k & 1]
            truth = may.index(rows.holder[row, card])
            shares = rows.held[row, may].astype(float)
            blind.append(-np.log(shares[truth] / shares.sum()))
            shares *= np.exp(logits[i, card, may])
            nats.append(-np.log(shares[truth] / shares.sum()))
    given = torch.tensor(logits.reshape(len(which), -1), dtype=torch.float32, requires_grad=True)
    found = belief_loss(given, rows, which)
    assert abs(float(found.loss.detach()) - np.mean(nats)) < 1e-5
    assert abs(found.gain - (np.mean(blind) - np.mean(nats))) < 1e-5
    found.loss.backward()
    assert torch.isfinite(given.grad).all()
    none = belief_loss(given[:0], rows, which[:0])
    assert (float(none.loss.detach()), none.gain) == (0.0, 0.0)


def learner_of(weight=1.0, belief=GAME.belief_size, **settings):
    net = nets.build(GAME, hidden=32, blocks=1, belief=belief, seed=2)
    made = AlphaZeroLearner(
        net,
        AlphaZeroSettings(batch_size=256, learning_rate=3e-3, belief_weight=weight, **settings),
    )
    made.begin_iteration(None, 60)
    return made


def test_the_head_learns_what_can_be_seen(records):
    """In no trumps the left neighbour has all spades, else nobody has: the trump is in view."""
    rows = sampled(records)
    no_trump = rows.observations[:, 230] > 0
    spades = np.zeros((len(rows), 52), bool)
    spades[:, :13] = (rows.possible[:, :13] & 1) & (rows.possible[:, :13] >> NOBODY & 1)
    rows.holder[spades & no_trump[:, None]] = 0
    rows.holder[spades & ~no_trump[:, None]] = NOBODY
    rows.holder[~spades] = SEEN
    assert spades[no_trump].sum() > 300
    learner = learner_of()
    seen = [learner.step(rows) for _ in range(30)]
    assert abs(seen[0]["belief_gain"]) < 0.01, "it begins as if all hidden places were alike"
    assert seen[-1]["belief_gain"] > 0.2
    assert seen[-1]["loss_belief"] < 0.7 * seen[0]["loss_belief"]


def test_a_belief_is_a_part_of_the_loss_and_goes_on_after_a_kill(records):
    rows = sampled(records)
    with_it, without = learner_of(0.5).step(rows), learner_of(0.0).step(rows)
    assert "loss_belief" not in without
    assert with_it["loss_total"] == pytest.approx(
        without["loss_total"] + 0.5 * with_it["loss_belief"], abs=1e-5
    )
    whole, first = learner_of(), learner_of()
    for _ in range(4):
        whole.step(rows)
    for _ in range(2):
        first.step(rows)
    again = learner_of()
    again.restore(first.state())
    for _ in range(2):
        again.step(rows)
    assert nets.digest_of(again.candidate()) == nets.digest_of(whole.candidate())
    with pytest.raises(ConfigError, match=r"model\.belief = true"):
        learner_of(belief=0)


# ---- the head ------------------------------------------------------------------


def test_a_network_without_a_head_is_what_it_was():
    """The same weights, description and file as before there were beliefs."""
    plain = nets.build(GAME, hidden=32, blocks=1, seed=2)
    believing = nets.build(GAME, hidden=32, blocks=1, seed=2, belief=416)
    assert "belief" not in json.dumps(nets.describe(plain, GAME))
    ours, theirs = nets.arrays_of(plain), nets.arrays_of(believing)
    assert sorted(set(theirs) - set(ours)) == ["belief.bias", "belief.weight"]
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)
    observations = torch.rand(64, GAME.observation_size)
    assert torch.equal(plain.fused(observations), believing.fused(observations))
    with pytest.raises(ConfigError, match="no belief head"):
        plain.with_belief(observations, torch.arange(4))
    with pytest.raises(ConfigError, match="use kind residual_mlp"):
        NetSpec(kind="residual_tower", belief=416)


@pytest.mark.parametrize("belief", [0, 416])
def test_files_of_weights_come_back_with_and_without_a_head(belief):
    net = nets.build(GAME, hidden=32, blocks=1, seed=2, belief=belief)
    data = nets.encode(nets.arrays_of(net), nets.describe(net, GAME))
    again = nets.from_arrays(GAME, *nets.decode(data))
    assert again.spec == net.spec and again.spec.belief == belief
    assert nets.digest_of(nets.arrays_of(again)) == nets.digest_of(nets.arrays_of(net))
    other = nets.build(GAME, hidden=32, blocks=1, belief=416 - belief)
    with pytest.raises(VersionError, match="parameters"):
        nets.load_arrays(other, nets.arrays_of(net))


@pytest.mark.parametrize("wanted", [1, 64, 65, 128])
def test_the_evaluator_answers_the_rows_that_ask(wanted):
    net = nets.build(GAME, hidden=32, blocks=1, seed=2, belief=416)
    with torch.no_grad():
        net.belief.weight.normal_(0, 1, generator=torch.Generator().manual_seed(1))
    evaluator = TimedEvaluator(NetworkEvaluator(net))
    assert evaluator.belief_size == 416
    batch = LeafBatch.allocate(GAME, 128, 128, 416)
    stream = np.random.Generator(np.random.PCG64(4))
    batch.observations[:, :SEAT_VIEW] = stream.normal(0, 1, (128, SEAT_VIEW))
    rows = np.sort(stream.permutation(128)[:wanted])
    batch.wanted[rows] = 1
    batch.beliefs[...] = 7.0
    evaluator.evaluate(batch)
    every = torch.arange(128)
    with torch.no_grad():
        _, right = net.with_belief(torch.from_numpy(batch.observations), every)
    assert np.abs(batch.beliefs[rows] - right[rows].numpy()).max() < 1e-4
    assert (np.delete(batch.beliefs, rows, 0) == 7.0).all()
    one = batch.beliefs[rows[0]].tobytes()
    batch.wanted[...] = 0
    batch.wanted[rows[0]] = 1
    evaluator.evaluate(batch)
    assert batch.beliefs[rows[0]].tobytes() == one, "bits depend on the company of a row"


def test_a_network_without_a_head_cannot_be_asked():
    plain = NetworkEvaluator(nets.build(GAME, hidden=32, blocks=1))
    batch = LeafBatch.allocate(GAME, 64, 64, 416)
    with pytest.raises(ConfigError, match=r"train one with model\.belief = true"):
        plain.evaluate(batch)
    net = nets.build(GAME, hidden=32, blocks=1, belief=416)
    before = probe_digest(NetworkEvaluator(net), GAME, 64)
    with torch.no_grad():
        net.belief.bias += 1.0
    assert probe_digest(NetworkEvaluator(net), GAME, 64) != before
