"""The residual tower: its layers by hand, its beginning, its files, its training."""

import numpy as np
import pytest
import torch
from tests.nets.boards import BOARD

from ludus import _core, nets
from ludus.errors import ConfigError, VersionError
from ludus.learners import AlphaZeroLearner, AlphaZeroSettings
from ludus.nets.tower import ResidualTower
from ludus.replay import TrainingRows

SHAPE = {"kind": "residual_tower", "channels": 16, "blocks": 2, "head_channels": 3}


def lively(seed=1, **changes):
    """A tower in which no weight is 0."""
    net = nets.build(BOARD, **{**SHAPE, **changes}, seed=seed)
    random = np.random.default_rng(seed)
    nets.load_arrays(
        net,
        {
            name: array + random.normal(0, 0.05, array.shape).astype(np.float32)
            for name, array in nets.arrays_of(net).items()
        },
    )
    return net


def convolve(planes, weight, bias):
    """A 3x3 or 1x1 convolution with zero padding, as sums over the window."""
    out = np.zeros((len(weight), *planes.shape[1:]))
    pad = weight.shape[-1] // 2
    padded = np.pad(planes, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = planes.shape[1:]
    for down in range(weight.shape[2]):
        for right in range(weight.shape[3]):
            window = padded[:, down : down + rows, right : right + columns]
            out += np.einsum("oi,irc->orc", weight[:, :, down, right], window)
    return out + bias[:, None, None]


def by_hand(net, observation):
    arrays = {name: array.astype(np.float64) for name, array in nets.arrays_of(net).items()}

    def conv(value, name):
        return convolve(value, arrays[f"{name}.weight"], arrays[f"{name}.bias"])

    hidden = np.maximum(conv(observation.reshape(4, 6, 5), "input"), 0)
    for i in range(net.spec.blocks):
        branch = conv(np.maximum(conv(hidden, f"blocks.{i}.first"), 0), f"blocks.{i}.second")
        hidden = np.maximum(hidden + arrays[f"blocks.{i}.gain"][:, None, None] * branch, 0)
    head = np.maximum(conv(hidden, "head"), 0)
    return arrays["output.weight"] @ head.reshape(-1) + arrays["output.bias"]


def test_outputs_are_those_of_the_layers_by_hand():
    net = lively()
    observations = np.random.default_rng(0).normal(size=(3, 120)).astype(np.float32)
    with torch.inference_mode():
        fused = net.fused(torch.from_numpy(observations)).numpy()
        logits, value, margin = net(torch.from_numpy(observations))
    for row in range(3):
        assert np.abs(fused[row] - by_hand(net, observations[row])).max() < 1e-4
    assert net.columns == 64
    assert logits.shape == (3, 37)
    assert value.shape == margin.shape == (3,)
    assert np.allclose(value.numpy(), np.tanh(fused[:, 37]), atol=1e-6)


def test_a_fresh_block_is_the_identity():
    deep = nets.build(BOARD, **{**SHAPE, "blocks": 20}, seed=4)
    arrays = nets.arrays_of(deep)
    shallow = nets.build(BOARD, **{**SHAPE, "blocks": 0}, seed=9)
    nets.load_arrays(shallow, {n: a for n, a in arrays.items() if not n.startswith("blocks")})
    observations = torch.randn(8, 120, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(deep.fused(observations), shallow.fused(observations))
        logits, value, _ = deep(observations)
    assert float(logits.std()) < 0.3
    assert float(value.abs().max()) < 0.3


def test_parameter_count_by_hand():
    net = nets.build(BOARD, **SHAPE)
    block = 2 * (16 * 16 * 9 + 16) + 16
    head = (16 * 3 + 3) + (3 * 30 * 64 + 64)
    assert net.parameter_count == (4 * 16 * 9 + 16) + 2 * block + head


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    ids = [nets.digest_of(nets.arrays_of(nets.build(BOARD, **SHAPE, seed=s))) for s in (7, 7, 8)]
    assert bool((torch.get_rng_state() == before).all())
    assert ids[0] == ids[1] != ids[2]


def test_a_game_without_planes_is_refused_in_a_sentence():
    with pytest.raises(
        ConfigError, match=r"those of yatzy have shape \(96,\): use kind residual_m"
    ):
        nets.build(_core.game("yatzy"), kind="residual_tower")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"channels": 12}, "channels = 12 must be a multiple of 8 between 8 and 1024"),
        ({"head_channels": 0}, "head_channels = 0 must lie between 1 and 256"),
        ({"blocks": 65}, "blocks = 65"),
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        nets.build(BOARD, **{**SHAPE, **settings})
    nets.NetSpec(kind="residual_mlp", channels=12, head_channels=0)  # not the MLP's business


