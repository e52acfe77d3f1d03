"""Calibration against closed forms and simulated truth."""

import numpy as np
import pytest

from ludus.arena import ResultTable, rate
from ludus.arena.calibration import calibrate, held_out, held_out_calibration
from ludus.arena.ratings import expected_score
from ludus.errors import UserError


def test_by_hand():
    found = calibrate([0.1, 0.1, 0.9, 0.9], [0.0, 0.5, 1.0, 1.0], bins=2)
    low, high = found.bins
    assert (low.count, low.predicted, low.found) == (2, pytest.approx(0.1), 0.25)
    assert (high.low, high.high, high.found) == (0.5, 1.0, 1.0)
    assert found.ece == pytest.approx(0.5 * 0.15 + 0.5 * 0.1)
    assert found.bias == pytest.approx(0.125)
    assert found.brier == pytest.approx((0.01 + 0.16 + 0.01 + 0.01) / 4)
    mean = 0.625
    assert found.brier_reference == pytest.approx(
        ((mean - 0) ** 2 + (mean - 0.5) ** 2 + 2 * (1 - mean) ** 2) / 4
    )
    losses = -np.log([0.9, 0.9**0.5 * 0.1**0.5, 0.9, 0.9])
    assert found.log_loss == pytest.approx(losses.mean())
    assert found.skill == pytest.approx(1 - found.brier / found.brier_reference)


def games(random, groups, plies, bend):
    """Predictions of plies of games; ``bend`` 0 is right, above is overconfident."""
    truth = random.beta(2, 2, groups)
    outcome = (random.random(groups) < truth).astype(float)
    said = np.clip(truth + bend * (truth - 0.5), 0, 1)
    return np.repeat(said, plies), np.repeat(outcome, plies), np.repeat(np.arange(groups), plies)


def test_right_predictions_pass_and_overconfident_ones_do_not():
    random = np.random.default_rng(1)
    chances = []
    for seed in range(120):
        said, outcome, group = games(random, 150, 8, 0.0)
        chances.append(calibrate(said, outcome, groups=group, seed=seed).p)
    assert np.mean(np.array(chances) < 0.05) < 0.05 + 4 * (0.05 * 0.95 / 120) ** 0.5
    said, outcome, group = games(random, 1500, 8, 0.5)
    bent = calibrate(said, outcome, groups=group)
    assert bent.p < 0.01
    assert bent.ece > bent.ece_if_calibrated + 4 * bent.ece_error


def test_the_error_of_the_calibration_error_is_measured_over_games():
    random = np.random.default_rng(2)
    found = []
    for seed in range(80):
        said, outcome, group = games(random, 300, 10, 0.3)
        found.append(calibrate(said, outcome, groups=group, seed=seed))
    scatter = np.std([one.ece for one in found], ddof=1)
    assert np.mean([one.ece_error for one in found]) == pytest.approx(scatter, rel=0.3)
    blind = calibrate(said, outcome)  # every ply by itself: ten times too sure of itself
    assert blind.ece_error < 0.5 * found[-1].ece_error
    assert blind.bias_error < 0.5 * found[-1].bias_error


def test_bins_hold_the_truth():
    random = np.random.default_rng(3)
    inside = total = 0
    for seed in range(60):
        said, outcome, group = games(random, 400, 5, 0.0)
        for one in calibrate(said, outcome, groups=group, seed=seed, bins=5).bins:
            inside += abs(one.found - one.predicted) <= 1.96 * one.error
            total += 1
    assert inside / total == pytest.approx(0.95, abs=4 * (0.05 * 0.95 / total) ** 0.5 + 0.01)


def test_a_bin_in_which_all_agree_is_not_certain():
    found = calibrate([0.1] * 20, [0.0] * 20, groups=np.arange(20))
    assert found.bins[0].error > 0.02


def test_refusals():
    with pytest.raises(UserError, match="no prediction"):
        calibrate([], [])
    with pytest.raises(ValueError, match="one length"):
        calibrate([0.5], [0.5, 1.0])
    with pytest.raises(ValueError, match=r"0\.\.1"):
        calibrate([1.5], [1.0])


def round_robin(random, strengths, pairs, *, cheat=0.0):
    names = [str(i) for i in range(len(strengths))]
    table = ResultTable(names)
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            # With cheat, each beats the next one beyond strength, around a circle.
            extra = cheat * (1 if (j - i) == 1 else -1 if (j - i) == len(names) - 1 else 0)
            score = expected_score(strengths[i] - strengths[j] + extra)
            table.add_pairs(names[i], names[j], (random.random((pairs, 2)) < score).mean(axis=1))
    return table


def test_held_out_pairings_are_predicted_within_their_errors():
    random = np.random.default_rng(5)
    squares = []
    for _ in range(40):
        rows = held_out(round_robin(random, random.normal(0, 150, 5), 40))
        assert len(rows) == 10
        squares += [row["z"] ** 2 for row in rows]
    assert np.mean(squares) == pytest.approx(1.0, abs=0.3)


def test_held_out_pairings_catch_non_transitive_strength():
    random = np.random.default_rng(6)
    table = round_robin(random, np.zeros(5), 100, cheat=150.0)
    rows = held_out(table)
    assert max(abs(row["z"]) for row in rows) > 4
    check = held_out_calibration(table, rows)
    assert check.count == 10 * 200 and check.groups == 10 * 100
    assert check.ece > check.ece_if_calibrated + 3 * check.ece_error
    assert rate(table).fit["p"] < 0.01


def test_nothing_is_held_out_of_a_chain():
    table = ResultTable()
    table.add_games("a", "b", 5, 1, 4)
    table.add_games("b", "c", 5, 1, 4)
    assert held_out(table) == []
    assert held_out_calibration(table, []) is None
    assert held_out(ResultTable(["a"])) == []
