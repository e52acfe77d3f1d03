"""The exact oracle against outside figures, and against a slow solver written from the rules."""

from __future__ import annotations

import functools
import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.twins.yatzy_twin import CATEGORIES, ROLLS, kept_dice, roll_beside, score

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games import get_game, yatzy_oracle
from ludus.games.yatzy_cards import Card, Table

SPOTS = json.loads((Path(__file__).parent.parent / "data/yatzy_oracle_spots.json").read_text())
EXPECTED = 248.439989
STD, BONUS_RATE, YATZY_RATE, GREEDY_MEAN = 38.496, 0.898065, 0.388397, 200.73


@pytest.fixture(scope="module")
def oracle() -> _core.YatzyOracle:
    return yatzy_oracle.shared_oracle()


@pytest.fixture(scope="module")
def wide() -> _core.YatzyOracle:
    return _core.YatzyOracle(threads=2, wide=True)


def random_decisions(games: int, seed: int) -> np.ndarray:
    """Packed decisions of games of random actions, u8[n, 16]."""
    rules = _core.game("yatzy")
    chooser = np.random.default_rng(seed)
    out = []
    for _ in range(games):
        state = rules.initial()
        episode = int(chooser.integers(2**63))
        while state.kind != "terminal":
            if state.kind == "chance":
                state.apply_outcome(state.draw(episode))
                continue
            out.append(np.frombuffer(state.packed(), np.uint8))
            state.apply(int(chooser.choice(state.legal())))
    return np.stack(out)


# ---- outside figures -------------------------------------------------------------------------


def test_expected_score(oracle, wide):
    assert oracle.expected() == pytest.approx(EXPECTED, abs=1e-3)
    assert wide.expected() == pytest.approx(SPOTS["states"][0]["value"], abs=1e-9)


def test_values_of_the_spots(oracle, wide):
    for spot in SPOTS["states"]:
        mask, upper = spot["avail_mask"], spot["upper_total"]
        assert oracle.value(mask, upper) == pytest.approx(spot["value"], abs=1e-3)
        assert wide.value(mask, upper) == pytest.approx(spot["value"], abs=1e-9)
        names = [CATEGORIES[c] for c in range(15) if mask >> (14 - c) & 1]
        assert names == spot["available"]


@pytest.mark.parametrize("spot", SPOTS["decisions"], ids=lambda s: "".join(map(str, s["dice"])))
def test_decisions_of_the_spots(oracle, wide, spot):
    board = (spot["dice"], spot["rerolls_left"], spot["avail_mask"], spot["upper_total"])
    for solver, precision in ((oracle, 1e-3), (wide, 1e-9)):
        actions, values = solver.advise(*board)
        assert len(actions) == spot["legal_actions"]
        by_action = dict(zip(actions.tolist(), values.tolist(), strict=True))
        best = max(by_action.values())
        assert best == pytest.approx(spot["best_value"], abs=precision)
        optimal = {a for a, v in by_action.items() if v >= best - solver.tolerance}
        assert optimal == {a for answer in spot["optimal"] for a in indices(answer)}
        for answer in spot["top3"]:
            for action in indices(answer):
                assert by_action[action] == pytest.approx(answer["value"], abs=precision)
            if answer["action"] == "keep":
                kept = kept_dice(tuple(spot["dice"]), answer["masks"][0])
                assert list(kept) == answer["kept"]
            else:
                assert CATEGORIES[answer["cat"]] == answer["name"]
                assert score(tuple(spot["dice"]), answer["cat"]) == answer["score"]


def indices(answer: dict) -> list[int]:
    return answer["masks"] if answer["action"] == "keep" else [32 + answer["cat"]]


# ---- a slow solver ---------------------------------------------------------------------------


@functools.cache
def slow_value(free: frozenset[int], upper: int) -> Fraction:
    """Exact value by the rules alone, for few free categories."""
    if not free:
        return Fraction(0)

    @functools.cache
    def decision(dice: tuple[int, ...], rerolls: int) -> Fraction:
        marks = []
        for category in free:
            points = score(dice, category)
            now = min(upper + points, 63) if category < 6 else upper
            bonus = 50 if now == 63 and upper < 63 else 0
            marks.append(points + bonus + slow_value(free - {category}, now))
        keeps = [after(kept_dice(dice, m), rerolls - 1) for m in range(31)] if rerolls else []
        return max(marks + keeps)

    @functools.cache
    def after(kept: tuple[int, ...], rerolls: int) -> Fraction:
        chances = roll_beside(kept).items()
        return sum((p * decision(ROLLS[c], rerolls) for c, p in chances), Fraction(0))

    return after((), 2)


@pytest.mark.parametrize(
    ("free", "upper"),
    [
        ({5}, 45),  # the bonus hangs on three sixes
        ({0, 14}, 60),
        ({0, 14}, 63),
        ({7, 12}, 30),  # the bonus is lost
        ({1, 2}, 55),
    ],
)
def test_values_equal_a_solver_in_fractions(oracle, wide, free, upper):
    mask = sum(1 << (14 - c) for c in free)
    exact = float(slow_value(frozenset(free), upper))
    assert wide.value(mask, upper) == pytest.approx(exact, abs=1e-10)
    assert oracle.value(mask, upper) == pytest.approx(exact, abs=1e-4)


