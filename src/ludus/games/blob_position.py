"""Blob positions as one line of text.

The start, before the first deal, is ``start``. All others have eleven words::

    play 4x3h 3 0 1,0,2,1 1,0,0,0 0,0,0,0 As9s/2hJd/4c3d/KcAd Kh/5h/3h/Qh -,-,-,- 0:-

1. what comes next: ``bid``, ``play``, ``deal`` (between two rounds) or ``over``,
2. players, cards dealt to each, trump (``s``, ``h``, ``c``, ``d``, ``n`` for none),
3. the dealer's seat,
4. the number of the round in the game, from 0; always 0 where each round is a game,
5. bids by seat, ``-`` before; 6. tricks taken; 7. points of the rounds that are over,
8. the hands by seat, 9. by seat the cards of the round that it played before this trick, ``-`` as
long as there are none,
10. by seat the suits that everybody has seen that it lacks, 11. the leader of the trick, and its
cards in the order played.

A hand, or any other set of cards, is a word such as ``AsTs4h``, and ``-`` without cards. The line
holds all hands: it is for records and questions, not for a table with people.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from ludus import _core
from ludus.errors import GameError
from ludus.games.blob_cards import (
    FEWEST,
    MOST,
    SUITS,
    TRUMPS,
    Table,
    card_text,
    cards_of,
    hand_text,
    mask_of,
    most_cards,
    parse_cards,
    suit_of,
)
from ludus.games.blob_variant import Variant

START = "start"
_RULES_SAY = "These bytes are no position of Blob: "
_EXAMPLE = "play 4x2s 3 0 1,1,0,1 0,0,0,0 0,0,0,0 AsKh/Qs2d/9c3c/JhTd - -,-,-,- 0:-"


def position_text(state: _core.State) -> str:
    """The state in one line (see the module)."""
    t = Table.of(state)
    if t.players == 0:
        return START
    before = [hand_text(cards_of(laid & ~mask_of(t.trick))) for laid in t.laid]
    words = [
        t.phase,
        f"{t.players}x{t.cards}{TRUMPS[t.trump]}",
        str(t.dealer),
        str(t.round),
        ",".join("-" if bid is None else str(bid) for bid in t.bids),
        ",".join(map(str, t.won)),
        ",".join(map(str, t.totals)),
        "/".join(hand_text(cards_of(hand)) for hand in t.hands),
        "/".join(before) if any(t.won) else "-",
        ",".join(_suits_text(voids) for voids in t.voids),
        f"{t.leader}:{''.join(map(card_text, t.trick)) or '-'}",
    ]
    return " ".join(words)


def _suits_text(voids: int) -> str:
    return "".join(letter for suit, letter in enumerate(SUITS) if voids >> suit & 1) or "-"


def parse_position(variant: Variant, text: str) -> _core.State:
    """The state of a line written by :func:`position_text`.

    Args:
        variant: the game.
        text: the line.

    Raises:
        GameError: the line has another form, or no game comes to this state: what is wrong there,
            and what would be right.
    """
    words = text.split()
    if words == [START]:
        return variant.rules.initial()
    if len(words) != 11:
        raise GameError(
            f"position {text!r} has {len(words)} words; it must be {START!r}, or have 11, such as "
            f"{_EXAMPLE!r}"
        )
    try:
        table = _table(words)
        _require_sound(variant, table)
        return variant.rules.state(replace(table, seat=_to_move(table)).packed())
    except GameError as error:
        why = str(error).removesuffix(".").removeprefix(_RULES_SAY)
        raise GameError(f"position {text!r}: {why}") from None


def _table(words: list[str]) -> Table:
    phase, setup, dealer, game_round, bids, won, totals, hands, played, voids, trick = words
    if phase not in ("bid", "play", "deal", "over"):
        raise GameError(f"{phase!r} must be bid, play, deal or over")
    players, cards, trump = parse_setup(setup)
    leader, colon, in_trick = trick.partition(":")
    if not colon:
        raise GameError(f"the trick {trick!r} must be the leader's seat and cards, such as 2:QsKs")
    on_table = parse_cards(in_trick, "the trick")
    lead = number(leader, "the leader", 0, players - 1)
    if len(on_table) >= players:
        raise GameError("the trick is full; it must be taken")
    before = ["-"] * players
    if played != "-":
        before = _each(played, "/", players, "sets of cards played")
    laid = [
        mask_of(parse_cards(cards, f"what seat {seat} played")) for seat, cards in enumerate(before)
    ]
    for i, card in enumerate(on_table):
        if any(cards >> card & 1 for cards in laid):
            raise GameError(f"{card_text(card)} is in the trick and was played before it")
        laid[(lead + i) % players] |= 1 << card
    return Table(
        hands=tuple(
            mask_of(parse_cards(hand, f"the hand of seat {seat}"))
            for seat, hand in enumerate(_each(hands, "/", players, "hands"))
        ),
        laid=tuple(laid),
        totals=_numbers(totals, players, "points", 30_000),
        trick=on_table,
        bids=tuple(
            None if bid == "-" else number(bid, f"the bid of seat {seat}", 0, cards)
            for seat, bid in enumerate(_each(bids, ",", players, "bids"))
        ),
        won=_numbers(won, players, "tricks", cards),
        voids=tuple(map(_parse_suits, _each(voids, ",", players, "suits lacking"))),
        players=players,
        cards=cards,
        dealer=number(dealer, "the dealer", 0, players - 1),
        trump=trump,
        leader=lead,
        seat=0,
        round=number(game_round, "the round", 0, 99),
        phase=phase,
    )


def parse_setup(word: str) -> tuple[int, int, int]:
    """Players, cards of each and trump of a word such as ``4x3h``.

    Raises:
        GameError: it is none, or the deck has fewer cards.
    """
    players, cross, rest = word.partition("x")
    if not cross or rest[-1:] not in TRUMPS or not rest:
        raise GameError(
            f"{word!r} must be players x cards and the trump of {TRUMPS!r}, such as 4x3h"
        )
    count = number(players, "the number of players", FEWEST, MOST)
    most = most_cards(count)
    if not rest[:-1].isdecimal() or not rest[:-1].isascii() or not 1 <= int(rest[:-1]) <= most:
        raise GameError(
            f"{rest[:-1] or 'no number of'} cards cannot be dealt to {count} players: each can "
            f"have 1 to {most}"
        )
    return count, int(rest[:-1]), TRUMPS.index(rest[-1])


def number(text: str, what: str, low: int, high: int) -> int:
    """A whole number in a range.

    Raises:
        GameError: it is none.
    """
    digits = text.isdecimal() and text.isascii() and len(text) <= 6
    if not digits or not low <= int(text) <= high:
        raise GameError(f"{what} is {text!r}; it must lie in {low}..{high}")
    return int(text)


def _each(text: str, between: str, players: int, what: str) -> list[str]:
    parts = text.split(between)
    if len(parts) != players:
        raise GameError(f"{players} players must have {players} {what}, not {text!r}")
    return parts


def _numbers(text: str, players: int, what: str, high: int) -> tuple[int, ...]:
    return tuple(
        number(part, f"the {what} of seat {seat}", 0, high)
        for seat, part in enumerate(_each(text, ",", players, what))
    )


def _parse_suits(text: str) -> int:
    letters = "" if text == "-" else text
    if not text or any(letter not in SUITS for letter in letters):
        raise GameError(f"suits lacking are letters of {SUITS!r} or '-', not {text!r}")
    return mask_of({SUITS.index(letter) for letter in letters})


def _require_sound(variant: Variant, t: Table) -> None:
    """Say what no game comes to; the rules look at the rest."""
    places = [
        *((f"the hand of seat {seat}", hand) for seat, hand in enumerate(t.hands)),
        *((f"what seat {seat} played", cards) for seat, cards in enumerate(t.laid)),
    ]
    for (one, cards), (other, theirs) in itertools.combinations(places, 2):
        if both := cards & theirs:
            raise GameError(f"{card_text(cards_of(both)[0])} is in {one} and in {other}")
    done = sum(t.won)
    in_trick = set(t.trick_seats())
    for seat in range(t.players):
        played = done + (seat in in_trick)
        if t.laid[seat].bit_count() != played:
            raise GameError(
                f"seat {seat} has played {t.laid[seat].bit_count()} cards, but by the tricks "
                f"taken it must be {played}"
            )
        if t.hand_size(seat) != t.cards - played:
            raise GameError(
                f"seat {seat} holds {t.hand_size(seat)} cards; it must hold {t.cards - played}"
            )
    order = [t.after(t.dealer, i + 1) for i in range(t.players)]
    made: list[bool] = [t.bids[seat] is not None for seat in order]
    if made != sorted(made, reverse=True):
        raise GameError("the bids come in turn, left of the dealer first; one is left out")
    if t.phase == "bid" and all(made):
        raise GameError("nobody is left to bid; the first word must be play")
    if t.phase != "bid" and not all(made):
        raise GameError("bids are missing, so the first word must be bid")
    if all(made) and t.bids[t.dealer] == variant.forbidden_bid(t):
        raise GameError(
            f"the bids sum to the {t.cards} cards, which the dealer may not do (dealer=bound)"
        )
    if (done == t.cards) != (t.phase in ("deal", "over")):
        raise GameError(f"{done} of {t.cards} tricks are over, so {t.phase} is not next")
    _require_round(variant, t)
    for seat, (hand, voids) in enumerate(zip(t.hands, t.voids, strict=True)):
        for card in cards_of(hand):
            if voids >> suit_of(card) & 1:
                raise GameError(f"seat {seat} holds {card_text(card)}, a suit that it lacks")


def _require_round(variant: Variant, t: Table) -> None:
    """The round must be one of the game's, with its number of cards."""
    if not variant.games:
        if t.round or t.phase == "deal":
            raise GameError("each round is a game (play=rounds): the round is 0, no deal follows")
        return
    rounds = variant.rounds(t.players)
    # Between two rounds the number is already that of the coming one.
    last = t.round - (t.phase == "deal")
    if not 0 <= last < len(rounds) or (t.phase == "over") > (last == len(rounds) - 1):
        raise GameError(
            f"round {t.round} cannot be here: a game of {t.players} has the rounds 0 to "
            f"{len(rounds) - 1}"
        )
    if rounds[last] != t.cards:
        raise GameError(f"round {last} of {t.players} players has {rounds[last]} cards each")


def _to_move(t: Table) -> int:
    """The seat whose turn it is, which follows from the rest."""
    if t.phase == "play":
        return t.after(t.leader, len(t.trick))
    if t.phase == "deal":
        return t.after(t.dealer)
    if t.phase == "over":
        return t.leader
    first = t.after(t.dealer)
    if t.leader != first:
        raise GameError(f"the leader is seat {t.leader}; while bids are made it is seat {first}")
    return t.after(first, sum(bid is not None for bid in t.bids))
