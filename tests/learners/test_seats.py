"""Learning values and margins of more than two seats, of which some are not in play."""

import dataclasses

import numpy as np
import pytest
import torch
from tests.nets.boards import CARDS, TOKENS
from tests.nets.test_transformer import observations_of
from tests.twins import loss_twin

from ludus import _core, nets
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings, alphazero_losses
from ludus.replay import TrainingRows

ACTIONS, SEATS = CARDS.num_actions, CARDS.num_seats


def make_rows(count=64, seed=0, rubbish=0.0):
    """Rows of 2 to 4 players; columns of seats that are not there hold rubbish."""
    random = np.random.default_rng(seed)
    observations = observations_of(count, seed, seats=SEATS)
    players = random.integers(2, SEATS + 1, count).astype(np.int32)
    observations[:, 32:35] = np.eye(3)[players - 2]
    policy = random.dirichlet(np.ones(ACTIONS), count).astype(np.float32)
    there = np.arange(SEATS) < players[:, None]
    value = np.sign(observations[:, 24:32:2])
    return TrainingRows(
        observations=observations,
        legal=np.arange(count * ACTIONS, dtype=np.int32),
        offsets=np.arange(count + 1, dtype=np.int32) * ACTIONS,
        policy=policy.reshape(-1),
        value=np.where(there, value, rubbish).astype(np.float32),
        margin=np.where(there, -value / 2, rubbish).astype(np.float32),
        players=players,
        root_value=random.uniform(-1, 1, count).astype(np.float32),
        searched=(np.arange(count) % 3 > 0).astype(np.uint8),
    )


def outputs(count=64, columns=ACTIONS + 2 * SEATS, seed=5):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(count, columns, generator=generator)).requires_grad_()


@pytest.mark.parametrize("margin", [True, False])
@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_the_core_and_plain_torch_agree_for_seats_in_play(margin, mix):
    rows = make_rows(rubbish=0.9)
    fused = outputs()
    values = slice(ACTIONS, ACTIONS + SEATS)
    margins = slice(ACTIONS + SEATS, ACTIONS + 2 * SEATS)
    twin = loss_twin.alphazero_losses(
        fused[:, :ACTIONS],
        torch.tanh(fused[:, values]),
        torch.tanh(fused[:, margins]) if margin else None,
        rows,
        mix,
    )
    weight = 0.3 if margin else 0.0
    (twin.policy + 0.7 * twin.value + weight * twin.margin).backward()
    losses, gradient = alphazero_losses(
        fused,
        rows,
        actions=ACTIONS,
        margin=margin,
        value_weight=0.7,
        margin_weight=weight,
        value_mix=mix,
    )
    for name in ("policy", "value", "margin", "entropy", "target_entropy"):
        assert getattr(losses, name) == pytest.approx(getattr(twin, name).item(), rel=1e-5), name
    assert gradient.numpy() == pytest.approx(fused.grad.numpy(), abs=2e-7, rel=1e-4)
    assert losses.value > 0.1


def test_values_by_hand():
    rows = make_rows(2)
    rows.players[:] = [2, 3]
    rows.value[:] = [[1.0, -1.0, 9.0, 9.0], [0.5, 0.0, -0.5, 9.0]]
    rows.root_value[:] = [0.0, -0.5]
    fused = torch.zeros(2, ACTIONS + 2 * SEATS)
    losses, gradient = alphazero_losses(
        fused, rows, actions=ACTIONS, margin=True, value_weight=3.0, value_mix=0.5
    )
    # Targets of the movers: halfway to the search's value.
    assert losses.value == pytest.approx(((0.25 + 1.0) / 2 + (0.0 + 0.0 + 0.25) / 3) / 2)
    column = gradient.numpy()[:, ACTIONS : ACTIONS + SEATS]
    by_hand = 3.0 * -2 * np.array([[0.5 / 2, -1 / 2, 0, 0], [0, 0, -0.5 / 3, 0]]) / 2
    assert column == pytest.approx(by_hand)


def test_columns_of_seats_that_are_not_in_play_teach_nothing():
    rows, other = make_rows(), make_rows(rubbish=0.7)
    settings = AlphaZeroSettings(batch_size=64, margin_weight=0.5, warmup_steps=2, value_mix=0.2)

    def trained(first, players=None):
        net = nets.build(CARDS, hidden=32, blocks=1, seed=1)
        learner = AlphaZeroLearner(net, settings)
        learner.begin_iteration(None, 5)
        for _ in range(5):
            taken = first if players is None else dataclasses.replace(first, players=players)
            figures = learner.step(taken)
        return learner.candidate(), figures

    one, figures = trained(rows)
    same, again = trained(other)
    assert nets.digest_of(one) == nets.digest_of(same)
    assert figures == again
    all_play, _ = trained(other, np.full(64, SEATS, np.int32))
    assert nets.digest_of(all_play) != nets.digest_of(one)

    born = nets.arrays_of(nets.build(CARDS, hidden=32, blocks=1, seed=1))
    few, _ = trained(rows, np.full(64, 3, np.int32))
    last = ACTIONS + 3  # value column of the fourth seat
    decay = few["output.weight"][last] / born["output.weight"][last]
    assert np.allclose(decay, decay[0])  # weight decay at most, and no gradient
    assert few["output.bias"][last] == born["output.bias"][last]
    assert few["output.bias"][last - 1] != born["output.bias"][last - 1]


@pytest.mark.parametrize("kind", ["residual_mlp", "token_transformer"])
def test_the_values_of_all_seats_are_learned(kind):
    shape = {"hidden": 64, "blocks": 1, "width": 16, "tokens": TOKENS, "kind": kind}
    learner = AlphaZeroLearner(
        nets.build(CARDS, **shape, seed=3),
        AlphaZeroSettings(
            batch_size=64, learning_rate=1e-2, margin_weight=1.0, warmup_steps=2, value_mix=0.0
        ),
    )
    learner.begin_iteration(None, 80)
    for step in range(80):
        figures = learner.step(make_rows(seed=step))
    assert figures["loss_value"] < 0.35  # 1 for those who know nothing
    rows = make_rows(512, seed=1000)
    nets.load_arrays(learner.net, learner.candidate())
    with torch.inference_mode():
        _, value, margin = learner.net(torch.from_numpy(rows.observations))
    there = np.arange(SEATS) < rows.players[:, None]
    for found, wanted in ((value, rows.value), (margin, rows.margin)):
        right = np.sign(found.numpy()) == np.sign(wanted)
        share = [right[:, seat][there[:, seat]].mean() for seat in range(SEATS)]
        assert min(share) > 0.8, share


@pytest.mark.parametrize("players", [0, SEATS + 1])
def test_seats_that_cannot_be_are_refused(players):
    rows = dataclasses.replace(make_rows(), players=np.full(64, players, np.int32))
    with pytest.raises(ValueError, match=r"players|seats"):
        alphazero_losses(outputs(), rows, actions=ACTIONS, margin=True)


def test_an_output_too_narrow_for_its_seats_is_refused():
    game = _core.game("blob")
    narrow = torch.zeros(64, nets.build(game, hidden=32).columns - 64)
    with pytest.raises(ValueError, match="too few columns"):
        alphazero_losses(narrow, make_rows(), actions=game.num_actions, margin=True)
