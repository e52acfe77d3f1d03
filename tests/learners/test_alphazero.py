"""The AlphaZero learner: its loss by hand, its optimizer's fresh start, its exact resumption."""

import dataclasses

import numpy as np
import pytest
import torch
from tests.twins import loss_twin

from ludus import _core, nets
from ludus.errors import ConfigError, NumericsError, VersionError
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings, alphazero_losses
from ludus.learners.flat import FlatParameters
from ludus.replay import TrainingRows

GAME = _core.game("yatzy")
ACTIONS = GAME.num_actions


def make_rows(count=64, seed=0):
    """Rows whose targets follow from the observation, so that they can be learned."""
    random = np.random.default_rng(seed)
    observations = random.normal(size=(count, GAME.observation_size)).astype(np.float32)
    legal, policy, offsets = [], [], [0]
    for row in range(count):
        actions = np.sort(random.choice(ACTIONS, random.integers(2, 30), replace=False))
        logits = 2 * observations[row, actions]
        weights = np.exp(logits - logits.max())
        legal.extend(row * ACTIONS + actions)
        policy.extend(weights / weights.sum())
        offsets.append(len(legal))
    value = np.sign(observations[:, 0]).astype(np.float32)
    return TrainingRows(
        observations=observations,
        legal=np.array(legal, np.int32),
        offsets=np.array(offsets, np.int32),
        policy=np.array(policy, np.float32),
        value=value,
        margin=np.tanh(observations[:, 1]),
        players=np.full(count, 2, np.int32),
        root_value=np.tanh(observations[:, 2]),
        searched=np.ones(count, np.uint8),
    )


def dense(rows):
    target = np.zeros((len(rows), ACTIONS), np.float32)
    target.reshape(-1)[rows.legal] = rows.policy
    return target


def make_learner(seed=1, **settings):
    net = nets.build(GAME, hidden=32, blocks=1, seed=seed)
    settings = {"batch_size": 64, "margin_weight": 0.5, "warmup_steps": 2, **settings}
    return AlphaZeroLearner(net, AlphaZeroSettings(**settings))


def same(one, other):
    assert one.keys() == other.keys()
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


# ---- the loss


def loss(logits, value, margin, rows, **weights):
    """The core's loss of an output with these heads before their tanh, f32 arrays."""
    heads = [logits, value[:, None], *([] if margin is None else [margin[:, None]])]
    padding = np.full((len(rows), 5), 7.0, np.float32)
    fused = np.concatenate([*heads, padding], axis=1).astype(np.float32)
    losses, gradient = alphazero_losses(
        torch.from_numpy(fused), rows, actions=ACTIONS, margin=margin is not None, **weights
    )
    gradient = gradient.numpy()
    assert not gradient[:, -5:].any(), "unused columns have no gradient"
    return losses, gradient


def test_the_floor_of_the_policy_loss_is_the_entropy_of_the_target():
    """Logits that are the logarithm of the target reach the floor: softmax is applied once."""
    rows = make_rows()
    target = dense(rows)
    logits = np.log(np.maximum(target, 1e-30))
    logits[target == 0] = 25.0  # illegal actions must not matter
    zero = np.zeros(64)
    losses, gradient = loss(logits, zero, zero, rows)
    entropy = -(target * np.log(np.maximum(target, 1e-30))).sum(1).mean()
    assert losses.policy == pytest.approx(entropy, abs=1e-5)
    assert losses.target_entropy == pytest.approx(entropy, abs=1e-5)
    assert losses.entropy == pytest.approx(entropy, abs=1e-5)
    assert np.abs(gradient[:, :ACTIONS]).max() < 1e-6, "the floor is a minimum"


