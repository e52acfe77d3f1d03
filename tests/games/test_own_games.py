"""Own games in Python under the core: search, records, chance, positions, players."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.games.own_play import play, rules_of, same, searcher
from tests.games.small_games import DiceRace, ThreeTakers, TicTacToe

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.evaluators import UniformEvaluator
from ludus.games.own import make_entry
from ludus.players import ExternalPlayer, Lanes, RandomPlayer, slots_settings
from ludus.players.single import SingleGame, choice_after
from ludus.testing import check_chooser, check_evaluator, check_game

GAMES = (TicTacToe, DiceRace, ThreeTakers)


# ---- the same house for everybody ----------------------------------------------------------------


@pytest.mark.parametrize("game", GAMES)
def test_own_games_pass_the_kit_of_the_house(game):
    rules = rules_of(game)
    check_game(rules)
    check_evaluator(UniformEvaluator(), rules)


def test_perft_counts_three_in_a_row():
    state = rules_of(TicTacToe).initial()
    # 9!/(9-n)! until games end; of 60,480 lines 5,760 have ended after five moves.
    counts = [_core.perft(state, depth) for depth in (1, 2, 5, 6)]
    assert counts == [9, 72, 15120, 54720]


@pytest.mark.parametrize("game", GAMES)
def test_lanes_change_nothing(game):
    rules = rules_of(game)
    players = [searcher(12, noise_fraction=0.25, temperature=[1.0]), searcher(8, rule="gumbel")]
    one, _ = play(rules, players, 90, lanes=1, slots=256, group=128)
    two, _ = play(rules, players, 90, lanes=3, slots=256, group=128)
    assert len(one["game_id"]) == 90
    assert same(one, two)


def perfect(stones, other, to_move=True, known={}):  # noqa: B006 - a memory for this module
    """Value of three in a row for the seat to move, by exhaustion."""
    key = (stones, other)
    if key not in known:
        if TicTacToe.has_line(other):
            known[key] = -1
        elif stones | other == 511:
            known[key] = 0
        else:
            free = [1 << i for i in range(9) if not (stones | other) >> i & 1]
            known[key] = max(-perfect(other, stones | bit) for bit in free)
    return known[key]


def test_a_search_without_knowledge_plays_three_in_a_row_perfectly():
    rules = rules_of(TicTacToe)
    player = searcher(1500, temperature=[0.0], c_puct=2.0)
    records, board = play(rules, [player, RandomPlayer()], 64)
    assert board.counters()["failed"] == 0
    results = records["returns"][np.arange(64), np.arange(64) % 2]
    assert results.min() >= 0  # never loses to random moves
    assert results.mean() > 0.8
    begin = 0
    checked = 0
    for plies in records["plies"].tolist():
        state = (0, 0)
        for ply in range(begin, begin + plies):
            value, action = perfect(*state), int(records["action"][ply])
            state = (state[1], state[0] | 1 << action)
            if records["flags"][ply] & 1 and abs(value) == 1:
                assert -perfect(*state) == value  # a won position stays won
                checked += 1
        begin += plies
    assert checked > 60


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
@pytest.mark.parametrize(
    ("moves", "best"),
    [
        ((0, 3, 1, 4), 2),  # wins at once, rather than stop the other's three
        ((0, 3, 1, 4, 8), 5),  # the other one wins at once
        ((0, 4, 1), 2),  # must be blocked
        ((0, 1, 3), 6),
        ((4, 0, 8, 6), 3),  # blocks the first column
    ],
)
def test_wins_in_one_are_taken_and_threats_blocked(rule, moves, best):
    rules = rules_of(TicTacToe)
    table = SingleGame(rules, [None, None], 1)
    for action in moves:
        assert table.advance()
        table.play(action)
    table.advance()
    player = searcher(400, temperature=[0.0], rule=rule, forced_fast_path=False)
    assert choice_after(rules, player, table.columns()) == best


def test_values_of_three_seats_are_their_own():
    records, _ = play(rules_of(ThreeTakers), [searcher(64)], 60)
    assert records["returns"].shape == (60, 3)
    assert sorted(set(records["returns"].ravel().tolist())) == [-0.5, 1.0]
    assert set(records["seat"].tolist()) == {0, 1, 2}
    # Three or fewer left: the mover takes them all.
    begin = 0
    for plies in records["plies"].tolist():
        actions = records["action"][begin : begin + plies].tolist()
        left = 11 - sum(a + 1 for a in actions[:-1])
        assert actions[-1] == left - 1
        begin += plies


# ---- records and rows ----------------------------------------------------------------------------


@pytest.mark.parametrize("game", GAMES)
def test_rows_are_the_positions_of_the_game(game):
    rules = rules_of(game)
    records, _ = play(rules, [searcher(8)], 20)
    decoder = _core.RowDecoder(rules, records)
    plies = records["plies"]
    games = np.repeat(np.arange(20), plies)
    within = np.concatenate([np.arange(n) for n in plies.tolist()]).astype(np.int32)
    rows = decoder.rows(games, within)
    row = 0
    for g in range(20):
        state = rules.initial()
        if state.kind == "chance":
            state.apply_outcome(int(records["opening"][g]))
        for _ in range(int(plies[g])):
            seen = state.observe(state.seat)
            assert np.array_equal(rows["observations"][row], seen)
            assert np.array_equal(
                rows["legal"][rows["offsets"][row] : rows["offsets"][row + 1]]
                - row * rules.num_actions,
                state.legal(),
            )
            returns = np.roll(records["returns"][g], -state.seat)  # the mover first
            assert np.array_equal(
                np.atleast_1d(rows["value"][row]), returns[: rows["value"][0].size]
            )
            state.apply(int(records["action"][row]))
            if (outcome := int(records["outcome"][row])) >= 0:
                state.apply_outcome(outcome)
            row += 1
        assert state.kind == "terminal"


def test_games_in_flight_go_on_the_same():
    rules = rules_of(DiceRace)
    players = [searcher(8, temperature=[1.0])]
    whole, _ = play(rules, players, 40)

    def begin():
        board = _core.Slots(
            rules, slots=64, group_size=64, seed=3, players=[slots_settings(players[0])]
        )
        ids = np.arange(40)
        seeds = np.array([_core.derive_seed(3, "episode", int(i)) for i in ids], np.uint64)
        board.schedule(ids, seeds, np.zeros((40, 2), np.int8))
        return board

    board = begin()
    with Lanes(board, players, rules, 1) as driver:
        for _ in range(60):
            driver.advance(0.0)
    early, flight = board.finished(), board.in_flight()
    assert len(flight["game_id"]) > 0
    again = _core.Slots(
        rules, slots=64, group_size=64, seed=3, players=[slots_settings(players[0])]
    )
    left = flight["game_id"]
    again.schedule(left, flight["seed"], np.zeros((len(left), 2), np.int8))
    again.restore(flight)
    with Lanes(again, players, rules, 1) as driver:
        while driver.advance(1.0):
            pass
    late = again.finished()
    for part in (early, late):
        where = np.searchsorted(whole["game_id"], part["game_id"])
        assert np.array_equal(whole["plies"][where], part["plies"])
        assert np.array_equal(whole["scores"][where], part["scores"])
    assert sorted([*early["game_id"], *late["game_id"]]) == list(range(40))


# ---- chance --------------------------------------------------------------------------------------


def test_draws_follow_the_probabilities_and_the_number_of_the_event():
    rules = rules_of(DiceRace)

    def after(actions_and_outcomes):
        state = rules.initial()
        for step in actions_and_outcomes:
            (state.apply if state.kind == "decision" else state.apply_outcome)(step)
        return state

    first = after([0])
    counts = Counter(first.draw(seed) for seed in range(6000))
    chi = sum((counts[face] - 1000) ** 2 / 1000 for face in range(6))
    assert chi < 25  # five degrees of freedom: 1 in 7000
    # The third throw of an episode is the same whatever was thrown and banked before it.
    ways = [after([0, 3, 0, 2, 0]), after([0, 0, 0, 0, 0]), after([0, 4, 1, 0, 1, 0])]
    assert all(way.kind == "chance" for way in ways)
    for seed in range(50):
        assert len({way.draw(seed) for way in ways}) == 1
    other = [after([0]).draw(seed) == ways[0].draw(seed) for seed in range(300)]
    assert 20 < sum(other) < 90  # another event, another number


def test_the_search_does_not_see_the_coming_dice():
    rules = rules_of(DiceRace)

    def roots(seed):
        slots = _core.Slots(
            rules, slots=64, group_size=64, seed=9, players=[slots_settings(searcher(64))]
        )
        slots.schedule(np.arange(1), np.array([seed], np.uint64), np.zeros((1, 2), np.int8))
        game = slots.in_flight
        with Lanes(slots, [searcher(64)], rules, 1) as driver:
            while not len(game()["action"]):
                driver.advance(0.0)
        seen = game()
        return seen["edges"][0], seen["visits"][: seen["edges"][0]].tolist()

    # The first decision has one action; look at whole games' first searched ply instead.
    first = [roots(seed) for seed in range(6)]
    assert all(one == first[0] for one in first)


# ---- positions -----------------------------------------------------------------------------------


def test_packed_positions_are_found_again_and_forgotten():
    rules = rules_of(TicTacToe)
    state = rules.initial()
    state.apply(4)
    packed = state.packed()
    assert len(packed) == rules.state_size == 8
    assert rules.state(packed).own == state.own == (16, 0, 1)
    twin = rules.initial()
    twin.apply(4)
    assert twin.packed() == packed
    other = rules_of(TicTacToe)
    with pytest.raises(GameError, match="name no position of tic_tac_toe that is still known"):
        other.state(packed)
    with pytest.raises(GameError, match="name no position"):
        rules.state(b"\1" * 8)
    with pytest.raises(GameError, match="has 8 bytes, not 7"):
        rules.state(packed[:7])


def test_a_compiled_position_is_no_object_of_python():
    state = _core.game("yatzy").initial()
    with pytest.raises(GameError, match="compiled"):
        state.own  # noqa: B018
    assert not _core.game("yatzy").interpreted
    assert rules_of(TicTacToe).interpreted


def test_positions_read_as_moves_from_the_start():
    entry = make_entry(DiceRace(), "tests")
    state = entry.rules.initial()
    assert entry.position_text(state) == "start"
    assert entry.parse_position("start").own == state.own
    for step in (0, 3, 1, 0, 5):
        (state.apply if state.kind == "decision" else state.apply_outcome)(step)
    text = entry.position_text(state)
    assert text == "0 *3 1 0 *5"
    assert entry.parse_position(text).packed() == state.packed()
    for wrong, sentence in (
        ("0 3", "move 2"),
        ("x", "'x' is neither"),
        ("0 *9", "move 2"),
        ("start 1", "'start' is neither"),
    ):
        with pytest.raises(GameError, match=sentence):
            entry.parse_position(wrong)


# ---- players of the game -------------------------------------------------------------------------


def test_a_game_brings_players():
    entry = make_entry(DiceRace(), "tests")
    assert entry.about_players == {"cautious": "Keeps what it has from ten points on."}
    choose = entry.players["cautious"]({})
    check_chooser(choose, entry.rules)
    with pytest.raises(PlayerError, match="player cautious has no option 'x'"):
        entry.players["cautious"]({"x": "1"})
    records, board = play(entry.rules, [ExternalPlayer(choose), RandomPlayer()], 40)
    assert (board.counters()["failed"], len(records["game_id"])) == (0, 40)
    for outcome, action in ((2, 0), (4, 1)):
        state = entry.parse_position(f"0 *{outcome}")
        row = np.frombuffer(state.packed(), np.uint8)[None, :]
        assert choose(row, np.zeros(1, np.uint64)).tolist() == [action]


def test_a_player_that_fails_names_its_line():
    def wrong(game, state, rng):
        return 7

    def fails(game, state, rng):
        raise LookupError("where am I")

    class Race(DiceRace):
        players = {"wrong": wrong, "fails": fails}  # noqa: RUF012

    entry = make_entry(Race(), "tests")
    state = entry.rules.initial()
    rows = np.frombuffer(state.packed(), np.uint8)[None, :]
    keys = np.zeros(1, np.uint64)
    with pytest.raises(PlayerError, match=r"player wrong of dice_race chose 7; legal actions"):
        entry.players["wrong"]({})(rows, keys)
    with pytest.raises(PlayerError, match=r"test_own_games.py:\d+: LookupError: where am I"):
        entry.players["fails"]({})(rows, keys)