# ---- the table -------------------------------------------------------------------------------


def test_single_precision_is_close_to_double_everywhere(oracle, wide):
    boards = [(m, u) for m in range(1, 32768, 7) for u in range(64) if oracle.reachable(m, u)]
    error = max(abs(oracle.value(*board) - wide.value(*board)) for board in boards)
    assert len(boards) > 100_000
    assert error < 6e-5


def test_table_is_the_same_for_any_number_of_threads(oracle):
    others = [_core.YatzyOracle(threads=n) for n in (1, 3)]
    boards = [(m, u) for m in range(0, 32768, 331) for u in range(64) if oracle.reachable(m, u)]
    for other in others:
        assert [other.value(*b) for b in boards] == [oracle.value(*b) for b in boards]


def test_table_is_small_and_timed(oracle):
    assert oracle.classes == 958_976
    assert oracle.table_bytes <= 10e6
    assert oracle.build_seconds > 0.0  # `ludus bench` has the figure; tests run on any load


def test_reachable_totals_are_those_of_some_marks(oracle):
    for upper_free in range(64):
        marked = [c + 1 for c in range(6) if not upper_free >> (5 - c) & 1]
        sums = {0}
        for face in marked:
            sums = {s + k * face for s, k in itertools.product(sums, range(6))}
        can = {min(s, 63) for s in sums}
        for lower in (0, 0b101010101, 511):
            mask = upper_free << 9 | lower
            assert {u for u in range(64) if oracle.reachable(mask, u)} == can


# ---- actions and players ---------------------------------------------------------------------


def test_action_values_are_consistent_along_a_turn(wide):
    states = random_decisions(2, seed=3)
    values = wide.action_values(states)
    rules = _core.game("yatzy")
    for packed, row in zip(states[::3], values[::3], strict=True):
        state = rules.state(packed.tobytes())
        assert set(np.flatnonzero(~np.isnan(row))) == set(state.legal().tolist())
        table = Table.of(state)
        card = table.cards[table.seat]
        for action in state.search_actions()[::4].tolist():
            after = state.copy()
            after.apply(action)
            if action >= 32:
                own = Table.of(after).cards[table.seat]
                gain = own.total - card.total
                expected = gain + wide.value(own.free, own.upper)
            else:
                outcomes, chances = after.outcomes()
                rolled = [after.copy() for _ in outcomes]
                for child, outcome in zip(rolled, outcomes.tolist(), strict=True):
                    child.apply_outcome(outcome)
                packed_children = np.stack([np.frombuffer(c.packed(), np.uint8) for c in rolled])
                best = np.nanmax(wide.action_values(packed_children), axis=1)
                expected = float(chances @ best)
            assert row[action] == pytest.approx(expected, abs=1e-9)


def test_oracle_player_takes_the_lowest_best_action(oracle):
    states = random_decisions(20, seed=4)
    chosen = get_game("yatzy").players["oracle"]({})(states, np.zeros(len(states), np.uint64))
    offsets, actions = yatzy_oracle.best_actions(states)
    rules = _core.game("yatzy")
    for i, action in enumerate(chosen.tolist()):
        best = actions[offsets[i] : offsets[i + 1]].tolist()
        assert action == best[0]
        state = rules.state(states[i].tobytes())
        assert state.canonical(action) == action
        # Equal dice are equal answers.
        assert {a for a in range(31) if a in state.legal() and state.canonical(a) == action} <= set(
            best
        ) | {action}
    judged = yatzy_oracle.judge(states, chosen)
    assert judged["matched"].all() and not judged["ignored"].any()
    assert (judged["regret"] == 0).all()


def test_judge_sees_bad_actions(oracle):
    states = random_decisions(20, seed=5)
    values = yatzy_oracle.action_values(states)
    worst = np.nanargmin(values, axis=1).astype(np.int32)
    judged = yatzy_oracle.judge(states, worst)
    loss = np.nanmax(values, axis=1) - np.nanmin(values, axis=1)
    several = loss > 1e-3
    assert several.mean() > 0.9
    assert not judged["matched"][several].any()
    assert judged["regret"][several] == pytest.approx(loss[several])


def test_only_the_own_card_counts(oracle):
    card, other = Card(16383, 3, 3), Card(32767, 0, 0)
    low = Table((card, other), 0, (2, 2, 3, 5, 6), 2, "decision").state()
    high = Table((card, Card(1, 63, 320)), 0, (2, 2, 3, 5, 6), 2, "decision").state()
    moved = Table((other, card), 1, (2, 2, 3, 5, 6), 2, "decision").state()
    rows = np.stack([np.frombuffer(s.packed(), np.uint8) for s in (low, high, moved)])
    values = oracle.action_values(rows)
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[0], values[2])


