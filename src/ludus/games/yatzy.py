"""Scandinavian Yatzy for people: drawing, notation, players.

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

import itertools
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError
from ludus.games.registry import GameEntry

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
_KEEP_ALL = 31

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


def render(state: _core.State) -> str:
    """Both score cards side by side, the dice, and what they would score now."""
    table = Table.of(state)
    own = table.cards[table.seat]
    rolled = table.kind == "decision"
    lines = [_headline(table), "", f"  {'':<16}{'seat 0':>8}{'seat 1':>8}" + "     now" * rolled]
    for category, name in enumerate(CATEGORIES):
        bit = category_bit(category)
        marks = "".join(f"{'.' if card.free & bit else 'x':>8}" for card in table.cards)
        now = f"{score(table.dice, category):>8}" if rolled and own.free & bit else ""
        lines.append(f"  {name.replace('_', ' '):<16}{marks}{now}")
        if category == 5:
            sums = "".join(f"{f'{card.upper}/63':>8}" for card in table.cards)
            bonuses = "".join(f"{_bonus_text(card):>8}" for card in table.cards)
            lines += [f"  {'upper total':<16}{sums}", f"  {'bonus':<16}{bonuses}", ""]
    totals = "".join(f"{card.total:>8}" for card in table.cards)
    lines += ["", f"  {'total':<16}{totals}", ""]
    if table.kind != "terminal":
        shown = " ".join([*map(str, table.dice), *"?" * (5 - len(table.dice))])
        lines.append(f"  dice  {shown}")
    return "\n".join(lines).rstrip()


def _bonus_text(card: Card) -> str:
    if card.upper >= UPPER_GOAL:
        return str(BONUS)
    reach = sum(5 * (c + 1) for c in free_categories(card.free) if c < 6)
    return "." if card.upper + reach >= UPPER_GOAL else "0"


def _headline(table: Table) -> str:
    one, two = (card.total for card in table.cards)
    if table.kind == "terminal":
        if one == two:
            return f"The game is over: a draw at {one} points."
        winner = 0 if one > two else 1
        return f"The game is over: seat {winner} wins by {max(one, two)} to {min(one, two)}."
    turn = 16 - len(free_categories(table.cards[table.seat].free))
    left = ("no rerolls", "1 reroll", "2 rerolls")[table.rerolls]
    what = f"{left} left" if table.kind == "decision" else "about to roll"
    return f"Round {turn} of 15, seat {table.seat} to move, {what}."


def action_text(state: _core.State, action: int) -> str:
    """``keep 6 6 6``, ``keep none`` or ``mark house``.

    Raises:
        GameError: the action is illegal here.
    """
    _require_legal(state, action)
    if action >= MARK:
        return f"mark {CATEGORIES[action - MARK]}"
    kept = kept_dice(Table.of(state).dice, action)
    return f"keep {' '.join(map(str, kept)) or 'none'}"


def parse_action(state: _core.State, text: str) -> int:
    """An action as people write it.

    That is ``keep 6 6 6``, ``keep 666``, ``keep none``, ``mark house``, ``house``, the beginning of
    a category's name, or the action's number.

    Returns: a legal action; of equal keep masks the lowest, unless a number names another.

    Raises:
        GameError: the text is no action, or one that is illegal here.
    """
    words = text.lower().replace(",", " ").replace("-", "_").split()
    if len(words) == 1 and words[0].isdecimal() and words[0].isascii() and len(words[0]) <= 3:
        action = int(words[0])
        _require_legal(state, action)
        return action
    if words[:1] == ["keep"]:
        return _parse_keep(state, words[1:], text)
    if words[:1] == ["mark"]:
        words = words[1:]
    name = "_".join(words)
    found = [c for c, known in enumerate(CATEGORIES) if name and known.startswith(name)]
    if name in CATEGORIES:
        found = [CATEGORIES.index(name)]
    if len(found) > 1:
        raise GameError(
            f"{text!r} may mean {' or '.join(CATEGORIES[c] for c in found)}; write more of it"
        )
    if not found:
        raise GameError(
            f"{text.strip()!r} is no action; write 'keep 6 6', 'keep none', 'mark house' or its "
            "number"
        )
    _require_legal(state, MARK + found[0])
    return MARK + found[0]


def _parse_keep(state: _core.State, words: list[str], text: str) -> int:
    faces = "" if words in (["none"], ["nothing"]) else "".join(words)
    if not words or any(char not in "123456" for char in faces):
        raise GameError(f"{text!r} must name dice from 1 to 6 to keep, or 'none'")
    table = Table.of(state)
    if table.kind != "decision":
        raise GameError("the dice have not been rolled; there is nothing to decide")
    kept = tuple(sorted(map(int, faces)))
    masks = [mask for mask in range(32) if kept_dice(table.dice, mask) == kept]
    if not masks:
        dice = " ".join(map(str, table.dice))
        raise GameError(f"the dice {' '.join(map(str, kept))} are not among {dice}")
    _require_legal(state, masks[0])
    return masks[0]


def _require_legal(state: _core.State, action: int) -> None:
    if state.kind != "decision":
        what = "the game is over" if state.kind == "terminal" else "the dice are about to be rolled"
        raise GameError(f"{what}; there is nothing to decide")
    if action in state.legal():
        return
    if action == _KEEP_ALL:
        raise GameError("keeping all five dice is no action; mark a category instead")
    if not 0 <= action < MARK + len(CATEGORIES):
        raise GameError(f"action {action} does not exist; actions are 0..46")
    if action < MARK:
        raise GameError("no reroll is left; mark a category")
    raise GameError(f"{CATEGORIES[action - MARK]} is marked already; choose a free category")


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


def event_text(state: _core.State, outcome: int) -> str:
    """The roll of a chance event: the dice that came beside the kept ones, ``66 + 345``."""
    kept = Table.of(state).dice
    rest = list(dice_of_class(outcome))
    for face in kept:
        rest.remove(face)
    rolled = "".join(map(str, rest))
    return f"{''.join(map(str, kept))} + {rolled}" if kept else rolled


def bonus_earned(
    states: npt.NDArray[np.uint8], seats: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Whether each seat's upper total has reached 63.

    Args:
        states: packed ``u8[n, 16]``, usually final ones.
        seats: ``i32[n]``, whose card to look at.

    Returns: bool[n].
    """
    uppers = np.asarray(states)[:, 8:10]
    earned: npt.NDArray[np.bool_] = uppers[np.arange(len(seats)), seats] >= UPPER_GOAL
    return earned


def entry() -> GameEntry:
    """The game's entry in the registry."""
    from ludus.games import yatzy_oracle

    return GameEntry(
        name="yatzy",
        title="Scandinavian Yatzy, two seats, 15 categories",
        rules=_core.game("yatzy"),
        render=render,
        action_text=action_text,
        parse_action=parse_action,
        position_text=position_text,
        parse_position=parse_position,
        event_text=event_text,
        players={
            "oracle": yatzy_oracle.make_player("oracle"),
            "greedy": yatzy_oracle.make_player("greedy"),
        },
        about_players={
            "oracle": "the exact optimum of expected points (solitaire), 248.44 on average",
            "greedy": "the best expected points of the turn, 200.73 on average",
        },
        suites={
            "opponent": lambda: "oracle",
            "bonus": bonus_earned,
            "best_actions": yatzy_oracle.best_actions,
            "action_values": yatzy_oracle.action_values,
            "judge": yatzy_oracle.judge,
        },
    )
