"""Blob for people: options, notation, positions, drawings, pictures."""

import itertools
from xml.etree import ElementTree

import pytest
from tests.games.blob_walks import walk

from ludus.errors import GameError, PlayerError
from ludus.games import get_game
from ludus.games.blob_cards import (
    BID,
    CARDS,
    RANK_NAMES,
    SUIT_NAMES,
    SYMBOLS,
    Table,
    card_text,
    cards_of,
    find_card,
    winning_place,
)
from ludus.games.blob_svg import table_svg
from ludus.games.blob_table import card_symbol
from ludus.games.blob_variant import Variant

SPECS = (
    "blob",
    "blob:players=3,cards=13",
    "blob:players=8,cards=6,dealer=free",
    "blob:players=4,play=games,highest=3,trumps=hn",
)
WALKS = [(spec, walk(spec, seed)) for spec in SPECS for seed in range(4)]
STATES = [(spec, state) for spec, steps in WALKS for state, _ in steps]
GAME = get_game("blob:players=4,play=games,highest=2")
PLAY = "play 4x2s 3 0 1,1,0,1 0,0,0,0 0,0,0,0 AsKh/Qs2d/9c3c/JhTd - -,-,-,- 0:-"


def at(text, spec="blob:players=4,play=games,highest=2"):
    return get_game(spec).parse_position(text)


# ---- options -------------------------------------------------------------------------------------


def test_a_specification_is_one_entry_however_it_is_written():
    entry = get_game("blob: cards=3-5 ,players=4")
    assert entry.source == "blob:players=4,cards=3-5"
    assert entry is get_game(entry.source)
    assert get_game("blob:") is get_game("blob")
    assert (entry.name, entry.units, entry.players_of_a_game) == ("blob", "rounds", (4,))
    assert get_game("blob").players_of_a_game == (4, 5, 6)
    assert get_game("blob:players=3:1/8:0").players_of_a_game == (3,)
    assert GAME.units == "games"
    assert get_game("yatzy").players_of_a_game == (2,)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("blob:player=4", "no option 'player'; its options are players, play, cards"),
        ("blob:players", "option players of blob has no value"),
        ("blob:players=4,players=5", "option players of blob is given twice"),
        ("blob:players=9", "players=9 of blob must be a number from 3 to 8"),
        ("blob:players=8,cards=7", "leaves nothing for 8 players, who can have at most 6 cards"),
        ("blob:play=games,players=8,highest=7", "8 players can have at most 6 cards"),
        ("blob:cards=5,play=games", "Option cards of blob is for play=rounds"),
        ("blob:trumps=sx", "letters s, h, c, d and n"),
        ("othello:size=6", "the game othello has no options, so 'size=6' means nothing"),
    ],
)
def test_options_that_are_none(spec, sentence):
    with pytest.raises(GameError, match=sentence):
        get_game(spec)


# ---- cards and actions ---------------------------------------------------------------------------


