"""Yatzy's categories, dice and cards as Python sees them: a packed position, unpacked."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

from ludus import _core

CATEGORIES: tuple[str, ...] = (
    *("ones", "twos", "threes", "fours", "fives", "sixes", "pair", "two_pairs", "three_kind"),
    *("four_kind", "small_straight", "large_straight", "house", "chance", "yatzy"),
)
"""Names in the order of the rules; action 32 + c marks category c."""

MARK = 32
"""Action of the first mark; actions below are keep masks."""

ALL_FREE = (1 << len(CATEGORIES)) - 1
UPPER_GOAL = 63
BONUS = 50
KEEP_ALL = 31

_FACES = range(1, 7)
_KEPT: tuple[tuple[int, ...], ...] = tuple(
    kept for size in range(6) for kept in itertools.combinations_with_replacement(_FACES, size)
)
"""Every multiset of up to five dice; the core numbers them like this."""
_KEPT_ID = {kept: index for index, kept in enumerate(_KEPT)}
_FIRST_ROLL = len(_KEPT) - 252
"""The core's class c of five dice is the multiset _KEPT[_FIRST_ROLL + c]."""

_PACKED = struct.Struct("=2H2h2BH4B")
_DECISION, _CHANCE, _TERMINAL = 0, 1, 2


def category_bit(category: int) -> int:
    """The bit of a free category in a mask."""
    return 1 << (len(CATEGORIES) - 1 - category)


def free_categories(mask: int) -> list[int]:
    """Free categories of a mask, ascending."""
    return [c for c in range(len(CATEGORIES)) if mask & category_bit(c)]


def dice_of_class(dice_class: int) -> tuple[int, ...]:
    """The five sorted faces of a chance outcome (0..251)."""
    return _KEPT[_FIRST_ROLL + dice_class]


def kept_dice(dice: tuple[int, ...], mask: int) -> tuple[int, ...]:
    """The dice that a keep mask holds: bit (4 - i) keeps dice[i] of the sorted dice."""
    return tuple(face for i, face in enumerate(dice) if mask >> (4 - i) & 1)


def score(dice: tuple[int, ...], category: int) -> int:
    """Points of five sorted dice in a category, without the bonus."""
    counts = [dice.count(face) for face in _FACES]
    name, total = CATEGORIES[category], sum(dice)

    def of_a_kind(copies: int) -> list[int]:
        return [face for face in _FACES if counts[face - 1] >= copies]

    pairs = of_a_kind(2)
    match name:
        case "pair":
            return 2 * pairs[-1] if pairs else 0
        case "two_pairs":
            return 2 * sum(pairs) if len(pairs) == 2 else 0
        case "three_kind" | "four_kind":
            copies = 3 if name == "three_kind" else 4
            return copies * sum(of_a_kind(copies))
        case "small_straight":
            return 15 if dice == (1, 2, 3, 4, 5) else 0
        case "large_straight":
            return 20 if dice == (2, 3, 4, 5, 6) else 0
        case "house":
            return total if sorted(counts)[-2:] == [2, 3] else 0
        case "chance":
            return total
        case "yatzy":
            return 50 if 5 in counts else 0
        case _:
            return (category + 1) * counts[category]


@dataclass(frozen=True)
class Card:
    """One seat's score card."""

    free: int
    upper: int
    total: int


@dataclass(frozen=True)
class Table:
    """A state taken apart.

    Attributes:
        cards: by seat.
        seat: to move or to roll.
        dice: sorted faces on the table, five at a decision; at a roll those that were kept.
        rerolls: left, at a roll those left after it.
        kind: ``decision``, ``chance`` or ``terminal``.
    """

    cards: tuple[Card, Card]
    seat: int
    dice: tuple[int, ...]
    rerolls: int
    kind: str

    @classmethod
    def of(cls, state: _core.State) -> Table:
        """Take a state apart."""
        free0, free1, total0, total1, upper0, upper1, kept, dice, rerolls, seat, phase = (
            _PACKED.unpack(state.packed())
        )
        return cls(
            (Card(free0, upper0, total0), Card(free1, upper1, total1)),
            seat,
            _KEPT[_FIRST_ROLL + dice] if phase == _DECISION else _KEPT[kept],
            rerolls,
            ("decision", "chance", "terminal")[phase],
        )

    def state(self) -> _core.State:
        """Put a state together. The parts are not checked here but by :func:`parse_position`."""
        decision = self.kind == "decision"
        one, two = self.cards
        packed = _PACKED.pack(
            one.free,
            two.free,
            one.total,
            two.total,
            one.upper,
            two.upper,
            0 if decision else _KEPT_ID[self.dice],
            _KEPT_ID[self.dice] - _FIRST_ROLL if decision else 0,
            self.rerolls,
            self.seat,
            {"decision": _DECISION, "chance": _CHANCE, "terminal": _TERMINAL}[self.kind],
        )
        return _core.game("yatzy").state(packed)
