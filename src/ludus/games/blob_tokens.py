"""How Blob's observations are cut into tokens; the places are those of ``cpp/games/blob.cpp``.

Tokens are the cards that the mover sees before it, held or in the trick, and the seats in play.
Cards that are gone, and cards that nobody has shown, are not tokens: what is known of them reaches
a network through the whole observation, which it sees as well. A hand of h cards and a trick of t
make h + t tokens, at most 13 + 3 with four players; other numbers of players give fewer.
"""

from __future__ import annotations

from ludus.games.tokens import TokenGroup, TokenLayout

_CARDS = TokenGroup(
    name="cards",
    size=52,
    keep=16,
    features=((0, 1), (104, 1)),  # held; order in the trick
    marks=((0, 1), (104, 1)),
    heads=(("policy", 0),),
)

_SEATS = TokenGroup(
    name="seats",
    size=8,
    keep=8,
    features=(
        (156, 1),  # bid
        (164, 1),  # tricks taken
        (172, 1),  # tricks still wanted
        (180, 4),  # lacks spades, hearts, clubs, diamonds
        (181, 4),
        (182, 4),
        (183, 4),
        (248, 1),  # leads the trick
    ),
    number=(220, 226, 3),
    heads=(("value", 0), ("margin", 0)),
)

LAYOUT = TokenLayout((_CARDS, _SEATS))
"""Cards and seats, seats relative to the mover."""
