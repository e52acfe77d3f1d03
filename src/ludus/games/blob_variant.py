"""What the options of Blob change for people: rounds or games, how many cards, the dealer's bid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ludus import _core
from ludus.games.blob_cards import TRUMPS, Table, most_cards
from ludus.games.registry import option_text

OPTIONS: Mapping[str, str] = {
    "players": "5, 4-6, or numbers with weights 4:15/5:70/6:15 (the default)",
    "play": "rounds: each is a game by itself (the default); games: whole ones",
    "cards": "of a round, 5, 1-7 (the default), or numbers with weights; play=rounds only",
    "highest": "most cards of a game, by default 7; play=games only",
    "trumps": "letters of shcdn, by default all: in games their order, in rounds those drawn",
    "dealer": "bound (the default): it may not make the bids sum to the cards; free: it may",
}
"""In the order in which a specification is written."""

_HIGHEST = 7


@dataclass(frozen=True)
class Variant:
    """A game with its options, as far as people see them.

    Attributes:
        rules: the compiled rules.
        options: the text behind the colon, in its one order.
        games: whether a game is many rounds.
        highest: most cards of a game's rounds.
        trumps: in games the trump of each round, repeated; else those that are drawn.
        bound: whether the dealer may not make the bids sum to the cards.
        players: numbers of players, ascending.
    """

    rules: _core.Game
    options: str
    games: bool
    highest: int
    trumps: tuple[int, ...]
    bound: bool
    players: tuple[int, ...]

    @classmethod
    def of(cls, options: str) -> Variant:
        """The game with these options.

        Raises:
            GameError: they are none; the sentence names the one and what it may be.
        """
        text = option_text("blob", options, OPTIONS)
        rules = _core.game(f"blob:{text}" if text else "blob")
        given = dict(part.split("=", 1) for part in text.split(",")) if text else {}
        return cls(
            rules=rules,
            options=text,
            games=given.get("play") == "games",
            highest=int(given.get("highest", _HIGHEST)),
            trumps=tuple(map(TRUMPS.index, given.get("trumps", TRUMPS))),
            bound=given.get("dealer") != "free",
            players=_numbers(given.get("players", "4-6")),
        )

    def rounds(self, players: int) -> tuple[int, ...]:
        """Cards of each round of a game of so many players."""
        most = min(self.highest, most_cards(players))
        down = range(most, 1, -1)
        return (*down, *(1,) * players, *reversed(down))

    def forbidden_bid(self, table: Table) -> int | None:
        """The bid that the dealer may not make; None before it is its turn, or where all go."""
        others = [bid for seat, bid in enumerate(table.bids) if seat != table.dealer]
        known = [bid for bid in others if bid is not None]
        left = table.cards - sum(known)
        forbids = self.bound and table.players > 0 and len(known) == len(others)
        return left if forbids and left >= 0 else None


def _numbers(value: str) -> tuple[int, ...]:
    """Numbers of players in a value that the rules have accepted, without those of weight 0."""
    first, dash, last = value.partition("-")
    if dash:
        return tuple(range(int(first), int(last) + 1))
    parts = [part.split(":") for part in value.split("/")]
    return tuple(sorted(int(part[0]) for part in parts if int(part[-1]) > 0))
