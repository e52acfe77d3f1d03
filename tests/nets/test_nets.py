"""Networks: shapes, seeds, refusals, and files that come back exactly."""

import numpy as np
import pytest
import torch

from ludus import _core, nets
from ludus.errors import ConfigError, CorruptError, NumericsError, VersionError

GAME = _core.game("yatzy")


class Renamed:
    """The Yatzy game under another identifier."""

    def __init__(self, **changes):
        self.changes = changes

    def __getattr__(self, name):
        return self.changes.get(name, getattr(GAME, name))


def test_shapes_types_and_ranges():
    net = nets.build(GAME, hidden=64, blocks=2, seed=5)
    logits, value, margin = net(torch.randn(128, GAME.observation_size) * 50)
    assert logits.shape == (128, GAME.num_actions) and logits.dtype == torch.float32
    assert value.shape == margin.shape == (128,)
    assert bool((value.abs() <= 1).all()) and bool((margin.abs() <= 1).all())
    assert bool(torch.isfinite(logits).all())


def test_one_fused_output_layer_padded_to_64_columns():
    net = nets.build(GAME, hidden=64, blocks=1)
    assert net.columns == 64 and net.output.weight.shape == (64, 64)
    wide = nets.build(Renamed(num_actions=64), hidden=64, blocks=1)
    assert wide.columns == 128


def test_margin_head_is_optional():
    net = nets.build(GAME, hidden=32, blocks=0, margin=False)
    _, _, margin = net(torch.randn(64, GAME.observation_size))
    assert bool((margin == 0).all())


def test_more_than_two_seats_have_a_value_each():
    net = nets.build(Renamed(num_seats=4), hidden=32, blocks=0)
    assert net(torch.randn(64, 96))[1].shape == (64, 4)


def test_blob_has_a_value_and_a_margin_for_each_of_eight_seats_mover_first():
    game = _core.game("blob")
    net = nets.build(game, hidden=32, blocks=1, seed=2)
    assert (net.value_columns, net.columns) == (8, 128)  # 66 + 8 + 8 = 82
    observations = torch.randn(64, game.observation_size)
    with torch.inference_mode():
        fused = net.fused(observations)
        logits, value, margin = net(observations)
    assert (logits.shape, value.shape, margin.shape) == ((64, 66), (64, 8), (64, 8))
    assert torch.equal(value, torch.tanh(fused[:, 66:74]))
    assert torch.equal(margin, torch.tanh(fused[:, 74:82]))
    meta = nets.describe(net, game)
    again = nets.from_arrays(game, nets.arrays_of(net), meta)
    assert torch.equal(again.fused(observations), net.fused(observations))
    assert nets.build(game, hidden=32, margin=False).columns == 128  # 74


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = nets.arrays_of(nets.build(GAME, hidden=64, blocks=2, seed=7))
    again = nets.arrays_of(nets.build(GAME, hidden=64, blocks=2, seed=7))
    other = nets.arrays_of(nets.build(GAME, hidden=64, blocks=2, seed=8))
    assert bool((torch.get_rng_state() == before).all())
    assert nets.digest_of(first) == nets.digest_of(again) != nets.digest_of(other)
    nets.build(GAME, hidden=32, blocks=0, seed=2**64 - 1)


def test_parameter_count_by_hand():
    net = nets.build(GAME, hidden=64, blocks=2)
    assert net.parameter_count == 96 * 64 + 64 + 2 * (64 * 64 + 64) + 64 * 64 + 64


def test_first_policy_is_nearly_uniform_and_first_values_are_small():
    net = nets.build(GAME, seed=3)
    states = np.frombuffer(_played_state(), np.uint8)[None].copy()
    with torch.inference_mode():
        logits, value, _ = net(torch.from_numpy(GAME.observe(states)))
    assert float(logits.std()) < 0.3 and float(value.abs().max()) < 0.3


def _played_state() -> bytes:
    state = GAME.initial()
    state.apply_outcome(state.draw(1))
    return state.packed()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"hidden": 100}, "hidden = 100 must be a multiple of 32"),
        ({"hidden": 0}, "hidden = 0"),
        ({"blocks": -1}, "blocks = -1 must lie between 0 and 64"),
        ({"kind": "transformer"}, "'transformer' is unknown"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        nets.build(GAME, **settings)


def test_a_file_gives_the_same_network_back():
    net = nets.build(GAME, hidden=64, blocks=2, seed=7)
    data = nets.encode(nets.arrays_of(net), nets.describe(net, GAME))
    assert data == nets.encode(nets.arrays_of(net), nets.describe(net, GAME))
    arrays, meta = nets.decode(data)
    again = nets.from_arrays(GAME, arrays, meta)
    observations = torch.randn(64, 96)
    with torch.inference_mode():
        assert all(map(torch.equal, net(observations), again(observations)))
    assert meta["checkpoint_version"] == 2 and meta["encoder_id"] == GAME.encoder_id


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_file_that_is_cut_short_is_refused(cut):
    net = nets.build(GAME, hidden=32, blocks=1)
    data = nets.encode(nets.arrays_of(net), nets.describe(net, GAME))
    with pytest.raises(CorruptError, match="best is damaged"):
        nets.decode(data[:cut], "best")


def test_weights_of_other_rules_or_shape_are_refused_naming_both():
    net = nets.build(GAME, hidden=32, blocks=1)
    arrays, meta = nets.arrays_of(net), nets.describe(net, GAME)
    with pytest.raises(VersionError, match=rf"encoder_id '{GAME.encoder_id}'.*needs 'later'"):
        nets.from_arrays(Renamed(encoder_id="later"), arrays, meta, "best")
    with pytest.raises(VersionError, match=r"checkpoint_version 3.*reads 1 and 2"):
        nets.from_arrays(GAME, arrays, {**meta, "checkpoint_version": 3})
    with pytest.raises(VersionError, match=r"float32\[32, 96\].*needs float32\[64, 96\]"):
        nets.load_arrays(nets.build(GAME, hidden=64, blocks=1), arrays)
    with pytest.raises(VersionError, match=r"blocks\.1\.weight"):
        nets.load_arrays(nets.build(GAME, hidden=32, blocks=2), arrays)


def test_weights_that_are_not_finite_or_not_those_described_are_refused():
    net = nets.build(GAME, hidden=32, blocks=1)
    arrays, meta = nets.arrays_of(net), nets.describe(net, GAME)
    arrays["input.bias"][3] = 1.0
    with pytest.raises(CorruptError, match="does not hold the weights"):
        nets.from_arrays(GAME, arrays, meta)
    arrays["input.bias"][3] = np.nan
    with pytest.raises(NumericsError, match=r"input\.bias"):
        nets.load_arrays(net, arrays)
    assert np.isfinite(nets.arrays_of(net)["input.bias"]).all()
