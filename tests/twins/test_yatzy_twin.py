"""The compiled Yatzy against its plain-Python twin: the same actions, dice, points and features."""

from __future__ import annotations

import json
import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.twins.yatzy_twin import (
    CATEGORIES,
    CLASS_OF,
    ROLLS,
    Stream,
    YatzyTwin,
    derive_seed,
    expected_last_category,
    philox4x32,
    score,
)

from ludus import _core

GAME = _core.game("yatzy")
# Known answers of philox4x32-10 from the authors' own test file (Random123, tests/kat_vectors).
PHILOX_VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), PHILOX_VECTORS)
def test_philox_twin_gives_the_known_answers(counter, key, expected):
    assert philox4x32(counter, key) == expected


def test_streams_agree_with_the_twin():
    chooser = random.Random(1)
    purposes = ["chance", "search", "action", "player", "episode", "training", "weights"]
    for _ in range(60):
        number = chooser.randrange(7) + 1
        name = purposes[number - 1]
        place = (chooser.getrandbits(40), chooser.randrange(1000), chooser.randrange(16))
        seed = chooser.getrandbits(64)
        theirs, ours = _core.Stream(seed, name, *place), Stream(seed, number, *place)
        for _ in range(4):
            assert theirs.next_u64() == ours.next_u64()
            assert theirs.uniform() == ours.uniform()
            bound = chooser.choice([1, 2, 6, 252, 3 << 30])  # the last rejects a quarter of all
            assert theirs.below(bound) == ours.below(bound)
        index = chooser.getrandbits(32)
        assert _core.derive_seed(seed, name, index) == derive_seed(seed, number, index)


def test_scores_of_all_252_rolls():
    """Marking roll r in category c on a fresh card adds score(r, c), for every r and c."""
    for outcome, dice in enumerate(ROLLS):
        state = GAME.initial()
        state.apply_outcome(outcome)
        for category in range(15):
            after = state.copy()
            after.apply(32 + category)
            points = score(dice, category)
            assert after.scores().tolist() == [points, 0.0], (dice, CATEGORIES[category])


def test_scores_golden():
    """Scores written by hand, so that twin and core cannot be wrong together."""
    golden = {
        (1, 1, 1, 1, 1): [5, 0, 0, 0, 0, 0, 2, 0, 3, 4, 0, 0, 0, 5, 50],
        (6, 6, 6, 6, 6): [0, 0, 0, 0, 0, 30, 12, 0, 18, 24, 0, 0, 0, 30, 50],
        (1, 2, 3, 4, 5): [1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0],
        (2, 3, 4, 5, 6): [0, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 20, 0, 20, 0],
        (3, 3, 5, 5, 5): [0, 0, 6, 0, 15, 0, 10, 16, 15, 0, 0, 0, 21, 21, 0],
        (4, 4, 4, 4, 6): [0, 0, 0, 16, 0, 6, 8, 0, 12, 16, 0, 0, 0, 22, 0],
        (1, 2, 2, 6, 6): [1, 4, 0, 0, 0, 12, 12, 16, 0, 0, 0, 0, 0, 17, 0],
        (1, 2, 3, 4, 6): [1, 2, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 16, 0],
    }
    for dice, expected in golden.items():
        assert [score(dice, c) for c in range(15)] == expected
        state = GAME.initial()
        state.apply_outcome(CLASS_OF[dice])
        found = []
        for category in range(15):
            after = state.copy()
            after.apply(32 + category)
            found.append(int(after.scores()[0]))
        assert found == expected


def _compare(state, twin: YatzyTwin, features: bool) -> None:
    assert state.kind == twin.kind
    assert state.scores().tolist() == [twin.total(0), twin.total(1)]
    if state.kind == "decision":
        assert state.seat == twin.seat
        assert state.decision_kind == (0 if twin.rerolls > 0 else 1)
        assert state.legal().tolist() == twin.legal()
        assert state.search_actions().tolist() == twin.search_actions()
    if state.kind == "terminal":
        assert tuple(state.returns().tolist()) == twin.returns()
        np.testing.assert_allclose(state.margins(), twin.margins(), atol=2e-7)
    if features:
        for viewer in (0, 1):
            np.testing.assert_allclose(
                state.observe(viewer), np.array(twin.observe(viewer), np.float32), atol=2e-7, rtol=0
            )


