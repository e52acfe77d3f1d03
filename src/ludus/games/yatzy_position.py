"""Yatzy positions as one line of text.

Position text, one line with four or five words::

    32767/0/0 32767/0/0 0 ????? 2        the start
    16383/3/3 32767/0/0 1 22356 2        seat 1 has rolled and may reroll twice
    16383/3/3 32767/0/0 1 22??? 1        it kept two twos and is about to roll three dice
    0/63/250 0/41/199 -                  the end

First each seat's card as *free mask/upper total/points*: bit (14 - category) of the mask is set
while the category is free, the upper total is clamped at 63, the points contain the bonus. Then the
seat to move, the five dice (``?`` for those about to be rolled), and the rerolls that are left, at
a roll those left after it.
"""

from __future__ import annotations

from ludus import _core
from ludus.errors import GameError
from ludus.games.yatzy_cards import ALL_FREE, BONUS, UPPER_GOAL, Card, Table, category_bit


def position_text(state: _core.State) -> str:
    """The state in one line (see the module)."""
    table = Table.of(state)
    cards = " ".join(f"{card.free}/{card.upper}/{card.total}" for card in table.cards)
    if table.kind == "terminal":
        return f"{cards} -"
    dice = "".join(map(str, table.dice)).ljust(5, "?")
    return f"{cards} {table.seat} {dice} {table.rerolls}"


def parse_position(text: str) -> _core.State:
    """The state of a line written by :func:`position_text`.

    Raises:
        GameError: the line has another form, or no game can come to this state.
    """
    words = text.split()
    if len(words) not in (3, 5) or (len(words) == 3) != (words[-1] == "-"):
        raise GameError(
            f"position {text!r} must look like '32767/0/0 32767/0/0 0 ????? 2': two cards as "
            "free mask/upper total/points, the seat to move, the dice, the rerolls left"
        )
    cards = (_parse_card(words[0], 0), _parse_card(words[1], 1))
    marked = [15 - card.free.bit_count() for card in cards]
    if len(words) == 3:
        if marked != [15, 15]:
            raise GameError(f"position {text!r} is no end: categories are free")
        return Table(cards, 0, (), 2, "terminal").state()
    seat_text, dice_text, rerolls_text = words[2:]
    if seat_text not in ("0", "1"):
        raise GameError(
            f"the seat to move is {seat_text!r} in position {text!r}; it must be 0 or 1"
        )
    if rerolls_text not in ("0", "1", "2"):
        raise GameError(f"the rerolls are {rerolls_text!r} in position {text!r}; they must be 0..2")
    seat, rerolls = int(seat_text), int(rerolls_text)
    if marked[0] != marked[1] + seat or marked[seat] == 15:
        raise GameError(
            f"seat {seat} cannot be to move after {marked[0]} and {marked[1]} marks: seats "
            "alternate, seat 0 first, 15 marks each"
        )
    known = dice_text.rstrip("?")
    if len(dice_text) != 5 or any(char not in "123456" for char in known):
        raise GameError(
            f"the dice are {dice_text!r} in position {text!r}; they must be five faces 1..6, "
            "those about to be rolled as ? at the end"
        )
    dice = tuple(sorted(map(int, known)))
    kind = "decision" if len(dice) == 5 else "chance"
    if kind == "chance" and rerolls == 2 and dice:
        raise GameError(f"position {text!r} keeps dice before the first roll of a turn")
    return Table(cards, seat, dice, rerolls, kind).state()


def _parse_card(text: str, seat: int) -> Card:
    parts = text.split("/")
    if len(parts) != 3 or not all(p.isascii() and p.isdecimal() and len(p) < 6 for p in parts):
        raise GameError(f"the card of seat {seat} is {text!r}; it must be mask/upper total/points")
    card = Card(*map(int, parts))
    if card.free > ALL_FREE:
        raise GameError(
            f"the free mask of seat {seat} is {card.free}; it must lie in 0..{ALL_FREE}"
        )
    if not _core.YatzyOracle.reachable(card.free, card.upper):
        raise GameError(
            f"the upper total of seat {seat} is {card.upper}, which no marks with free mask "
            f"{card.free} can give"
        )
    least = card.upper + (BONUS if card.upper >= UPPER_GOAL else 0)
    most = least + _most_below(card)
    if not least <= card.total <= most:
        raise GameError(
            f"seat {seat} has {card.total} points; with this card they lie in {least}..{most}"
        )
    return card


_BEST_LOWER = (12, 22, 18, 24, 15, 20, 28, 30, 50)


def _most_below(card: Card) -> int:
    """The most points of the marked lower categories, and of an upper total beyond 63."""
    lower = sum(best for c, best in enumerate(_BEST_LOWER) if not card.free & category_bit(6 + c))
    upper = sum(5 * (c + 1) for c in range(6) if not card.free & category_bit(c))
    return lower + (max(upper - UPPER_GOAL, 0) if card.upper >= UPPER_GOAL else 0)