def test_losses_by_hand():
    rows = TrainingRows(
        observations=np.zeros((2, 96), np.float32),
        legal=np.array([0, 1, ACTIONS + 5], np.int32),
        offsets=np.array([0, 2, 3], np.int32),
        policy=np.array([0.25, 0.75, 1.0], np.float32),
        value=np.array([1.0, -1.0], np.float32),
        margin=np.array([0.5, 0.0], np.float32),
        players=np.array([2, 2], np.int32),
        root_value=np.array([0.0, 0.0], np.float32),
        searched=np.array([1, 0], np.uint8),
    )
    logits = np.zeros((2, ACTIONS))
    value, margin = np.arctanh([0.5, 0.0]), np.zeros(2)
    losses, gradient = loss(logits, value, margin, rows, value_weight=2.0)
    # The second row was not searched: the policy loss is that of the first alone.
    assert losses.policy_rows == 1
    assert losses.policy == pytest.approx(np.log(2))
    assert losses.entropy == pytest.approx(np.log(2))
    assert losses.value == pytest.approx((0.25 + 1.0) / 2)
    assert losses.margin == pytest.approx(0.125)
    assert gradient[0, :2] == pytest.approx([0.25, -0.25])
    assert not gradient[0, 2:ACTIONS].any() and not gradient[1, :ACTIONS].any()
    # Weight 2, derivative of the square 2 (v - t), of the tanh 1 - v^2, mean over 2 rows.
    assert gradient[:, ACTIONS] == pytest.approx([2 * 2 * -0.5 * 0.75 / 2, 2 * 2 * 1.0 / 2])
    assert not gradient[:, ACTIONS + 1].any(), "the margin's loss has weight 0"
    mixed, _ = loss(logits, value, margin, rows, value_mix=0.5)
    assert mixed.value == pytest.approx((0.0 + 0.25) / 2)
    quiet, same_gradient = loss(logits, value, margin, rows, value_weight=2.0, entropies=False)
    assert (quiet.entropy, quiet.target_entropy) == (0.0, 0.0)
    assert np.array_equal(gradient, same_gradient)


@pytest.mark.parametrize("margin_head", [True, False])
@pytest.mark.parametrize("value_mix", [0.0, 0.3, 1.0])
def test_the_core_and_plain_torch_agree_in_losses_and_gradients(margin_head, value_mix):
    rows = dataclasses.replace(make_rows(), searched=(np.arange(64) % 3 > 0).astype(np.uint8))
    generator = torch.Generator().manual_seed(5)
    columns = ACTIONS + 1 + margin_head
    output = 3 * torch.randn(64, columns, generator=generator)
    output.requires_grad_()
    value = torch.tanh(output[:, ACTIONS])
    margin = torch.tanh(output[:, ACTIONS + 1]) if margin_head else None
    twin = loss_twin.alphazero_losses(output[:, :ACTIONS], value, margin, rows, value_mix)
    weights = {"value_weight": 0.7, "margin_weight": 0.3 if margin_head else 0.0}
    total = twin.policy + 0.7 * twin.value + weights["margin_weight"] * twin.margin
    total.backward()
    array = output.detach().numpy()
    losses, gradient = loss(
        array[:, :ACTIONS],
        array[:, ACTIONS],
        array[:, ACTIONS + 1] if margin_head else None,
        rows,
        value_mix=value_mix,
        **weights,
    )
    for name in ("policy", "value", "margin", "entropy", "target_entropy"):
        assert getattr(losses, name) == pytest.approx(getattr(twin, name).item(), rel=1e-5), name
    assert losses.policy_rows == twin.policy_rows == 42
    assert gradient[:, :columns] == pytest.approx(output.grad.numpy(), abs=2e-7, rel=1e-4)


