"""Scandinavian Yatzy for people: drawing, notation, players."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError
from ludus.games.registry import GameEntry
from ludus.games.yatzy_cards import (
    BONUS,
    CATEGORIES,
    KEEP_ALL,
    MARK,
    UPPER_GOAL,
    Card,
    Table,
    category_bit,
    dice_of_class,
    free_categories,
    kept_dice,
    score,
)
from ludus.games.yatzy_position import parse_position, position_text


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
    if action == KEEP_ALL:
        raise GameError("keeping all five dice is no action; mark a category instead")
    if not 0 <= action < MARK + len(CATEGORIES):
        raise GameError(f"action {action} does not exist; actions are 0..46")
    if action < MARK:
        raise GameError("no reroll is left; mark a category")
    raise GameError(f"{CATEGORIES[action - MARK]} is marked already; choose a free category")


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
