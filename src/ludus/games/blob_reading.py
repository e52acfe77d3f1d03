"""Reads transcripts of Blob line by line, and says of each line what is wrong with it.

What transcripts look like stands in :mod:`ludus.games.blob_records`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ludus import _core
from ludus.errors import GameError
from ludus.games.blob_cards import (
    BID,
    CARDS,
    NO_TRUMP,
    SUIT_NAMES,
    Table,
    cards_of,
    find_card,
    hand_text,
    mask_of,
    most_cards,
    parse_cards,
)
from ludus.games.blob_notation import illegal
from ludus.games.blob_variant import Variant

Line = tuple[int, str]
"""A line's number in the file and its text."""

_ROUND = re.compile(
    r"round (?P<round>\d{1,3}): (?:deal (?P<deal>\d{1,10}), )?(?P<players>\d{1,2}) players, "
    r"(?P<cards>\d{1,2}) cards?, trump (?P<trump>spades|hearts|clubs|diamonds|none), "
    r"dealer (?P<dealer>\d)"
)
_ROUND_EXAMPLE = "round 1: deal 83520147, 4 players, 2 cards, trump spades, dealer 3"
_TRICK = re.compile(r"trick (?P<trick>\d{1,2}): (?P<cards>.*?),? seat (?P<taker>\d) takes it")
_TRICK_EXAMPLE = "trick 1: 0=As 1=Qs 2=3c 3=Td, seat 0 takes it"
_PAIR = re.compile(r"(?P<seat>\d)=(?P<what>\S+)")