@pytest.mark.parametrize("card", [0, 8, 10, 12, 13, 34, 51])
def test_cards_as_people_write_them(card):
    rank, suit = RANK_NAMES[card % 13], SUIT_NAMES[card // 13]
    short = card_text(card)
    ten = short.replace("T", "10")
    for text in (
        *(
            short,
            short.upper(),
            short[::-1],
            ten,
            card_symbol(card),
            short[0] + SYMBOLS[card // 13],
        ),
        *(f"{rank} of {suit}", f"{suit} {rank}", f"the {rank.title()} of {suit.title()}"),
        f"{short[0]} {suit}",
    ):
        assert find_card(text) == card, text


def test_every_card_has_its_own_text():
    assert [find_card(card_text(card)) for card in range(CARDS)] == list(range(CARDS))
    assert find_card("Xs") is find_card("queen") is find_card("") is find_card("1s") is None


def test_actions_read_back_in_every_state():
    for spec, state in STATES:
        entry = get_game(spec)
        if state.kind == "decision":
            for action in state.legal().tolist():
                text = entry.action_text(state, action)
                assert entry.parse_action(state, text) == action
                assert entry.parse_action(state, f"#{action}") == action


def test_bids_and_ranks_by_themselves():
    bidding = at("bid 4x2s 3 0 -,-,-,- 0,0,0,0 0,0,0,0 AsKh/Qs2d/9c3c/JhTd - -,-,-,- 0:-")
    assert GAME.parse_action(bidding, "2") == GAME.parse_action(bidding, " Bid 2 ") == BID + 2
    playing = at(PLAY)
    assert card_text(GAME.parse_action(playing, "k")) == "Kh"
    assert card_text(GAME.parse_action(playing, "play ace")) == "As"


@pytest.mark.parametrize(
    ("state", "text", "sentence"),
    [
        ("bid", "3", "a bid of 3 is too high: there are 2 tricks"),
        ("bid", "As", "time to bid, not to play a card; bids are 0 to 2"),
        ("bid", "bid x", "'bid x' is no bid"),
        ("bid", "hello", "'hello' is no action; write a bid such as '2'"),
        ("dealer", "0", "the dealer may not bid 0 here: the bids would sum to 2"),
        ("play", "bid 1", "the bids are made; play a card"),
        ("play", "Qs", "seat 0 does not hold Qs"),
        ("play", "7", "'7' is no action; write a card such as 'Qs'"),
        ("play", "#99", "action 99 does not exist"),
        ("follow", "2d", "2d is illegal: spades were led and must be followed"),
        ("two", "a", "'a' may mean As or Ac; write the suit too"),
        ("over", "As", "the game is over; nothing to decide"),
    ],
)
def test_actions_that_are_none(state, text, sentence):
    hands = "AsKh/Qs2d/9c3c/JhTd"
    position = {
        "bid": f"bid 4x2s 3 0 -,-,-,- 0,0,0,0 0,0,0,0 {hands} - -,-,-,- 0:-",
        "dealer": f"bid 4x2s 3 0 1,1,0,- 0,0,0,0 0,0,0,0 {hands} - -,-,-,- 0:-",
        "play": PLAY,
        "follow": "play 4x2s 3 0 1,1,0,1 0,0,0,0 0,0,0,0 Kh/Qs2d/9c3c/JhTd - -,-,-,- 0:As",
        "two": "play 4x2s 3 0 1,1,0,1 0,0,0,0 0,0,0,0 AsAc/Qs2d/9c3c/JhTd - -,-,-,- 0:-",
        "over": "over 4x2s 3 5 1,1,0,1 2,0,0,0 0,0,10,0 -/-/-/- AsKh/Qs2d/9c3c/JhTd -,-,-,- 0:-",
    }[state]
    with pytest.raises(GameError, match=sentence):
        GAME.parse_action(at(position), text)


def test_the_winner_of_a_trick_is_the_rules_winner():
    for _, steps in WALKS:
        for (before, action), (after, _) in itertools.pairwise(steps):
            t = Table.of(before)
            if t.phase == "play" and len(t.trick) == t.players - 1:
                place = winning_place((*t.trick, action), t.trump)
                assert (
                    Table.of(after).won[t.after(t.leader, place)] > t.won[t.after(t.leader, place)]
                )


# ---- positions -----------------------------------------------------------------------------------


def test_positions_read_back_byte_for_byte():
    for spec, state in STATES:
        entry = get_game(spec)
        text = entry.position_text(state)
        assert "\n" not in text
        assert entry.parse_position(text).packed() == state.packed(), text
        assert Table.of(state).packed() == state.packed()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (" 0:-", "", "has 10 words; it must be 'start', or have 11"),
        ("play", "deal", "0 of 2 tricks are over, so deal is not next"),
        ("play", "think", "'think' must be bid, play, deal or over"),
        ("4x2s", "4x14s", "14 cards cannot be dealt to 4 players: each can have 1 to 13"),
        ("4x2s", "9x2s", "the number of players is '9'; it must lie in 3..8"),
        ("4x2s", "4x2x", "must be players x cards and the trump"),
        (" 3 0 ", " 4 0 ", "the dealer is '4'; it must lie in 0..3"),
        (" 3 0 ", " 3 1 ", "round 1 of 4 players has 1 cards each"),
        (" 3 0 ", " 3 9 ", "a game of 4 has the rounds 0 to 5"),
        ("1,1,0,1", "1,1,0,0", "the bids sum to the 2 cards, which the dealer may not do"),
        ("1,1,0,1", "1,1,0,3", "the bid of seat 3 is '3'; it must lie in 0..2"),
        ("1,1,0,1", "1,1,0", "4 players must have 4 bids"),
        ("1,1,0,1", "1,-,0,1", "the bids come in turn, left of the dealer first"),
        ("1,1,0,1", "1,1,0,-", "bids are missing, so the first word must be bid"),
        ("AsKh", "QsKh", "Qs is in the hand of seat 0 and in the hand of seat 1"),
        ("AsKh", "AsAs", "has As twice"),
        ("AsKh", "As1h", "'1h' is no card; cards are like Qs"),
        ("AsKh", "As", "seat 0 holds 1 cards; it must hold 2"),
        (
            " - -,-",
            " -/5h/-/- -,-",
            "seat 1 has played 1 cards, but by the tricks",
        ),
        ("-,-,-,- 0:-", "-,-,c,- 0:-", "seat 2 holds 3c, a suit that it lacks"),
        ("0:-", "0:5h", "seat 0 holds 2 cards; it must hold 1"),
        (" - -,-", " -/-/- -,-", "4 players must have 4 sets of cards played"),
        (
            "Kh/Qs2d/9c3c/JhTd -",
            "/Qs2d/9c3c/JhTd Kh/-/-/-",
            "seat 0 has played 1 cards, but by the",
        ),
        ("-,-,-,- 0:-", "-,-,-,- 1:-", "it is another seat's turn"),
        ("4x2s", "4x2h", "a round that the options of the game do not have"),
        ("0:-", "0", "must be the leader's seat and cards"),
    ],
)
def test_positions_that_are_none(old, new, sentence):
    assert at(PLAY).kind == "decision"
    with pytest.raises(GameError, match=sentence):
        at(PLAY.replace(old, new, 1))


