"""The registry, and what Python adds to Yatzy: cards, actions and positions as text."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.twins import yatzy_twin

from ludus import _core
from ludus.errors import GameError
from ludus.games import game_names, get_game
from ludus.games import yatzy as y

ENTRY = get_game("yatzy")


def walk(seed: int) -> list[_core.State]:
    """All states of a random game."""
    chooser = random.Random(seed)
    state = ENTRY.rules.initial()
    states = [state.copy()]
    while state.kind != "terminal":
        if state.kind == "chance":
            state.apply_outcome(state.draw(seed))
        else:
            state.apply(chooser.choice(state.legal().tolist()))
        states.append(state.copy())
    return states


STATES = [state for seed in range(3) for state in walk(seed)]


def at(text: str) -> _core.State:
    return ENTRY.parse_position(text)


# ---- registry and golden figures -------------------------------------------------------------


def test_registry_lists_what_the_core_has():
    assert game_names() == list(_core.game_names())
    assert get_game("yatzy") is ENTRY
    with pytest.raises(GameError, match=r"no game 'go'; the games are: .*yatzy"):
        get_game("go")


def test_golden_category_order_and_bits():
    assert y.CATEGORIES == (
        "ones",
        "twos",
        "threes",
        "fours",
        "fives",
        "sixes",
        "pair",
        "two_pairs",
        "three_kind",
        "four_kind",
        "small_straight",
        "large_straight",
        "house",
        "chance",
        "yatzy",
    )
    assert y.category_bit(0) == 16384 and y.category_bit(14) == 1
    for category in range(15):
        state = at("32767/0/0 32767/0/0 0 11111 0")
        state.apply(32 + category)
        assert y.Table.of(state).cards[0].free == 32767 ^ 1 << (14 - category)


def test_golden_keep_mask_bits():
    state = at("32767/0/0 32767/0/0 0 12345 2")
    for i, face in enumerate((1, 2, 3, 4, 5)):
        assert ENTRY.action_text(state, 1 << (4 - i)) == f"keep {face}"
        after = state.copy()
        after.apply(1 << (4 - i))
        assert y.Table.of(after).dice == (face,)
    assert ENTRY.action_text(state, 0b11001) == "keep 1 2 5"


def test_scores_equal_the_core_and_the_twin_for_all_252_rolls():
    for number, dice in enumerate(yatzy_twin.ROLLS):
        assert y.dice_of_class(number) == dice
        rolled = ENTRY.rules.initial()
        rolled.apply_outcome(number)
        for category in range(15):
            after = rolled.copy()
            after.apply(32 + category)
            points = y.Table.of(after).cards[0].total
            assert y.score(dice, category) == points == yatzy_twin.score(dice, category)


@pytest.mark.parametrize(
    ("upper", "dice", "gain", "now"),
    [(60, "11222", 2, 62), (60, "11122", 53, 63), (58, "11111", 55, 63), (63, "11111", 5, 63)],
)
def test_bonus_comes_once_when_63_is_reached(upper, dice, gain, now):
    total = upper + 50 * (upper == 63)
    state = at(f"16384/{upper}/{total} 16384/{upper}/{total} 0 {dice} 0")
    state.apply(32)
    card = y.Table.of(state).cards[0]
    assert (card.total - total, card.upper) == (gain, now)


# ---- actions ---------------------------------------------------------------------------------


def test_action_text_reads_back():
    for state in STATES:
        if state.kind != "decision":
            continue
        for action in state.legal().tolist():
            text = ENTRY.action_text(state, action)
            assert ENTRY.parse_action(state, text) == state.canonical(action)
            assert ENTRY.parse_action(state, str(action)) == action


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("keep 6 6 6", 0b00111),
        ("keep 666", 0b00111),
        ("KEEP 6,6,4", 0b00111 ^ 0b00100 ^ 0b01000),
        ("keep none", 0),
        ("mark house", 44),
        ("House", 44),
        ("mark large straight", 43),
        ("large", 43),
        ("three-kind", 40),
        ("threes", 34),
        ("44", 44),
        ("7", 7),
    ],
)
def test_actions_as_people_write_them(text, action):
    state = at("32767/0/0 32767/0/0 0 24666 1")
    if text == "KEEP 6,6,4":
        kept = y.kept_dice((2, 4, 6, 6, 6), ENTRY.parse_action(state, text))
        assert kept == (4, 6, 6)
    else:
        assert ENTRY.parse_action(state, text) == action


@pytest.mark.parametrize(
    ("position", "text", "sentence"),
    [
        ("32767/0/0 32767/0/0 0 24666 1", "keep 2 4 6 6 6", "keeping all five dice is no action"),
        ("32767/0/0 32767/0/0 0 24666 1", "31", "keeping all five dice is no action"),
        ("32767/0/0 32767/0/0 0 24666 0", "keep 6", "no reroll is left"),
        ("32767/0/0 32767/0/0 0 24666 1", "keep 5", "the dice 5 are not among 2 4 6 6 6"),
        ("32767/0/0 32767/0/0 0 24666 1", "keep", "must name dice"),
        ("32767/0/0 32767/0/0 0 24666 1", "keep 7", "must name dice"),
        ("32767/0/0 32767/0/0 0 24666 1", "47", "action 47 does not exist"),
        ("32767/0/0 32767/0/0 0 24666 1", "three", "threes or three_kind"),
        ("32767/0/0 32767/0/0 0 24666 1", "", "is no action"),
        ("32767/0/0 32767/0/0 0 24666 1", "jump", "'jump' is no action"),
        ("16383/3/3 16383/3/3 0 24666 1", "mark ones", "ones is marked already"),
        ("32767/0/0 32767/0/0 0 ????? 2", "mark ones", "about to be rolled"),
        ("0/0/0 0/0/0 -", "mark ones", "the game is over"),
    ],
)
def test_bad_actions_are_one_sentence(position, text, sentence):
    with pytest.raises(GameError, match=sentence) as caught:
        ENTRY.parse_action(at(position), text)
    assert "\n" not in str(caught.value)


# ---- positions -------------------------------------------------------------------------------


def test_positions_read_back_to_the_byte():
    assert ENTRY.position_text(ENTRY.rules.initial()) == "32767/0/0 32767/0/0 0 ????? 2"
    for state in STATES:
        text = ENTRY.position_text(state)
        assert at(text).packed() == state.packed()
        assert ENTRY.position_text(at(text)) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must look like"),
        ("32767/0/0 32767/0/0 0 ?????", "must look like"),
        ("32768/0/0 32767/0/0 0 ????? 2", "free mask of seat 0 is 32768"),
        ("32767/0 32767/0/0 0 ????? 2", "must be mask/upper total/points"),
        ("32767/0/x 32767/0/0 0 ????? 2", "must be mask/upper total/points"),
        ("32767/3/3 32767/0/0 0 ????? 2", "upper total of seat 0 is 3"),
        ("16383/3/2 32767/0/0 1 ????? 2", "seat 0 has 2 points"),
        ("16383/3/9 32767/0/0 1 ????? 2", "seat 0 has 9 points"),
        ("32767/0/0 32767/0/0 1 ????? 2", "seats alternate"),
        ("32767/0/0 32767/0/0 2 ????? 2", "must be 0 or 1"),
        ("32767/0/0 32767/0/0 0 ????? 3", "must be 0..2"),
        ("32767/0/0 32767/0/0 0 12 2", "must be five faces"),
        ("32767/0/0 32767/0/0 0 12347 2", "must be five faces"),
        ("32767/0/0 32767/0/0 0 12??? 2", "before the first roll"),
        ("1/0/0 0/0/0 -", "categories are free"),
        ("0/0/0 0/0/0 0 ????? 2", "cannot be to move"),
    ],
)
def test_bad_positions_are_one_sentence(text, sentence):
    with pytest.raises(GameError, match=sentence):
        at(text)


def test_perft_agrees_with_a_plain_count():
    def count(twin: yatzy_twin.YatzyTwin, depth: int) -> int:
        if depth == 0:
            return 1
        if twin.kind == "terminal":
            return 0
        total = 0
        chance = twin.kind == "chance"
        for step in list(yatzy_twin.roll_beside(twin.kept)) if chance else twin.legal():
            child = twin.copy()
            if chance:
                child.apply_outcome(step)
            else:
                child.apply(step)
            total += count(child, depth - 1)
        return total

    start = ENTRY.rules.initial()
    assert [_core.perft(start, d) for d in range(3)] == [1, 252, 252 * 46]
    assert count(yatzy_twin.YatzyTwin(), 2) == 252 * 46
    # Marks: 252 rolls each; keeps of k dice: the multisets of 5 - k dice.
    rolled = at("32767/0/0 32767/0/0 0 66345 2")
    twin = yatzy_twin.YatzyTwin()
    twin.apply_outcome(yatzy_twin.CLASS_OF[3, 4, 5, 6, 6])
    assert [_core.perft(rolled, d) for d in (1, 2)] == [count(twin, d) for d in (1, 2)]
    # The last mark of the game: 252 rolls of one die less and less choice.
    last = at("0/0/0 1/0/0 1 11116 1")
    assert _core.perft(last, 1) == 32
    assert _core.perft(last, 3) == sum(
        len(yatzy_twin.roll_beside(yatzy_twin.kept_dice((1, 1, 1, 1, 6), m))) for m in range(31)
    )


# ---- drawing ---------------------------------------------------------------------------------


def test_render_shows_both_cards_and_the_dice():
    text = ENTRY.render(at("16383/3/3 32767/0/0 1 22356 2"))
    assert "Round 1 of 15, seat 1 to move, 2 rerolls left." in text
    lines = {
        line.split("  ")[1].strip(): line.split() for line in text.splitlines() if line[:2] == "  "
    }
    assert lines["ones"] == ["ones", "x", ".", "0"]
    assert lines["pair"] == ["pair", ".", ".", "4"]
    assert lines["upper total"] == ["upper", "total", "3/63", "0/63"]
    assert lines["dice"] == ["dice", "2", "2", "3", "5", "6"]
    for state in STATES:
        drawn = ENTRY.render(state)
        assert all(len(line) <= 60 and line == line.rstrip() for line in drawn.splitlines())


def test_render_tells_the_end():
    best = "0/0/10 0/0/20 -"
    assert "seat 1 wins by 20 to 10" in ENTRY.render(at(best))
    assert "a draw at 20 points" in ENTRY.render(at("0/0/20 0/0/20 -"))


def test_event_text_names_kept_and_rolled_dice():
    state = at("32767/0/0 32767/0/0 0 66??? 1")
    outcome = yatzy_twin.CLASS_OF[3, 4, 5, 6, 6]
    assert ENTRY.event_text(state, outcome) == "66 + 345"
    assert ENTRY.event_text(ENTRY.rules.initial(), outcome) == "34566"


def test_bonus_of_final_states():
    ends = [at("0/63/250 0/41/199 -"), at("0/40/180 0/63/300 -")]
    packed = np.stack([np.frombuffer(state.packed(), np.uint8) for state in ends])
    bonus = ENTRY.suites["bonus"]
    assert bonus(packed, np.array([0, 0], np.int32)).tolist() == [True, False]
    assert bonus(packed, np.array([1, 1], np.int32)).tolist() == [False, True]