def split_games(text: str) -> list[list[Line]]:
    """The lines of each game, from its line ``game N`` on.

    Raises:
        GameError: something stands before the first game.
    """
    games: list[list[Line]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if re.fullmatch(r"game( \d+)?", line):
            games.append([(number, line)])
        elif games:
            games[-1].append((number, line))
        else:
            raise GameError(f"line {number}: {line[:40]!r} stands before the first line 'game 1'")
    return games


class Reader:
    """The lines of one game, taken one after the other.

    Args:
        lines: of the game, the first one ``game N``.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._next = 1

    @property
    def done(self) -> bool:
        """Whether no line is left."""
        return self._next >= len(self._lines)

    def error(self, sentence: str, *, ahead: bool = False) -> GameError:
        """An error about the line that was read last, or about the coming one."""
        at = min(self._next - (not ahead), len(self._lines) - 1)
        return GameError(f"line {self._lines[at][0]}: {sentence}")

    def _take(self, keyword: str, example: str) -> str:
        """The coming line, which must begin with a keyword."""
        if self.done:
            raise self.error(f"the game ends here, but a line like {example!r} must follow")
        self._next += 1
        line = self._lines[self._next - 1][1]
        if not line.startswith(keyword):
            raise self.error(f"{line[:40]!r} stands where a line like {example!r} must be")
        return line

    def _has(self, keyword: str) -> bool:
        return not self.done and self._lines[self._next][1].startswith(keyword)

    def options(self, variant: Variant) -> Variant:
        """The game that the text names, or else the given one."""
        if not self._has("options:"):
            return variant
        text = self._take("options:", "").removeprefix("options:").strip()
        try:
            return Variant.of(text)
        except GameError as error:
            raise self.error(str(error)) from None

    def names(self) -> tuple[str, ...]:
        """The players by seat; none where they are not named."""
        if not self._has("seats:"):
            return ()
        line = self._take("seats:", "")
        found = self._pairs(line.removeprefix("seats:"), "0=anna 1=search", None)
        if [seat for seat, _ in found] != list(range(len(found))):
            raise self.error("seats must be named in order from 0, such as 0=anna 1=search")
        return tuple(name for _, name in found)

    def _pairs(self, text: str, example: str, count: int | None) -> list[tuple[int, str]]:
        words = text.split()
        found = [_PAIR.fullmatch(word) for word in words]
        for word, match in zip(words, found, strict=True):
            if match is None:
                raise self.error(f"{word!r} must be a seat and what it has, such as in {example!r}")
        if count is not None and len(words) != count:
            raise self.error(
                f"{count} seats must be there, not {len(words)}: {text.strip()[:60]!r}"
            )
        return [(int(match["seat"]), match["what"]) for match in found if match is not None]

    # -- a round -----------------------------------------------------------------------------------

    def deal(
        self, variant: Variant, state: _core.State, number: int
    ) -> tuple[int | None, _core.State]:
        """The number of the coming deal, and the position behind it."""
        line = self._take("round", _ROUND_EXAMPLE)
        found = _ROUND.fullmatch(line)
        if found is None:
            raise self.error(f"{line[:70]!r} must look like {_ROUND_EXAMPLE!r}")
        if int(found["round"]) != number:
            raise self.error(f"this is round {number} of the game, not {found['round']}")
        players, cards, dealer = (int(found[name]) for name in ("players", "cards", "dealer"))
        trump = (*SUIT_NAMES, "none").index(found["trump"])
        self._require_setup(variant, Table.of(state), players, cards, trump, dealer)
        fresh = Table(
            hands=(0,) * players,
            laid=(0,) * players,
            totals=Table.of(state).totals or (0,) * players,
            trick=(),
            bids=(None,) * players,
            won=(0,) * players,
            voids=(0,) * players,
            players=players,
            cards=cards,
            dealer=dealer,
            trump=trump,
            leader=(dealer + 1) % players,
            seat=(dealer + 1) % players,
            round=number - 1,
            phase="bid",
        )
        dealt = self._dealt(state, fresh, found["deal"])
        hands = self._hands(fresh)
        if dealt is None:
            made = replace(fresh, hands=hands)
            return None, variant.rules.state(made.packed())
        for seat, (own, right) in enumerate(zip(hands, Table.of(dealt).hands, strict=True)):
            if own != right:
                told, held = hand_text(cards_of(own)), hand_text(cards_of(right))
                raise self.error(f"deal {found['deal']} gives seat {seat} {held}, not {told}")
        return int(found["deal"]), dealt

    def _require_setup(
        self, variant: Variant, before: Table, players: int, cards: int, trump: int, dealer: int
    ) -> None:
        """The game must have such a round, and have it now."""
        if players not in variant.players:
            known = ", ".join(map(str, variant.players))
            raise self.error(f"{players} players are not those of the game, which has {known}")
        if not 1 <= cards <= most_cards(players):
            raise self.error(
                f"{cards} cards cannot be dealt to {players} players: each can have 1 to "
                f"{most_cards(players)}"
            )
        if dealer >= players:
            raise self.error(f"dealer {dealer} is no seat of {players} players")
        if before.players and players != before.players:
            raise self.error(f"{before.players} play this game, not {players}")
        if not variant.games:
            if trump not in variant.trumps:
                raise self.error("a trump that the game's option trumps does not have")
            return
        if before.players and dealer != before.after(before.dealer):
            raise self.error(f"seat {before.after(before.dealer)} deals this round, not {dealer}")
        right = variant.rounds(players)[before.round]
        if cards != right:
            raise self.error(f"round {before.round + 1} has {right} cards each, not {cards}")
        wanted = variant.trumps[before.round % len(variant.trumps)]
        if trump != wanted:
            name = "none" if wanted == NO_TRUMP else SUIT_NAMES[wanted]
            raise self.error(f"the trump of round {before.round + 1} is {name}")

    def _dealt(self, state: _core.State, fresh: Table, deal: str | None) -> _core.State | None:
        """The position behind a numbered deal, which must be that of the line."""
        if deal is None:
            return None
        after = state.copy()
        try:
            after.apply_outcome(int(deal))
        except (GameError, TypeError, OverflowError):
            raise self.error(f"deal {deal} cannot happen here") from None
        if replace(Table.of(after), hands=fresh.hands) != fresh:
            t = Table.of(after)
            name = "none" if t.trump == NO_TRUMP else SUIT_NAMES[t.trump]
            raise self.error(
                f"deal {deal} is one of {t.players} players, {t.cards} cards, trump {name}, dealer "
                f"{t.dealer}"
            )
        return after

    def _hands(self, fresh: Table) -> tuple[int, ...]:
        line = self._take("hands:", "hands: 0=AsKh 1=Qs2d 2=9c3c 3=JhTd")
        found = self._pairs(line.removeprefix("hands:"), "0=AsKh 1=Qs2d", fresh.players)
        hands: list[int] = []
        for seat, (named, word) in enumerate(found):
            if named != seat:
                raise self.error(f"hands come by seat: seat {seat} is next, not {named}")
            try:
                cards = parse_cards(word, f"the hand of seat {seat}")
            except GameError as error:
                raise self.error(str(error)) from None
            if len(cards) != fresh.cards:
                raise self.error(f"seat {seat} has {len(cards)} cards; it must have {fresh.cards}")
            for other, hand in enumerate(hands):
                if both := hand & mask_of(cards):
                    twice = hand_text(cards_of(both))
                    raise self.error(f"seats {other} and {seat} both have {twice}")
            hands.append(mask_of(cards))
        return tuple(hands)

    # -- bids, tricks, points ----------------------------------------------------------------------

    def turn(self, state: _core.State) -> list[int]:
        """The bids, or the cards of a trick; the state moves on with them."""
        t = Table.of(state)
        if t.phase == "bid":
            line = self._take("bids:", "bids: 0=1 1=1 2=0 3=1")
            said = self._pairs(line.removeprefix("bids:"), "0=1 1=0", t.players)
            return [self._apply(state, seat, word) for seat, word in said]
        line = self._take("trick", _TRICK_EXAMPLE)
        found = _TRICK.fullmatch(line)
        if found is None:
            raise self.error(f"{line[:70]!r} must look like {_TRICK_EXAMPLE!r}")
        number = sum(t.won) + 1
        if int(found["trick"]) != number:
            raise self.error(f"this is trick {number} of the round, not {found['trick']}")
        said = self._pairs(found["cards"], "0=As 1=Qs", t.players)
        actions = [self._apply(state, seat, word) for seat, word in said]
        taker = Table.of(state).leader
        if int(found["taker"]) != taker:
            raise self.error(f"seat {taker} takes this trick, not seat {found['taker']}")
        return actions

    def _apply(self, state: _core.State, seat: int, word: str) -> int:
        t = Table.of(state)
        if seat != t.seat:
            what = "bid" if t.phase == "bid" else "play"
            raise self.error(f"seat {t.seat} is to {what}, not seat {seat}")
        if t.phase == "bid":
            number = word.isdecimal() and word.isascii() and len(word) <= 2
            action = BID + int(word) if number else -1
            if action < 0:
                raise self.error(f"{word!r} of seat {seat} is no bid")
        else:
            card = find_card(word)
            if card is None or not 0 <= card < CARDS:
                raise self.error(f"{word!r} of seat {seat} is no card; cards are like Qs")
            action = card
        if why := illegal(state, action):
            raise self.error(why)
        state.apply(action)
        return action

    def result(self, t: Table, points: Sequence[int]) -> None:
        """The lines behind the last trick."""
        self._figures("points", points)
        if self._has("totals:"):
            self._figures("totals", t.totals)

    def _figures(self, name: str, right: Sequence[int]) -> None:
        shown = " ".join(map(str, right))
        line = self._take(f"{name}:", f"{name}: {shown}")
        if line.removeprefix(f"{name}:").split() != shown.split():
            raise self.error(f"the {name} are {shown}")