def test_a_free_dealer_may_bid_what_is_left():
    text = PLAY.replace("1,1,0,1", "1,1,0,0")
    assert at(text, "blob:players=4,cards=2,dealer=free").kind == "decision"
    with pytest.raises(GameError, match="each round is a game"):
        at(text.replace(" 3 0 ", " 3 2 "), "blob:players=4,cards=2,dealer=free")


# ---- drawings ------------------------------------------------------------------------------------


def test_a_seat_sees_no_more_than_it_may():
    """Drawing and picture are the same for every world that the seat cannot tell apart."""
    seen = 0
    for spec, state in STATES[::2]:
        entry, variant = get_game(spec), Variant.of(spec.partition(":")[2])
        if state.kind != "decision":
            continue
        for seat in (state.seat, (state.seat + 1) % state.players):
            world = state.sample_world(seat, 5)[0]
            seen += world.packed() != state.packed()
            assert entry.drawing(world, seat) == entry.drawing(state, seat)
            assert table_svg(variant, world, seat=seat) == table_svg(variant, state, seat=seat)
    assert seen > 100


def test_an_open_table_shows_every_hand():
    state = at(PLAY)
    text = GAME.drawing(state, None)
    for hand in Table.of(state).hands:
        for card in cards_of(hand):
            assert card_symbol(card)[1:] in text
    assert "seat 2     ♣ 9 3" in text


def test_a_table_says_what_a_player_wants_to_know():
    text = GAME.render(at(PLAY.replace("Kh", "Ks").replace("-,-,-,-", "-,hc,-,-")))
    assert text.splitlines() == [
        "Round 1 of 6: 2 cards each, spades ♠ are trump. You to play, trick 1 of 2.",
        "",
        "              bid  tricks  points",
        "  > you         1       0       0",
        "    seat 1      1       0       0  has no ♥ ♣",
        "    seat 2      0       0       0",
        "    seat 3      1       0       0  dealer",
        "    all         3 of 2 tricks, 1 too many",
        "",
        "  trick      you lead",
        "  your hand  ♠ A K",
        "  you may    play Ks, As",
    ]
    dealer = at("bid 4x2s 3 0 1,1,0,- 0,0,0,0 0,0,0,0 AsKh/Qs2d/9c3c/JhTd - -,-,-,- 0:-")
    assert "you may    bid 0 to 2, not 0 (the sum would be 2)" in GAME.render(dealer)


def test_pictures_are_xml_and_stand_alone():
    for spec, steps in WALKS:
        entry, variant = get_game(spec), Variant.of(spec.partition(":")[2])
        for state, _ in steps[::7]:
            assert entry.picture(state).startswith("<svg")
            ElementTree.fromstring(table_svg(variant, state, seat=None, standalone=True))
            picture = table_svg(variant, state, seat=0, standalone=True)
            assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
            assert "href" not in picture


def test_the_picture_of_the_manual_is_what_is_drawn(repository):
    spec = "blob:players=5,play=games,highest=7"
    state = at(
        "play 5x5c 4 2 1,1,0,0,1 0,0,0,0,1 0,10,23,0,23 9c7cKd/4sJc4c/JsQh9h8c/Ks8s6h5h/Kh7h4h "
        "5d/Ad/8d/Td/5c h,-,-,-,d 4:3hQdJh",
        spec,
    )
    drawn = table_svg(Variant.of(spec.partition(":")[2]), state, seat=2, standalone=True)
    stored = (repository / "docs/images/blob-table.svg").read_text("utf-8")
    assert stored == f"{drawn}\n"


# ---- looking into positions ----------------------------------------------------------------------


def test_a_position_is_not_searched_with_its_hidden_cards():
    """A search from a position by itself would see all hands: it is refused, in a sentence."""
    from ludus.monitor.inspect.position import describe_position
    from ludus.monitor.inspect.searching import search_position
    from ludus.players import parse_player

    state = at(PLAY)
    searching, thumb = (parse_player(spec, GAME) for spec in ("uniform:sims=4", "rules"))
    document = describe_position(GAME, state, searching)
    assert "search" not in document
    assert "inspect game RUN GAME" in document["not_searched"]
    assert len(document["scores"]) == 4
    assert describe_position(GAME, state, thumb)["search"]["text"] in ("As", "Kh")
    with pytest.raises(PlayerError, match="where cards are hidden"):
        search_position(GAME, state, searching)
