"""Tripwires on the course of a run and on the raw network: pure functions, every sentence."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ludus import _core, nets
from ludus.evaluators import LeafBatch, NetworkEvaluator
from ludus.games import Symmetry
from ludus.replay import GameRecords
from ludus.training.audits import sample_games
from ludus.training.network_audit import (
    audited_rows,
    illegal_mass,
    legal_mask,
    symmetry_differences,
)
from ludus.training.past import standing_warnings
from ludus.training.tripwires import asymmetry, illegal_growth, policy_collapse, throughput

KNOBS = {"budgets": [32, 32], "lanes": 2}


def course(*speeds, **more):
    """Iterations that played so many games a second."""
    return [
        {"selfplay": {**KNOBS, "games_per_second": speed, "leaves_per_second": 100 * speed, **more}}
        for speed in speeds
    ]


def test_a_drop_of_throughput_is_told_with_both_numbers():
    now = {**KNOBS, "games_per_second": 4.9, "leaves_per_second": 900.0}
    found = throughput(course(10, 11, 9, 10, 10), now)
    assert len(found) == 1
    assert found[0].text.startswith("self-play made 4.9 games/s, under 50% of the 10 that")
    assert found[0].severity == "warning"
    both = throughput(course(10, 11, 9), {**now, "leaves_per_second": 1.0})
    assert [finding.text.split()[3] for finding in both] == ["games/s,", "leaves/s,"]


def test_slow_enough_is_slow_only_against_what_is_comparable():
    now = {**KNOBS, "games_per_second": 4.0, "leaves_per_second": 400.0}
    assert throughput(course(10, 10), now) == [], "two iterations are no habit"
    assert throughput(course(7, 7, 7), now) == []
    assert throughput(course(10, 10, 10), {**now, "budgets": [64, 64]}) == []
    assert throughput(course(10, 10, 10), {**now, "lanes": 1}) == []
    assert throughput([], now) == []
    assert throughput(course(10, 10, 10), {}) == []
    # Old speeds are forgotten: the last five count.
    assert throughput(course(*[100] * 9, *[5] * 5), now) == []


def test_one_bad_iteration_does_not_hide_the_next():
    now = {**KNOBS, "games_per_second": 1.0, "leaves_per_second": 100.0}
    assert throughput(course(10, 10, 1, 10, 1), now)


def entropies(*values):
    return [
        {"selfplay": {**KNOBS, "policy_entropy": value}, "audit": {"target_entropy": value}}
        for value in values
    ]


def test_a_collapse_of_the_policy_is_told():
    def now(target, roots, top=0.99):
        return {
            "selfplay": {**KNOBS, "policy_entropy": roots, "policy_max": top},
            "audit": {"target_entropy": target, "target_max": top},
        }

    steady = entropies(2.0, 1.9, 2.1, 2.0)
    assert policy_collapse(steady, now(1.0, 1.0), 0.02) == []
    found = policy_collapse(steady, now(0.4, 1.0), 0.02)
    assert [finding.text for finding in found] == [
        "policy targets fell to a mean entropy of 0.4000 nats from 2.0000 (median of 4 iterations; "
        "mean largest share 99.0%)"
    ]
    assert "policies at sampled roots fell" in policy_collapse(steady, now(1.0, 0.4), 0.02)[0].text
    floor = policy_collapse([], now(1.0, 0.01), 0.02)[0].text
    assert floor.startswith("policies at sampled roots have a mean entropy of 0.0100 nats, below")
    assert policy_collapse([], now(1.0, 1.0), 0.02) == []
    assert policy_collapse(steady, {"selfplay": None, "audit": {}}, 0.02) == []
    assert policy_collapse(steady, now(None, None), 0.02) == []


def test_a_jump_of_the_mass_on_illegal_actions_is_told():
    steady = [{"audit": {"illegal_mass": mass}} for mass in (0.5, 0.52, 0.48)]
    assert illegal_growth(steady, 0.75) == []
    found = illegal_growth(steady, 0.9)
    assert found[0].text.startswith("the network puts 90.0% of its probability on illegal actions,")
    assert illegal_growth(steady[:2], 0.9) == []
    assert illegal_growth(steady, None) == []


def test_asymmetry_is_told_past_its_limit():
    differences = {"symmetry_value_difference": 0.31, "symmetry_value_difference_max": 0.9}
    assert asymmetry(differences, 0.3)[0].text == (
        "values of symmetrical positions differ by 0.310 on average and 0.900 at most (limit 0.3)"
    )
    assert asymmetry(differences, 0.31) == []
    assert asymmetry({}, 0.0) == []


def test_standing_warnings_are_those_of_the_newest_audit():
    one = {"audit": {"findings": [{"tripwire": "x", "text": "look"}]}}
    assert standing_warnings([one, {"iteration": 1}]) == ["look"]
    assert standing_warnings([one, {"audit": {"findings": []}}]) == []
    assert standing_warnings([{"iteration": 0}]) == []


# ---- the raw network

LINE = SimpleNamespace(
    name="line",
    num_seats=2,
    num_actions=4,
    observation_size=8,
    observation_shape=(2, 1, 4),
    rules_id="line_v1",
    encoder_id="line_v1",
    action_space_id="line_v1",
)
"""A board of one row of four fields, own and other stones as planes; an action is a field."""

MIRROR = Symmetry(np.r_[np.arange(4)[::-1], 4 + np.arange(4)[::-1]], np.arange(4)[::-1].copy())
TURN = Symmetry(
    np.r_[np.roll(np.arange(4), 1), 4 + np.roll(np.arange(4), 1)], (np.arange(4) + 1) % 4
)
"""Every stone one field on, round the corner: a symmetry that is not its own inverse."""


def positions(count=50):
    random = np.random.default_rng(5)
    fields = random.integers(0, 3, (count, 4))
    fields[:, 0] = 0  # somewhere to play
    seen = np.concatenate([fields == 1, fields == 2], 1).astype(np.float32)
    return seen, fields == 0


def symmetrical(net):
    """The same network, made blind to left and right."""
    arrays = {name: array.copy() for name, array in nets.arrays_of(net).items()}
    seen, played = MIRROR.observation, MIRROR.action
    arrays["input.weight"] = (arrays["input.weight"] + arrays["input.weight"][:, seen]) / 2
    for name in ("output.weight", "output.bias"):
        arrays[name][:4] = (arrays[name][:4] + arrays[name][:4][played]) / 2
    nets.load_arrays(net, arrays)
    return net


@pytest.mark.parametrize("symmetry", [MIRROR, TURN])
def test_symmetrical_positions_are_compared_through_both_permutations(symmetry):
    seen, legal = positions()
    net = nets.build(LINE, hidden=32, blocks=1, seed=2)
    found = symmetry_differences(net, seen, legal, [symmetry])
    assert found["symmetry_value_difference"] > 1e-4
    assert found["symmetry_value_difference_max"] >= found["symmetry_value_difference"]
    # By hand for one position.
    with torch.inference_mode():
        one = net(torch.from_numpy(seen[:1]))
        two = net(torch.from_numpy(np.ascontiguousarray(seen[:1][:, symmetry.observation])))
    alone = symmetry_differences(net, seen[:1], legal[:1], [symmetry])
    assert alone["symmetry_value_difference"] == pytest.approx(abs(float(one[1] - two[1])))
    weights = [np.exp(answer[0].numpy()[0].astype(np.float64)) for answer in (one, two)]
    playable = [action for action in range(4) if legal[0, action]]
    sums = [
        sum(weights[0][action] for action in playable),
        sum(weights[1][symmetry.action[action]] for action in playable),
    ]
    moved = 0.5 * sum(
        abs(weights[0][action] / sums[0] - weights[1][symmetry.action[action]] / sums[1])
        for action in playable
    )
    assert alone["symmetry_policy_difference"] == pytest.approx(moved)


def test_a_network_blind_to_left_and_right_shows_no_difference():
    seen, legal = positions()
    net = symmetrical(nets.build(LINE, hidden=32, blocks=1, seed=2))
    found = symmetry_differences(net, seen, legal, [MIRROR])
    assert max(found.values()) < 1e-6
    # The policy of a mirrored board with actions left as they were is another one.
    found = symmetry_differences(
        symmetrical(nets.build(LINE, hidden=32, blocks=1, seed=2)),
        seen,
        np.ones_like(legal),
        [Symmetry(MIRROR.observation, np.array([1, 0, 2, 3]))],
    )
    assert found["symmetry_policy_difference"] > 1e-4
    assert symmetry_differences(net, seen, legal, []) == {}


def test_illegal_mass_is_what_lies_outside_the_legal_actions():
    seen, legal = positions()
    net = nets.build(LINE, hidden=32, blocks=1, seed=2)
    with torch.inference_mode():
        shares = torch.softmax(net(torch.from_numpy(seen))[0], 1).numpy()
    assert illegal_mass(net, seen, legal) == pytest.approx(float((shares * ~legal).sum(1).mean()))
    assert illegal_mass(net, seen, np.ones_like(legal)) == 0.0
    arrays = {name: array.copy() for name, array in nets.arrays_of(net).items()}
    arrays["output.bias"][3] += 30.0
    nets.load_arrays(net, arrays)
    blocked = legal.copy()
    blocked[:, 3] = False
    assert illegal_mass(net, seen, blocked) > 0.99


def test_legal_masks_come_from_the_flat_list():
    rows = SimpleNamespace(legal=np.array([0, 3, 4 + 1], np.int32), __len__=None)

    class Rows(SimpleNamespace):
        def __len__(self):
            return 2

    mask = legal_mask(Rows(legal=rows.legal), 4)
    assert mask.tolist() == [[True, False, False, True], [False, True, False, False]]
    assert audited_rows(3).tolist() == [0, 1, 2]
    assert len(audited_rows(5000)) == 512 and audited_rows(5000)[-1] == 4999


def test_who_sees_the_same_gets_the_same_whatever_the_seat():
    game = _core.game("yatzy")
    evaluator = NetworkEvaluator(nets.build(game, hidden=32, blocks=1, seed=1))
    batch = LeafBatch.allocate(game, 64, 64 * 3)
    batch.observations[:] = np.random.default_rng(1).normal(size=batch.observations.shape[1])
    batch.seats[:] = np.arange(64) % 2
    batch.offsets[:] = 3 * np.arange(65)
    batch.legal[:] = (np.arange(64)[:, None] * game.num_actions + np.array([32, 33, 40])).ravel()
    evaluator.evaluate(batch)
    assert len({row.tobytes() for row in batch.logits.reshape(64, 3)}) == 1
    first = batch.values[np.arange(64), batch.seats]
    assert len(set(first.tolist())) == 1 and first[0] != 0.0
    assert np.array_equal(batch.values[:, 0], -batch.values[:, 1])


# ---- the sample


def test_audited_games_follow_from_seed_and_iteration():
    from tests.replay.test_replay import play

    records = GameRecords.concatenate(play(64)).sorted()
    one = sample_games(records, 8, 1, 0).game_ids.tolist()
    assert one == sample_games(records, 8, 1, 0).game_ids.tolist() == sorted(set(one))
    assert len(one) == 8
    assert one != sample_games(records, 8, 1, 1).game_ids.tolist()
    assert one != sample_games(records, 8, 2, 0).game_ids.tolist()
    # Bounded by plies however many games are asked for.
    assert sample_games(records, 64, 1, 0).samples <= 1500
    assert len(sample_games(records.slice(0, 3), 8, 1, 0)) == 3


def test_two_sampled_roots_are_no_collapse():
    # Found by a newcomer: a short iteration samples two roots, and their mean is chance.
    steady = [{"selfplay": {"policy_entropy": 1.4, "policy_max": 0.5}} for _ in range(20)]
    few = {"selfplay": {"policy_entropy": 0.15, "policy_max": 0.9, "sampled_roots": 2}}
    many = {"selfplay": {"policy_entropy": 0.15, "policy_max": 0.9, "sampled_roots": 200}}
    assert policy_collapse(steady, few, 0.02) == []
    assert policy_collapse(steady, many, 0.02) != []