def _playouts(games: int, featured: int) -> None:
    """Random games side by side; the dice follow from the episode's seed on both sides."""
    chooser = random.Random(20261121)
    bonuses = 0
    for game in range(games):
        state, twin = GAME.initial(), YatzyTwin()
        while True:
            _compare(state, twin, features=game < featured)
            if state.kind == "terminal":
                break
            if state.kind == "chance":
                outcome = state.draw(game)
                assert outcome == twin.draw(game)
                state.apply_outcome(outcome)
                twin.apply_outcome(outcome)
                continue
            # Half of the games mark upper categories with what fits, so that bonuses happen; of the
            # others half mark often.
            legal = twin.legal()
            if game % 2 == 0:
                action = _upper_greedy(twin, legal)
            elif game % 4 == 1:
                action = chooser.choice(legal)
            else:
                action = legal[-1 - chooser.randrange(len(twin.free(twin.seat)))]
            assert state.canonical(action) == twin.canonical(action)
            state.apply(action)
            twin.apply(action)
        bonuses += sum(b > 0 for b in twin.bonus)
    assert bonuses >= games // 15, "the playouts hardly cross the bonus: they prove little about it"


def test_playouts_agree():
    _playouts(games=120, featured=12)


@pytest.mark.slow
def test_thousands_of_playouts_agree():
    _playouts(games=4000, featured=400)


def _upper_greedy(twin: YatzyTwin, legal: list[int]) -> int:
    """Keeps the most frequent free face; marks it when three lie there, else something low."""
    assert twin.dice is not None
    free = [c for c in twin.free(twin.seat) if c < 6]
    if not free:
        return max(a for a in legal if a >= 32)
    counts = Counter(twin.dice)
    face = max(free, key=lambda c: (counts[c + 1], c)) + 1
    if counts[face] >= 4 or twin.rerolls == 0:
        low = [c for c in twin.free(twin.seat) if c >= 6]
        if counts[face] < 3 and low:
            return 32 + low[0]
        return 32 + face - 1
    return sum(1 << (4 - i) for i, die in enumerate(twin.dice) if die == face)


def test_outcomes_agree_with_rolling_every_way():
    """Every kept multiset of fewer than five dice: the same outcomes and exact probabilities."""
    seen = set()
    for outcome in range(len(ROLLS)):
        state = GAME.initial()
        state.apply_outcome(outcome)
        for mask in state.search_actions().tolist():
            if mask >= 32:
                continue
            twin = YatzyTwin()
            twin.apply_outcome(outcome)
            twin.apply(mask)
            if twin.kept in seen or len(twin.kept) == 0:
                continue
            seen.add(twin.kept)
            after = state.copy()
            after.apply(mask)
            ids, probabilities = after.outcomes()
            expected = twin.outcomes()
            assert sorted(ids.tolist()) == sorted(expected)
            for i, p in zip(ids.tolist(), probabilities.tolist(), strict=True):
                assert p == pytest.approx(float(expected[i]), abs=1e-15)
    assert len(seen) == 209  # multisets of one to four dice
    ids, probabilities = GAME.initial().outcomes()
    expected = YatzyTwin().outcomes()
    assert sorted(ids.tolist()) == sorted(expected)
    assert sum(expected.values()) == Fraction(1)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)


def test_dice_do_not_depend_on_which_equal_die_is_rerolled():
    """Keeping either die of a pair leads to the same dice: event-keyed, first k values."""
    state = GAME.initial()
    state.apply_outcome(CLASS_OF[(2, 2, 3, 4, 6)])
    for seed in range(200):
        results = set()
        for mask in (0b10111, 0b01111):
            after = state.copy()
            after.apply(mask)
            results.add(after.draw(seed))
        assert len(results) == 1


def test_dice_do_not_depend_on_the_path():
    """The same seat, round and roll give the same first values after different histories."""
    for seed in range(50):
        rolls = set()
        for first_mark in (32, 40, 45):
            state = GAME.initial()
            state.apply_outcome(state.draw(seed))
            if first_mark == 40:  # another path: reroll everything first
                state.apply(0)
                state.apply_outcome(state.draw(seed))
            state.apply(first_mark)
            rolls.add(state.draw(seed))
        assert len(rolls) == 1