def test_values_by_seat_teach_the_seats_in_play():
    """As plain torch has it: of each row the mean over its players; the others learn nothing."""
    random = np.random.default_rng(3)
    players = random.integers(3, 9, 64).astype(np.int32)
    target = random.uniform(-1, 1, (2, 64, 8)).astype(np.float32)
    rows = dataclasses.replace(make_rows(), players=players, value=target[0], margin=target[1])
    output = torch.randn(64, ACTIONS + 20, generator=torch.Generator().manual_seed(6))
    output.requires_grad_()
    in_play = torch.from_numpy((np.arange(8) < players[:, None]).astype(np.float32))
    wanted = torch.from_numpy(target).clone()
    wanted[0, :, 0] += 0.25 * (torch.from_numpy(rows.root_value) - wanted[0, :, 0])
    terms = []
    for column, result in zip((ACTIONS, ACTIONS + 8), wanted, strict=True):
        error = (torch.tanh(output[:, column : column + 8]) - result).square() * in_play
        terms.append((error.sum(1) / in_play.sum(1)).mean())
    (0.7 * terms[0] + 0.3 * terms[1]).backward()
    losses, gradient = alphazero_losses(
        output.detach(),
        rows,
        actions=ACTIONS,
        margin=True,
        value_weight=0.7,
        margin_weight=0.3,
        value_mix=0.25,
    )
    assert losses.value == pytest.approx(terms[0].item(), rel=1e-5)
    assert losses.margin == pytest.approx(terms[1].item(), rel=1e-5)
    found = gradient.numpy()[:, ACTIONS:]
    assert found == pytest.approx(output.grad.numpy()[:, ACTIONS:], abs=2e-8, rel=1e-4)
    wrong = dataclasses.replace(rows, players=np.full(64, 9, np.int32))
    with pytest.raises(ValueError, match="9 players where there are 8 seats"):
        alphazero_losses(output.detach(), wrong, actions=ACTIONS, margin=True)