def test_a_file_gives_the_same_tower_back():
    net = lively()
    data = nets.encode(nets.arrays_of(net), nets.describe(net, BOARD))
    arrays, meta = nets.decode(data)
    assert meta["network"] == {
        "kind": "residual_tower",
        "channels": 16,
        "blocks": 2,
        "head_channels": 3,
        "margin": True,
    }
    again = nets.from_arrays(BOARD, arrays, meta)
    assert isinstance(again, ResidualTower)
    observations = torch.randn(4, 120)
    with torch.inference_mode():
        assert torch.equal(net.fused(observations), again.fused(observations))


def test_descriptions_of_the_first_version_stay_readable():
    game = _core.game("yatzy")
    net = nets.build(game, hidden=32, blocks=1, seed=3)
    meta = nets.describe(net, game)
    assert meta["network"] == {"kind": "residual_mlp", "hidden": 32, "blocks": 1, "margin": True}
    nets.from_arrays(game, nets.arrays_of(net), {**meta, "checkpoint_version": 1})
    with pytest.raises(ConfigError, match="'transformer' is unknown; known are residual_mlp, res"):
        nets.NetSpec.from_json({"kind": "transformer", "hidden": 3})
    with pytest.raises(VersionError, match="must have exactly the fields kind, channels"):
        nets.NetSpec.from_json({"kind": "residual_tower", "hidden": 32})
    with pytest.raises(VersionError, match="must have a field kind"):
        nets.NetSpec.from_json({"hidden": 32})


def rows_of(count, seed):
    """Rows whose policy and value follow from the observation."""
    random = np.random.default_rng(seed)
    observations = random.normal(size=(count, 120)).astype(np.float32)
    best = observations.reshape(count, 4, 30)[:, 0].argmax(1)
    policy = np.zeros((count, 37), np.float32)
    policy[np.arange(count), best] = 1.0
    value = np.sign(observations.reshape(count, 4, 30)[:, 1].sum(1)).astype(np.float32)
    return TrainingRows(
        observations=observations,
        legal=np.arange(count * 37, dtype=np.int32),
        offsets=np.arange(count + 1, dtype=np.int32) * 37,
        policy=policy.reshape(-1),
        value=value,
        margin=value / 2,
        players=np.full(len(value), 2, np.int32),
        root_value=value,
        searched=np.ones(count, np.uint8),
    )


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_the_learner_trains_a_tower_and_goes_on_exactly(precision):
    def make(seed):
        settings = AlphaZeroSettings(
            batch_size=64, learning_rate=3e-3, warmup_steps=2, margin_weight=0.5,
            precision=precision,
        )  # fmt: skip
        return AlphaZeroLearner(nets.build(BOARD, **SHAPE, seed=seed), settings)

    straight, steps = make(1), 24
    straight.begin_iteration(None, steps)
    losses = [straight.step(rows_of(64, step))["loss_total"] for step in range(steps)]
    assert np.mean(losses[-4:]) < 0.9 * losses[0]
    assert bool(straight.net.tower()[0].second.weight.any())  # the branch has opened

    first, second = make(1), make(5)
    first.begin_iteration(None, steps)
    for step in range(10):
        first.step(rows_of(64, step))
    second.restore(first.state())
    for step in range(10, steps):
        second.step(rows_of(64, step))
    one, other = straight.state(), second.state()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