def test_draws_are_uniform_over_ordered_dice():
    """Chi-squared of 20,000 first rolls against the multinomial, and of one rerolled die."""
    state = GAME.initial()
    ids, probabilities = state.outcomes()
    counts = Counter(state.draw(seed) for seed in range(20_000))
    expected = probabilities * 20_000
    observed = np.array([counts[i] for i in ids.tolist()])
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert 160 < statistic < 360  # 251 degrees of freedom: mean 251, deviation 22.4


def test_bonus_boundary():
    """62 gets nothing, 63 gets 50 once; further upper marks add their points only."""
    # Three of each face but one: 1*3+2*3+3*3+4*3+5*3 = 45, and sixes of 17 is impossible, so the
    # last mark decides: 3 sixes make 63, 2 sixes 57.
    for sixes, total in ((2, 57), (3, 113), (4, 119), (5, 125)):
        state, twin = _card_with_threes(0)
        dice = tuple(sorted([6] * sixes + [1] * (5 - sixes)))
        for position in (state, twin):
            position.apply_outcome(CLASS_OF[dice])
            position.apply(37)
        assert state.scores()[0] == twin.total(0) == total
    # Ones at the end: 62 + 0 stays without, 62 + 1 gets the bonus.
    for ones, total in ((0, 62), (1, 113)):
        state = _play_upper({1: 4, 2: 3, 3: 3, 4: 3, 5: 3}, last_face=0, last_count=ones)
        assert state.scores()[0] == total


def _turn(state, dice, action, twin=None) -> None:
    for position in (state, twin):
        if position is not None:
            position.apply_outcome(CLASS_OF[tuple(sorted(dice))])
            position.apply(action)


def _card_with_threes(seat: int):
    state, twin = GAME.initial(), YatzyTwin()
    for face in range(1, 6):
        filler = 6 if face != 6 else 1
        _turn(state, [face] * 3 + [filler] * 2, 32 + face - 1, twin)
        _turn(state, [1, 2, 3, 4, 6], 32 + 13 - face, twin)
    assert state.scores()[seat] == 45
    return state, twin


def _play_upper(counts: dict[int, int], last_face: int, last_count: int):
    """Marks categories `counts` (index 1..5: twos..sixes) and last ones with that many ones."""
    state = GAME.initial()
    for i, (category, count) in enumerate(counts.items()):
        face = category + 1
        filler = 1
        _turn(state, [face] * count + [filler] * (5 - count), 32 + category)
        _turn(state, [1, 2, 3, 4, 6], 32 + 8 + i)
    start = sum((c + 1) * n for c, n in counts.items())
    assert state.scores()[0] == start
    _turn(state, [1] * last_count + [3, 3, 4, 4, 6][: 5 - last_count], 32 + last_face)
    return state


def test_last_category_values_match_the_oracle_spots():
    """The twin's endgame solver (used by the search tests) against published spot values."""
    path = Path(__file__).parents[1] / "data" / "yatzy_oracle_spots.json"
    if not path.exists():
        pytest.skip("tests/data/yatzy_oracle_spots.json is not there")
    spots = json.loads(path.read_text())
    checked = 0
    for spot in spots["decisions"]:
        free = [c for c in range(15) if spot["avail_mask"] >> (14 - c) & 1]
        if len(free) != 1:
            continue
        best, _ = expected_last_category(
            free[0], spot["upper_total"], tuple(spot["dice"]), spot["rerolls_left"]
        )
        assert best == pytest.approx(spot["best_value"], abs=1e-6)
        checked += 1
    for spot in spots["states"]:
        free = [c for c in range(15) if spot["avail_mask"] >> (14 - c) & 1]
        if len(free) != 1:
            continue
        fresh = YatzyTwin().outcomes()
        value = sum(
            float(p) * expected_last_category(free[0], spot["upper_total"], ROLLS[o], 2)[0]
            for o, p in fresh.items()
        )
        assert value == pytest.approx(spot["value"], abs=1e-6)
        checked += 1
    assert checked >= 3