@pytest.mark.parametrize(
    ("name", "index", "value", "sentence"),
    [
        ("legal", 0, ACTIONS, "not its own"),
        ("legal", -1, 0, "not its own"),
        ("offsets", 1, 0, "do not fit"),
        ("offsets", -1, 10**6, "do not fit"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(name, index, value, sentence):
    rows = make_rows()
    array = getattr(rows, name).copy()
    array[index] = value
    zero = np.zeros(64)
    with pytest.raises(ValueError, match=sentence):
        loss(np.zeros((64, ACTIONS)), zero, zero, dataclasses.replace(rows, **{name: array}))


def test_rows_without_any_search_give_no_policy_loss():
    rows = dataclasses.replace(make_rows(), searched=np.zeros(64, np.uint8))
    learner = make_learner()
    learner.begin_iteration(None, 5)
    metrics = learner.step(rows)
    assert metrics["loss_policy"] == 0.0 and metrics["loss_value"] > 0.0


# ---- learning


def test_the_loss_falls_on_a_tiny_data_set():
    learner = make_learner(learning_rate=1e-2, weight_decay=0.0)
    rows = make_rows()
    learner.begin_iteration(None, 300)
    first = learner.step(rows)
    while not learner.done:
        last = learner.step(rows)
    assert last["kl"] < 0.1 * first["kl"]
    assert last["loss_value"] < 0.1 * first["loss_value"]
    assert last["loss_margin"] < 0.1 * first["loss_margin"]
    assert last["kl"] > -1e-5, "a cross-entropy below the target's entropy is impossible"


def test_metrics_are_all_there_and_the_schedule_is_followed():
    learner = make_learner(learning_rate=0.01, schedule="linear", warmup_steps=0)
    learner.begin_iteration(None, 10)
    seen = [learner.step(make_rows(seed=n)) for n in range(10)]
    assert set(seen[0]) == {
        "loss_total", "loss_policy", "loss_value", "loss_margin", "entropy", "target_entropy",
        "kl", "lr", "grad_norm", "policy_rows",
    }  # fmt: skip
    assert [m["lr"] for m in seen[::5]] == pytest.approx([0.01, 0.01 * (1 - 0.5 * 0.9)])
    for m in seen:
        total = m["loss_policy"] + m["loss_value"] + 0.5 * m["loss_margin"]
        assert m["loss_total"] == pytest.approx(total, rel=1e-5)


def test_weight_decay_acts_on_matrices_and_not_on_biases():
    learner = make_learner(learning_rate=0.1, weight_decay=0.5, schedule="constant", warmup_steps=0)
    weights = learner.weights()
    for name in weights:
        weights[name] += np.float32(0.125)
    learner.begin_iteration(weights, 1)
    rows = make_rows()
    # Columns of the output layer beyond policy, value and margin have no gradient at all.
    learner.step(rows)
    after = learner.weights()
    unused = slice(ACTIONS + 2, None)
    assert after["output.weight"][unused] == pytest.approx(
        weights["output.weight"][unused] * (1 - 0.1 * 0.5), rel=1e-6
    )
    assert np.array_equal(after["output.bias"][unused], weights["output.bias"][unused])


def test_the_gradient_is_clipped_to_its_norm():
    calm, wild = make_learner(grad_clip=1e-9), make_learner(grad_clip=1e9)
    for learner in (calm, wild):
        learner.begin_iteration(None, 5)
        assert learner.step(make_rows())["grad_norm"] > 0.1

    def moment(learner):
        return np.sqrt(sum(
            (array.astype(np.float64) ** 2).sum()
            for name, array in learner.state().items() if name.startswith("adam/exp_avg/")
        ))  # fmt: skip

    assert moment(calm) == pytest.approx(0.1 * 1e-9, rel=1e-2)
    assert moment(wild) > 0.01


def test_the_candidate_is_the_moving_average():
    learner = make_learner(ema_decay=0.9, learning_rate=0.01)
    start = learner.weights()
    learner.begin_iteration(start, 30)
    average = {name: array.astype(np.float64) for name, array in start.items()}
    for n in range(30):
        learner.step(make_rows(seed=n))
        decay = min(0.9, (1 + n) / (10 + n))
        for name, array in learner.weights().items():
            average[name] = decay * average[name] + (1 - decay) * array
    candidate = learner.candidate()
    for name, array in average.items():
        assert candidate[name] == pytest.approx(array, abs=1e-5)
    assert not same(candidate, learner.weights())
    plain = make_learner(ema_decay=0.0)
    plain.begin_iteration(None, 2)
    plain.step(make_rows())
    assert same(plain.candidate(), plain.weights())


def test_an_update_is_the_same_whether_it_reports_or_not():
    loud, quiet = make_learner(), make_learner()
    for learner in (loud, quiet):
        learner.begin_iteration(None, 5)
    for n in range(5):
        assert loud.step(make_rows(seed=n))["policy_rows"] == 64
        assert quiet.step(make_rows(seed=n), report=False) == {}
    assert same(loud.state(), quiet.state())


def test_a_network_without_a_margin_head_learns_the_rest():
    net = nets.build(GAME, hidden=32, blocks=1, margin=False, seed=1)
    learner = AlphaZeroLearner(net, AlphaZeroSettings(batch_size=64, warmup_steps=0))
    learner.begin_iteration(None, 60)
    rows = make_rows()
    seen = [learner.step(rows) for _ in range(60)]
    assert seen[0]["loss_margin"] == 0.0
    assert seen[-1]["loss_total"] < seen[0]["loss_total"]
    assert seen[0]["loss_total"] == pytest.approx(seen[0]["loss_policy"] + seen[0]["loss_value"])


def test_weights_and_gradients_in_one_piece_are_those_of_the_network():
    net, plain = (nets.build(GAME, hidden=32, blocks=1, seed=3) for _ in range(2))
    flat = FlatParameters(net)
    assert same(nets.arrays_of(net), nets.arrays_of(plain))
    observations = torch.randn(8, GAME.observation_size)
    for each in (net, plain):
        each.fused(observations).square().sum().backward()
    for (name, one), (_, other) in zip(
        net.named_parameters(), plain.named_parameters(), strict=True
    ):
        assert torch.equal(one.grad, other.grad), name
        assert one.grad.data_ptr() == flat.views(flat.gradient)[name].data_ptr()
    total = sum(float(p.grad.square().sum()) for p in plain.parameters())
    assert float(flat.gradient.norm()) == pytest.approx(total**0.5, rel=1e-5)
    assert [leaf.numel() for leaf in flat.groups] == [
        sum(p.numel() for p in plain.parameters() if p.ndim == n) for n in (2, 1)
    ]
    parts = flat.views(flat.weights)
    assert torch.equal(flat.join(parts), flat.weights)
    with torch.no_grad():
        flat.weights.zero_()
        assert float(net.fused(observations).abs().max()) == 0.0


# ---- iterations


def test_an_iteration_has_its_own_learning_rate_and_value_mix():
    learner = make_learner(learning_rate=0.01, warmup_steps=0, schedule="constant")
    rows = make_rows()
    mixed = {}
    for mix in (0.0, 1.0):
        learner.begin_iteration(learner.weights(), 2, learning_rate=1e-9, value_mix=mix)
        metrics = learner.step(rows)
        assert metrics["lr"] == 1e-9
        mixed[mix] = metrics["loss_value"]
    # Weights hardly moved, so the losses differ by the targets: results, then the search's values.
    with torch.no_grad():
        _, value, _ = learner.net(torch.from_numpy(rows.observations))
    assert mixed[0.0] == pytest.approx(np.square(value.numpy() - rows.value).mean(), rel=1e-3)
    assert mixed[1.0] == pytest.approx(np.square(value.numpy() - rows.root_value).mean(), rel=1e-3)
    learner.begin_iteration(None, 2)
    assert learner.step(rows)["lr"] == 0.01, "the settings hold where nothing is given"
    with pytest.raises(ConfigError, match="value_mix = 2"):
        learner.begin_iteration(None, 2, value_mix=2.0)


def test_values_of_the_iteration_are_part_of_the_state():
    straight = make_learner()
    straight.begin_iteration(None, 10, learning_rate=0.02, value_mix=0.7)
    for _ in range(4):
        straight.step(make_rows(seed=straight.update))
    saved = straight.state()
    resumed = make_learner(seed=55)
    resumed.restore(saved)
    assert (resumed.learning_rate, resumed.value_mix) == (0.02, 0.7)
    for learner in (straight, resumed):
        while not learner.done:
            learner.step(make_rows(seed=learner.update))
    assert same(straight.state(), resumed.state())
    # A state from before there were such values: those of the settings.
    older = make_learner(learning_rate=0.003)
    older.restore({name: array for name, array in saved.items() if name != "iteration"})
    assert (older.learning_rate, older.value_mix) == (0.003, 0.0)


def test_moments_are_never_carried_into_a_new_iteration():
    """Y-98, Y-192: the same champion and rows give the same update, whatever came before."""
    champion = nets.arrays_of(nets.build(GAME, hidden=32, blocks=1, seed=9))
    fresh, used, kept = make_learner(), make_learner(), make_learner(
        optimizer_across_iterations="kept"
    )  # fmt: skip
    for learner in (used, kept):
        learner.begin_iteration(None, 20)
        for n in range(20):
            learner.step(make_rows(seed=n))
    for learner in (fresh, used, kept):
        learner.begin_iteration(champion, 20)
        if learner is not kept:
            assert not any(name.startswith("adam/") for name in learner.state())
        learner.step(make_rows(seed=77))
    assert same(fresh.weights(), used.weights())
    assert same(fresh.candidate(), used.candidate())
    for name, array in fresh.state().items():
        if name.startswith("adam/"):
            assert array.tobytes() == used.state()[name].tobytes()
    assert not same(fresh.weights(), kept.weights()), "the test can tell the difference"
    assert used.update == 21 and used.iteration_step == 1


def test_an_iteration_starts_from_the_champion_in_weights_and_average():
    champion = nets.arrays_of(nets.build(GAME, hidden=32, blocks=1, seed=9))
    learner = make_learner()
    learner.begin_iteration(None, 3)
    learner.step(make_rows())
    learner.begin_iteration(champion, 3)
    assert same(learner.weights(), champion) and same(learner.candidate(), champion)
    assert not learner.done
    with pytest.raises(ConfigError, match="iteration of 0 updates"):
        learner.begin_iteration(champion, 0)


# ---- resumption


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("cut", [0, 1, 10])
def test_saved_and_restored_training_gives_the_same_bytes(cut, precision):
    straight = make_learner(precision=precision)
    straight.begin_iteration(None, 20)
    for _ in range(20):
        straight.step(make_rows(seed=straight.update))
    first = make_learner(precision=precision)
    first.begin_iteration(None, 20)
    for _ in range(cut):
        first.step(make_rows(seed=first.update))
    saved = first.state()
    first.begin_iteration(None, 20)
    first.step(make_rows(seed=1234))  # the state is a copy: going on does not change it
    second = make_learner(seed=55, precision=precision)
    second.restore({name: array.copy() for name, array in saved.items()})
    assert same(second.state(), saved)
    while not second.done:
        second.step(make_rows(seed=second.update))
    assert same(second.state(), straight.state())
    assert same(second.candidate(), straight.candidate())


def test_a_state_of_another_network_or_cut_short_is_refused():
    learner = make_learner()
    learner.begin_iteration(None, 5)
    learner.step(make_rows())
    state = learner.state()
    wider = AlphaZeroLearner(nets.build(GAME, hidden=64, blocks=1), AlphaZeroSettings())
    with pytest.raises(VersionError, match=r"needs float32"):
        wider.restore(state)
    for lost in ("counters", "adam/exp_avg/input.bias", "average/input.bias"):
        with pytest.raises(VersionError):
            make_learner().restore({k: v for k, v in state.items() if k != lost})


# ---- numbers


@pytest.mark.parametrize("field", ["observations", "policy", "value", "margin"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_stop_the_update_before_it_changes_anything(field, bad):
    learner = make_learner()
    learner.begin_iteration(None, 5)
    learner.step(make_rows())
    before = learner.state()
    rows = make_rows(seed=2)
    array = getattr(rows, field).copy()
    array.reshape(-1)[3] = bad
    with pytest.raises(NumericsError, match=rf"update 1: .* is {bad}") as caught:
        learner.step(dataclasses.replace(rows, **{field: array}))
    assert caught.value.place == ("observation" if field == "observations" else "target")
    assert caught.value.what == ("nan" if np.isnan(bad) else "inf")
    assert same(learner.state(), before)
    learner.step(make_rows(seed=2))


def test_weights_that_are_not_finite_are_never_handed_out():
    learner = make_learner()
    with torch.no_grad():
        learner.net.input.bias[0] = float("nan")
    with pytest.raises(NumericsError, match=r"input\.bias"):
        learner.state()


# ---- settings


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"learning_rate": 0.0}, r"training\.learning_rate = 0\.0 must lie between"),
        ({"value_mix": 1.5}, "value_mix = 1.5"),
        ({"schedule": "wave"}, "'wave' is unknown"),
        ({"optimizer_across_iterations": "old"}, "'old' must be one of fresh, kept"),
        ({"precision": "f16"}, "'f16' must be one of f32, bf16"),
        ({"threads": 0}, "threads = 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        AlphaZeroSettings(**settings)


def test_a_margin_loss_needs_a_margin_head():
    net = nets.build(GAME, hidden=32, blocks=0, margin=False)
    with pytest.raises(ConfigError, match="needs a network with a margin head"):
        AlphaZeroLearner(net, AlphaZeroSettings(margin_weight=0.5))
    AlphaZeroLearner(net, AlphaZeroSettings())


def test_threads_are_those_of_the_settings_and_given_back():
    seen = []
    learner = make_learner(threads=2)
    learner.begin_iteration(None, 2)
    learner.net.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    learner.net.input.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        learner.step(make_rows())
        assert seen == [2] and torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