def test_greedy_takes_the_best_points_of_the_turn(oracle):
    def greedy(dice, rerolls, free, upper=0):
        cards = (Card(free, upper, upper), Card(free, upper, upper))
        state = Table(cards, 0, dice, rerolls, "decision").state()
        return int(oracle.choose(np.frombuffer(state.packed(), np.uint8)[None], "greedy")[0])

    assert greedy((2, 3, 4, 5, 6), 0, 32767) == 32 + 11  # 20 points, equal to chance and first
    assert greedy((5, 5, 5, 6, 6), 0, 32767) == 32 + 12
    assert greedy((4, 4, 4, 4, 4), 2, 32767) == 32 + 14
    # Ones are worth 3 + 50 when the bonus falls due with them.
    assert greedy((1, 1, 1, 6, 6), 0, 0b100000000000010, upper=60) == 32


def test_players_have_no_options():
    for name in ("oracle", "greedy"):
        with pytest.raises(PlayerError, match="has no option 'sims'"):
            get_game("yatzy").players[name]({"sims": "3"})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda o: o.value(32768, 0), "mask of free categories is 32768"),
        (lambda o: o.value(-1, 0), "mask of free categories is -1"),
        (lambda o: o.value(0, 64), "upper total is 64"),
        (lambda o: o.value(32767, 5), "cannot be reached"),
        (lambda o: o.advise([1, 2, 3, 4], 2, 32767, 0), "Yatzy has five"),
        (lambda o: o.advise([1, 2, 3, 4, 7], 2, 32767, 0), "A die shows 7"),
        (lambda o: o.advise([1, 2, 3, 4, 5], 3, 32767, 0), "must be 0, 1 or 2"),
        (lambda o: o.advise([1, 2, 3, 4, 5], 1, 0, 0), "no free category"),
        (lambda o: o.choose(np.zeros((1, 15), np.uint8)), "has 16 bytes, not 15"),
        (lambda o: o.choose(np.full((1, 16), 255, np.uint8)), "no Yatzy position"),
        (lambda o: o.simulate(1, 1, policy="bold"), "no policy 'bold'"),
        (lambda o: o.simulate(1, 1, threads=0), "number of threads is 0"),
        (lambda o: _core.YatzyOracle(threads=65), "number of threads is 65"),
    ],
)
def test_bad_input_is_refused(oracle, call, sentence):
    with pytest.raises(GameError, match=sentence):
        call(oracle)


def test_a_roll_is_no_decision(oracle):
    start = np.frombuffer(_core.game("yatzy").initial().packed(), np.uint8)[None]
    with pytest.raises(GameError, match="have not been rolled"):
        oracle.choose(start)


# ---- simulation ------------------------------------------------------------------------------


def test_simulated_games_have_the_known_distribution():
    result = yatzy_oracle.simulate(60_000, seed=1)
    error = STD / result.games**0.5
    assert abs(result.mean - EXPECTED) < 4 * error
    assert abs(result.std - STD) < 4 * STD / (2 * result.games) ** 0.5
    assert result.median == pytest.approx(249, abs=1)
    for rate, known in ((result.bonus_rate, BONUS_RATE), (result.yatzy_rate, YATZY_RATE)):
        assert abs(rate - known) < 4 * (known * (1 - known) / result.games) ** 0.5
    assert sum(result.bins) == result.games
    assert result.min >= result.bin_start
    assert result.max < result.bin_start + len(result.bins) * result.bin_width
    assert result.standard_error == pytest.approx(error, rel=0.02)


def test_greedy_games_average_200_73():
    result = yatzy_oracle.simulate(60_000, seed=2, policy="greedy")
    assert abs(result.mean - GREEDY_MEAN) < 4 * result.standard_error
    assert result.policy_id == "greedy"


def test_games_depend_on_seed_and_number_only(oracle):
    total, bonus, yatzy = oracle.simulate(1000, 7, threads=1)
    for threads, first, count in ((2, 0, 1000), (3, 500, 500), (2, 333, 100)):
        part = oracle.simulate(count, 7, threads=threads, first=first)
        for ours, theirs in zip((total, bonus, yatzy), part, strict=True):
            np.testing.assert_array_equal(ours[first : first + count], theirs)
    assert (oracle.simulate(1000, 8)[0] != total).mean() > 0.9


def test_simulated_games_equal_games_by_the_rules(oracle):
    """The seat 0 of a real game with the same episode seed has the same dice and points."""
    total, bonus, yatzy = oracle.simulate(5, 11)
    rules = _core.game("yatzy")
    for number in range(5):
        episode = _core.derive_seed(11, "episode", number)
        state = rules.initial()
        got_yatzy = 0
        while state.kind != "terminal":
            if state.kind == "chance":
                state.apply_outcome(state.draw(episode))
                continue
            packed = np.frombuffer(state.packed(), np.uint8)[None]
            action = int(oracle.choose(packed)[0])
            if state.seat == 0 and action == 46:
                got_yatzy = int(len(set(Table.of(state).dice)) == 1)
            state.apply(action)
        card = Table.of(state).cards[0]
        assert (card.total, int(card.upper == 63), got_yatzy) == (
            total[number],
            bonus[number],
            yatzy[number],
        )
