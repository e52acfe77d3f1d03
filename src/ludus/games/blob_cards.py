"""Blob's cards, bids and tables as Python sees them: a packed position, unpacked."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from ludus import _core
from ludus.errors import GameError

RANKS = "23456789TJQKA"
SUITS = "shcd"
"""Letters of the suits in the order of the rules; card ``13 * suit + rank``."""

SUIT_NAMES = ("spades", "hearts", "clubs", "diamonds")
RANK_NAMES = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("jack", "queen", "king", "ace"),
)
SYMBOLS = "♠♥♣♦"
TRUMPS = SUITS + "n"
NO_TRUMP = 4
CARDS = 52
BID = 52
"""Action of a bid of 0; actions below are cards."""

MOST_CARDS = 13
SEATS = 8
FEWEST, MOST = 3, 8
"""Players of a game."""

MADE = 10
"""Points for exactly the bid, beside the bid itself."""

# cpp/games/blob.h, State.
_PACKED = struct.Struct("=9Q8h8B8b8B8B9B7x3Q")
_PHASES = ("deal", "bid", "play", "over")


def most_cards(players: int) -> int:
    """Cards that each of so many players can have at most."""
    return min(MOST_CARDS, CARDS // players)


def cards_of(mask: int) -> tuple[int, ...]:
    """The cards of a set in bits, ascending."""
    return tuple(card for card in range(CARDS) if mask >> card & 1)


def mask_of(cards: Iterable[int]) -> int:
    """Cards as a set in bits."""
    return sum(1 << card for card in cards)


def suit_of(card: int) -> int:
    """Its suit, 0 to 3."""
    return card // 13


@dataclass(frozen=True)
class Table:
    """A position: everything that happens in a round, and what remains of those before it.

    Sets of cards are integers in which bit c is card c.

    Attributes:
        hands: cards held, by seat; as many seats as players.
        laid: cards that each seat has played in this round, the current trick included.
        totals: points of the rounds that are over.
        trick: cards of the current trick in the order played.
        bids: None before.
        won: tricks taken.
        voids: bit s: everybody has seen that this seat lacks suit s.
        players: 0 before the first deal.
        cards: dealt to each.
        dealer: who bids last.
        trump: a suit, or 4 for none.
        leader: of the current trick.
        seat: to move; at a deal who deals.
        round: of the game, from 0.
        phase: ``deal``, ``bid``, ``play`` or ``over``.
    """

    hands: tuple[int, ...]
    laid: tuple[int, ...]
    totals: tuple[int, ...]
    trick: tuple[int, ...]
    bids: tuple[int | None, ...]
    won: tuple[int, ...]
    voids: tuple[int, ...]
    players: int
    cards: int
    dealer: int
    trump: int
    leader: int
    seat: int
    round: int
    phase: str

    @classmethod
    def of(cls, state: _core.State) -> Table:
        """The position of a state of this game."""
        f = _PACKED.unpack(state.packed())
        n = f[49]
        return cls(
            hands=f[0:n],
            laid=tuple(_of_seat(seat, f[8], f[58:61]) for seat in range(n)),
            totals=f[9 : 9 + n],
            trick=f[17 : 17 + f[54]],
            bids=tuple(None if bid < 0 else bid for bid in f[25 : 25 + n]),
            won=f[33 : 33 + n],
            voids=f[41 : 41 + n],
            players=n,
            cards=f[50],
            dealer=f[51],
            trump=f[52],
            leader=f[53],
            seat=f[55],
            round=f[56],
            phase=_PHASES[f[57]],
        )

    def packed(self) -> bytes:
        """The bytes that the rules know the position by."""

        def eight(values: Iterable[int], filler: int = 0) -> list[int]:
            return (list(values) + [filler] * SEATS)[:SEATS]

        return _PACKED.pack(
            *eight(self.hands),
            self.played,
            *eight(self.totals),
            *eight(self.trick),
            *eight((-1 if bid is None else bid for bid in self.bids), -1),
            *eight(self.won),
            *eight(self.voids),
            *(self.players, self.cards, self.dealer, self.trump, self.leader, len(self.trick)),
            *(self.seat, self.round, _PHASES.index(self.phase)),
            *(
                sum(cards for seat, cards in enumerate(self.laid) if seat >> bit & 1)
                for bit in range(3)
            ),
        )

    @property
    def played(self) -> int:
        """Cards played in this round, the current trick included."""
        return sum(self.laid)

    def after(self, seat: int, steps: int = 1) -> int:
        """The seat so many places to the left."""
        return (seat + steps) % self.players

    def trick_seats(self) -> list[int]:
        """Who played the cards of the current trick."""
        return [self.after(self.leader, i) for i in range(len(self.trick))]

    def hand_size(self, seat: int) -> int:
        """Cards that a seat holds, which everybody can count."""
        return self.hands[seat].bit_count()


def _of_seat(seat: int, seen: int, by: tuple[int, ...]) -> int:
    """The cards seen of one seat: bit c of ``by[k]`` is bit k of the seat that played card c."""
    for bit, cards in enumerate(by):
        seen &= cards if seat >> bit & 1 else ~cards
    return seen


def winning_place(trick: tuple[int, ...], trump: int) -> int:
    """Place of the card that takes a trick with these cards: the highest trump, else of the led."""
    suits = (trump, suit_of(trick[0]))
    return max(
        range(len(trick)),
        key=lambda i: tuple(trick[i] if suit_of(trick[i]) == suit else -1 for suit in suits),
    )


# -- notation --------------------------------------------------------------------------------------


def card_text(card: int) -> str:
    """``Qs``: the rank, ``2`` to ``9``, ``T``, ``J``, ``Q``, ``K``, ``A``, and the suit."""
    return RANKS[card % 13] + SUITS[card // 13]


def hand_text(cards: Iterable[int]) -> str:
    """Cards by suits, the highest first, in one word: ``AsTs4hKd``; ``-`` for none."""
    ordered = sorted(cards, key=lambda card: (card // 13, -card))
    return "".join(card_text(card) for card in ordered) or "-"


_NAMES = {
    **{letter.lower(): rank for rank, letter in enumerate(RANKS)},
    **{name: rank for rank, name in enumerate(RANK_NAMES)},
    **{str(number): number - 2 for number in range(2, 11)},
}
_SUITS_BY = {
    **{letter: suit for suit, letter in enumerate(SUITS)},
    **{name: suit for suit, name in enumerate(SUIT_NAMES)},
    **{name[:-1]: suit for suit, name in enumerate(SUIT_NAMES)},
    **{symbol: suit for suit, symbol in enumerate(SYMBOLS)},
    **{symbol: suit for suit, symbol in enumerate("♤♡♧♢")},
}
_SUIT_MARK = "[shcd♠♥♣♦♤♡♧♢]"
_SHORT = re.compile(
    rf"(?P<rank>10|[2-9tjqka])(?P<suit>{_SUIT_MARK})|(?P<suit2>{_SUIT_MARK})(?P<rank2>10|[2-9tjqka])"
)


def find_rank(text: str) -> int | None:
    """A rank, 0 to 12, as people write it: ``Q``, ``10``, ``queen``."""
    return _NAMES.get(text.strip().lower())


def find_card(text: str) -> int | None:
    """A card as people write it: ``Qs``, ``QS``, ``♠Q``, ``10h``, ``queen of spades``."""
    word = text.strip().lower().replace("\ufe0f", "")
    words = [one for one in word.split() if one not in ("of", "the")]
    if len(words) == 2:
        for rank, suit in (words, words[::-1]):
            if rank in _NAMES and suit in _SUITS_BY:
                return 13 * _SUITS_BY[suit] + _NAMES[rank]
        return None
    found = _SHORT.fullmatch(word)
    if found is None:
        return None
    rank, suit = found["rank"] or found["rank2"], found["suit"] or found["suit2"]
    return 13 * _SUITS_BY[suit] + _NAMES[rank]


def parse_cards(text: str, what: str) -> tuple[int, ...]:
    """Cards in one word as :func:`hand_text` writes them.

    Args:
        text: the word.
        what: whose cards, for sentences.

    Raises:
        GameError: something in it is no card, or a card stands twice.
    """
    if text == "-":
        return ()
    cards: list[int] = []
    at = 0
    while at < len(text):
        found = _SHORT.match(text.lower(), at)
        card = None if found is None else find_card(found[0])
        if found is None or card is None:
            raise GameError(f"{what} {text!r}: {text[at : at + 2]!r} is no card; cards are like Qs")
        if card in cards:
            raise GameError(f"{what} {text!r} has {card_text(card)} twice")
        cards.append(card)
        at = found.end()
    return tuple(cards)
