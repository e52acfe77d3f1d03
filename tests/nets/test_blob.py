"""Networks of Blob's shape from its positions to the values of its seats."""

import numpy as np
import pytest
import torch

from ludus import _core, nets
from ludus.evaluators import LeafBatch, NetworkEvaluator
from ludus.games import get_game
from ludus.games.blob_tokens import LAYOUT

GAME = _core.game("blob:players=3-8,cards=1-6")
SHAPES = {
    "residual_mlp": {"hidden": 64, "blocks": 2},
    "token_transformer": {"hidden": 64, "width": 16, "blocks": 1, "tokens": LAYOUT},
}


def positions(count, game=GAME):
    """Decisions of rounds at random, some of each of many deals."""
    random, found = np.random.default_rng(1), []
    for seed in range(count):
        state = game.initial()
        state.apply_outcome(state.draw(seed))
        while state.kind == "decision":
            found.append(state.copy())
            state.apply(int(random.choice(state.legal())))
    return [found[i] for i in random.permutation(len(found))[:count]]


def loud(kind, seed=1):
    net = nets.build(GAME, kind=kind, **SHAPES[kind], seed=seed)
    random = np.random.default_rng(seed)
    arrays = nets.arrays_of(net).items()
    nets.load_arrays(
        net, {n: a + random.normal(0, 0.05, a.shape).astype(np.float32) for n, a in arrays}
    )
    return net


@pytest.mark.parametrize("kind", list(SHAPES))
def test_answers_are_those_of_the_seats_mover_first(kind):
    net, states = loud(kind), positions(512)
    batch = LeafBatch.allocate(GAME, 512, 512 * GAME.num_actions)
    for row, state in enumerate(states):
        batch.observations[row] = state.observe(state.seat)
        batch.seats[row], batch.players[row] = state.seat, state.players
        legal = state.legal()
        begin = batch.offsets[row]
        batch.legal[begin : begin + len(legal)] = row * GAME.num_actions + legal
        batch.offsets[row + 1] = begin + len(legal)
    NetworkEvaluator(net, margin_weight=0.25).evaluate(batch)
    with torch.inference_mode():
        fused = net.fused(torch.from_numpy(batch.observations)).numpy()
    wanted = 0.75 * np.tanh(fused[:, 66:74]) + 0.25 * np.tanh(fused[:, 74:82])
    assert {state.players for state in states} == {3, 4, 5, 6, 7, 8}
    for row, state in enumerate(states):
        by_seat = np.zeros(8)
        for k in range(state.players):
            by_seat[(state.seat + k) % state.players] = wanted[row, k]
        assert batch.values[row] == pytest.approx(by_seat, abs=2e-6)
    logits = fused[:, :66].reshape(-1)[batch.legal[: batch.used]]
    assert batch.logits[: batch.used] == pytest.approx(logits, abs=1e-5)


def test_the_layout_finds_every_card_and_seat_that_a_mover_sees():
    net = loud("token_transformer")
    cards, seats = net.encoders()
    thirteen = _core.game("blob:players=4,cards=13")
    for state in [*positions(300), *positions(200, thirteen)]:
        seen = torch.from_numpy(state.observe(state.seat))[None]
        text = get_game("blob").position_text(state)
        with torch.inference_mode():
            real = cards.real(seen)[0]
            _, kept, pick = cards(seen)
            seated = seats(seen)[1][0]
        held = np.flatnonzero(seen[0, :52].numpy())
        trick = np.flatnonzero(seen[0, 104:156].numpy())
        wanted = sorted({*held, *trick})
        assert np.flatnonzero(real.numpy()).tolist() == wanted, text
        assert len(wanted) == len(held) + len(trick) <= 16
        assert pick[0].argmax(1)[: len(wanted)].tolist() == wanted
        assert kept[0].sum() == len(wanted)
        assert seated.tolist() == [1.0] * state.players + [0.0] * (8 - state.players)


@pytest.mark.parametrize("kind", list(SHAPES))
def test_worlds_that_look_equal_to_a_seat_get_equal_answers(kind):
    net = loud(kind)
    states = [s for s in positions(400) if len(s.legal()) > 1][:64]
    worlds = [s.sample_world(s.seat, 7)[0] for s in states]
    one = np.stack([s.observe(s.seat) for s in states])
    other = np.stack([w.observe(s.seat) for w, s in zip(worlds, states, strict=True)])
    assert any(w.packed() != s.packed() for w, s in zip(worlds, states, strict=True))
    with torch.inference_mode():
        first, second = (net.fused(torch.from_numpy(x)).numpy() for x in (one, other))
    assert np.array_equal(first, second)
