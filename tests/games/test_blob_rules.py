"""The rules of Blob against two others: a slow twin in Python, and OpenSpiel's oh_hell."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.twins import blob_twin

from ludus import _core
from ludus.errors import GameError
from ludus.games.blob_cards import Table, cards_of, mask_of

SPECS = (
    "blob",
    "blob:players=3-8,cards=1-13",
    "blob:players=3,cards=10-13,trumps=n",
    "blob:players=6,cards=2,dealer=free",
    "blob:players=4:1/8:3,cards=1:1/6:2,trumps=sd",
)
GAMES = (
    ("blob:play=games,players=5", 5, 7, (0, 1, 2, 3, 4)),
    ("blob:play=games,players=8,highest=6,trumps=nh", 8, 6, (4, 1)),
    ("blob:play=games,players=3,highest=4,dealer=free,trumps=s", 3, 4, (0,)),
)


def twin_of(state, bound=True):
    t = Table.of(state)
    return blob_twin.Round([cards_of(hand) for hand in t.hands], t.dealer, t.trump, bound)


def play_both(state, twin, chooser, *, look):
    """One round of both, every decision compared; the trick-takers are what remains to compare."""
    while not twin.over():
        assert state.kind == "decision" and state.players == twin.players
        assert state.seat == twin.to_move()
        assert state.decision_kind == (0 if twin.bidding() else 1)
        legal = twin.legal()
        assert state.legal().tolist() == state.search_actions().tolist() == legal
        if look:
            compare_views(state, twin)
        action = chooser.choice(legal)
        state.apply(action)
        twin.apply(action)
    assert state.kind != "decision"
    t = Table.of(state)
    assert list(t.won) == [twin.won(seat) for seat in range(twin.players)]
    points = np.zeros(8, np.float32)
    made = np.zeros(8, np.float32)
    for seat in range(twin.players):
        points[seat] = np.float32(twin.points(seat)) / np.float32(11.5) - np.float32(1)
        made[seat] = 1 if twin.won(seat) == twin.bids[seat] else -1
    assert state.stage_returns().tolist() == points.tolist()
    assert state.stage_margins().tolist() == made.tolist()


def compare_views(state, twin):
    t = Table.of(state)
    assert list(t.voids) == [mask_of(lacks) for lacks in twin.lacks]
    for seat in range(8):
        found = state.observe(seat)
        wanted = twin.observation(seat) if seat < twin.players else {}
        assert {int(i): float(found[i]) for i in np.flatnonzero(found)} == wanted


@settings(max_examples=40, deadline=None)
@given(spec=st.sampled_from(SPECS), seed=st.integers(0, 2**32))
def test_rounds_are_those_of_the_twin(spec, seed):
    game = _core.game(spec)
    state = game.initial()
    assert state.players == 8 and not state.observe(0).any()
    state.apply_outcome(state.draw(seed))
    twin = twin_of(state, "free" not in spec)
    play_both(state, twin, random.Random(seed), look=True)
    assert state.kind == "terminal"
    assert state.returns().tolist() == state.stage_returns().tolist()
    assert state.scores()[: twin.players].tolist() == [
        twin.points(seat) for seat in range(twin.players)
    ]


@pytest.mark.parametrize(("spec", "players", "highest", "trumps"), GAMES)
def test_games_are_those_of_the_twin(spec, players, highest, trumps):
    for seed in range(6):
        chooser = random.Random(seed)
        twin = blob_twin.Game(players, highest, trumps)
        state = _core.game(spec).initial()
        dealer = None
        for cards, trump in zip(twin.cards, twin.trumps, strict=True):
            assert state.kind == "chance"
            state.apply_outcome(state.draw(seed))
            t = Table.of(state)
            dealer = t.dealer if dealer is None else (dealer + 1) % players
            assert (t.players, t.cards, t.trump, t.dealer) == (players, cards, trump, dealer)
            one = twin_of(state, "free" not in spec)
            play_both(state, one, chooser, look=seed == 0)
            twin.add(one)
            assert state.scores()[:players].tolist() == twin.totals
        assert state.kind == "terminal"
        for seat in range(players):
            ahead = [np.sign(twin.totals[seat] - other) for other in twin.totals]
            assert state.returns()[seat] == np.float32(sum(ahead) / (players - 1))


# ---- OpenSpiel --------------------------------------------------------------


def _open_spiel_round(players, tricks, seed):
    """A state of oh_hell behind its deal, and the same position here."""
    pyspiel = pytest.importorskip("pyspiel")
    other = pyspiel.load_game(f"oh_hell(players={players},num_tricks_fixed={tricks})")
    theirs = other.new_initial_state()
    chooser = random.Random(seed)
    chance = []
    while theirs.is_chance_node():
        chance.append(chooser.choice(theirs.chance_outcomes())[0])
        theirs.apply_action(chance[-1])
    _, dealer, *cards, trump = chance
    ours = [_card_from_open_spiel(card) for card in cards]
    state = _core.game("blob:players=3-8,cards=1-13").initial()
    table = Table(
        hands=tuple(mask_of(ours[seat::players]) for seat in range(players)),
        laid=(0,) * players,
        totals=(0,) * players,
        trick=(),
        bids=(None,) * players,
        won=(0,) * players,
        voids=(0,) * players,
        players=players,
        cards=tricks,
        dealer=dealer,
        trump=_card_from_open_spiel(trump) // 13,
        leader=(dealer + 1) % players,
        seat=(dealer + 1) % players,
        round=0,
        phase="bid",
    )
    return theirs, state.game.state(table.packed()), chooser


def _card_from_open_spiel(card):
    """OpenSpiel counts by ranks, and its suits are clubs, diamonds, spades, hearts."""
    return 13 * (2, 3, 0, 1)[card % 4] + card // 4


def _action_from_open_spiel(action):
    return action if action >= 52 else _card_from_open_spiel(action)


@pytest.mark.parametrize("players", [3, 4, 5, 7])
def test_rounds_are_those_of_open_spiel(players):
    """Turn, legal bids and cards, trick-takers; its points differ: tricks, and 10 more if made."""
    for seed in range(25):
        tricks = 1 + seed % min(10, 51 // players)
        theirs, state, chooser = _open_spiel_round(players, tricks, seed)
        while not theirs.is_terminal():
            assert state.seat == theirs.current_player()
            actions = {_action_from_open_spiel(a): a for a in theirs.legal_actions()}
            assert state.legal().tolist() == sorted(actions)
            action = chooser.choice(sorted(actions))
            state.apply(action)
            theirs.apply_action(actions[action])
        assert state.kind == "terminal"
        won = Table.of(state).won
        made = [
            tricks_taken == bid for tricks_taken, bid in zip(won, Table.of(state).bids, strict=True)
        ]
        assert theirs.returns() == [n + 10 * exact for n, exact in zip(won, made, strict=True)]


# ---- deals, options, bad input -----------------------------------------------


def test_all_seats_deal_and_all_trumps_come():
    """ "Every training game from the same seat and trump" must not come back."""
    state = _core.game("blob").initial()
    setups = []
    for seed in range(3000):
        child = state.copy()
        child.apply_outcome(child.draw(_core.derive_seed(3, "episode", seed)))
        setups.append(Table.of(child))
    players = Counter(t.players for t in setups)
    assert set(players) == {4, 5, 6}
    for count, share in ((4, 0.15), (5, 0.70), (6, 0.15)):
        assert abs(players[count] / 3000 - share) < 5 * (share * (1 - share) / 3000) ** 0.5
    for what, cells in (("trump", 5), ("cards", 7)):
        counts = Counter(getattr(t, what) for t in setups)
        assert len(counts) == cells
        assert min(counts.values()) > 3000 / cells * 0.75
    dealers = Counter(t.dealer for t in setups if t.players == 5)
    assert len(dealers) == 5 and min(dealers.values()) > players[5] / 5 * 0.75


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("players=2", "players=2 .* 3 to 8"),
        ("players=9", "3 to 8"),
        ("players=", "3 to 8"),
        ("players=5:0", "numbers with weights"),
        ("players=5:1/5:2", "numbers with weights"),
        ("players=6-4", "a range"),
        ("players=five", "3 to 8"),
        ("players=5:-1", "."),
        ("cards=0", "1 to 13"),
        ("cards=14", "1 to 13"),
        ("players=8,cards=7", "8 players, who can have at most 6"),
        ("play=games,players=6,highest=9", "6 players can have at most 8"),
        ("play=games,highest=0", "1 to 13"),
        ("play=games,cards=5", "play=rounds"),
        ("highest=5", "play=games"),
        ("play=both", "rounds or games"),
        ("dealer=loose", "bound or free"),
        ("trumps=", "letters"),
        ("trumps=sx", "letters"),
        ("colour=red", "no option 'colour=red'"),
        ("players", "3 to 8"),
        ("cards=1e3", "1 to 13"),
        ("players=99999999999999999999", "3 to 8"),
    ],
)
def test_a_bad_option_is_one_sentence(options, says):
    with pytest.raises(GameError, match=says) as caught:
        _core.game(f"blob:{options}")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_impossible_deals_bids_and_plays_are_one_sentence():
    game = _core.game("blob:players=5,cards=5")
    state = game.initial()
    other = _core.game("blob:players=4,cards=5").initial()
    for outcome in (-1, 2**31 - 1, other.draw(1)):
        with pytest.raises(GameError, match=f"Outcome {outcome} cannot happen here"):
            state.apply_outcome(outcome)
    with pytest.raises(GameError, match="too many to be listed"):
        state.outcomes()
    with pytest.raises(GameError, match="too many to be counted"):
        _core.perft(state, 1)
    state.apply_outcome(state.draw(1))
    for action in (-1, 0, 58, 66):
        with pytest.raises(GameError, match=f"Action {action} is illegal"):
            state.apply(action)
    for seat, says in (
        (5, "empty: this game has 5 players"),
        (8, "not one of 0..7"),
        (-1, "not one"),
    ):
        with pytest.raises(GameError, match=says):
            state.sample_world(seat, 1)
    with pytest.raises(GameError, match="has none"):
        _core.game("yatzy").initial().sample_world(0, 1)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_bytes_are_refused_in_one_sentence_or_playable(data):
    game = _core.game("blob:players=3-8,cards=1-13")
    state = game.initial()
    seed = data.draw(st.integers(0, 10_000))
    chooser = random.Random(seed)
    state.apply_outcome(state.draw(seed))
    for _ in range(data.draw(st.integers(0, 20))):
        if state.kind == "decision":
            state.apply(chooser.choice(state.legal().tolist()))
    packed = bytearray(state.packed())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(packed) - 1))
        packed[at] = data.draw(st.integers(0, 255))
    try:
        again = game.state(bytes(packed))
    except GameError as error:
        again, sentence = None, str(error)
    if again is None:
        assert sentence.startswith("These bytes are no position of Blob: ")
        assert sentence.endswith(".")
        return
    while again.kind == "decision":
        again.apply(chooser.choice(again.legal().tolist()))
    assert again.kind == "terminal"


# ---- hidden cards ------------------------------------------------------------


def test_what_a_seat_cannot_see_never_shows():
    """Equal private keys and one public history: equal observations, choices and evidence."""
    game = _core.game("blob:players=3-6,cards=1-9")
    worlds = different = 0
    for seed in range(30):
        chooser = random.Random(seed)
        state = game.initial()
        state.apply_outcome(state.draw(seed))
        while state.kind == "decision":
            for seat in range(state.players):
                world, rejected = state.sample_world(seat, chooser.getrandbits(63))
                assert 0 <= rejected <= 16
                assert world.private_key(seat) == state.private_key(seat)
                assert np.array_equal(world.observe(seat), state.observe(seat))
                if seat == state.seat:
                    assert np.array_equal(world.legal(), state.legal())
                ours, theirs = Table.of(state), Table.of(world)
                others = [s for s in range(state.players) if s != seat]
                same = all(ours.hands[s] == theirs.hands[s] for s in others)
                keys = all(state.private_key(s) == world.private_key(s) for s in others)
                assert same == keys
                worlds, different = worlds + 1, different + (not same)
            state.apply(chooser.choice(state.legal().tolist()))
    assert worlds > 2000 and different > 1500


def test_a_world_follows_its_seed():
    state = _core.game("blob:players=5,cards=7").initial()
    state.apply_outcome(state.draw(1))
    packed = [state.sample_world(2, seed)[0].packed() for seed in (4, 4, 5)]
    assert packed[0] == packed[1] != packed[2]
