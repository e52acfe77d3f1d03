"""From a :class:`~ludus.games.game.Game` to the entry by which the rest of Ludus knows it."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games.game import Game, Symmetry
from ludus.games.registry import Chooser, GameEntry

MOST_SEATS = 8
MOST_ACTIONS = 65535
MOST_LEGAL = 1024
MOST_OUTCOMES = 32767
MOST_PLIES = 1_000_000
MOST_OBSERVED = 1 << 24

_START = "start"


def make_entry(game: Game, source: str) -> GameEntry:
    """The entry of an own game.

    Args:
        game: the rules.
        source: what finds it again, see :func:`~ludus.games.get_game`.

    Raises:
        GameError: an attribute of the class is missing or out of range; the sentence names it.
    """
    found = facts(game)
    rules = _core.python_game(game, found)
    symmetries = checked_symmetries(game, math.prod(found["observation_shape"]))
    if not isinstance(game.players, Mapping):
        raise _wrong(game, "players", game.players, "a mapping of names to functions")
    for name, choose in game.players.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name)) or not callable(choose):
            raise _wrong(game, "players", dict(game.players), "a mapping of names to functions")

    def parse_position(text: str) -> _core.State:
        return _parse_position(rules, text)

    return GameEntry(
        name=game.name,
        title=_first_line(game).rstrip(".") or game.name,
        rules=rules,
        render=lambda state: str(game.text(state.own)),
        action_text=lambda state, action: str(game.action_text(state.own, action)),
        parse_action=lambda state, text: _parse_action(game, state, text),
        position_text=position_text,
        parse_position=parse_position,
        event_text=lambda state, outcome: str(outcome),
        players={name: _maker(game, rules, name, f) for name, f in game.players.items()},
        about_players={name: _first_line(f) for name, f in game.players.items()},
        source=source,
        recipe=game.recipe,
        own=game,
        symmetries=symmetries,
        has_scores=type(game).scores is not Game.scores,
        cap_plies=None if game.cap_plies is None else _integer(game, "cap_plies", 1, MOST_PLIES),
    )


def facts(game: Game) -> dict[str, Any]:
    """The attributes of a game's class, checked, in the form that the core wants.

    Raises:
        GameError: one is missing, has the wrong type or is out of range.
    """
    given: dict[str, Any] = {}  # what the user wrote, of whatever type it is
    for name in ("name", "num_actions", "observation_shape", "max_plies"):
        if not hasattr(game, name):
            raise GameError(f"{type(game).__name__} lacks the attribute {name}; {_ABOUT[name]}")
    for name in ("name", "observation_shape", "margin_scale", "hidden"):
        given[name] = getattr(game, name)
    named = isinstance(given["name"], str) and re.fullmatch(r"[a-z0-9_]{1,64}", given["name"])
    if not named:
        raise _wrong(game, "name", given["name"], _ABOUT["name"])
    shape = given["observation_shape"]
    fits = isinstance(shape, tuple | list) and len(shape) >= 1
    if not fits or not all(_is_int(extent) and extent >= 1 for extent in shape):
        raise _wrong(game, "observation_shape", shape, _ABOUT["observation_shape"])
    if math.prod(shape) > MOST_OBSERVED:
        raise _wrong(game, "observation_shape", shape, f"of at most {MOST_OBSERVED} numbers")
    _integer(game, "version", 1, 1_000_000)
    _integer(game, "num_seats", 1, MOST_SEATS)
    actions = _integer(game, "num_actions", 1, MOST_ACTIONS)
    if game.max_legal is None and actions > MOST_LEGAL:
        raise GameError(
            f"{type(game).__name__} has num_actions = {actions} and no max_legal: set max_legal to "
            f"the most legal actions of a position, at most {MOST_LEGAL}"
        )
    legal = actions if game.max_legal is None else _integer(game, "max_legal", 1, MOST_LEGAL)
    scale = given["margin_scale"]
    number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if not number or not 0 < scale < math.inf:
        raise _wrong(game, "margin_scale", scale, "a number above 0")
    if not isinstance(given["hidden"], bool):
        raise _wrong(game, "hidden", given["hidden"], "True or False")
    identity = f"{game.name}_v{game.version}"
    return {
        "name": game.name,
        "num_seats": int(game.num_seats),
        "num_actions": actions,
        "max_legal": min(legal, actions),
        "max_plies": _integer(game, "max_plies", 1, MOST_PLIES),
        "max_outcomes": _integer(game, "max_outcomes", 0, MOST_OUTCOMES),
        "observation_shape": [int(extent) for extent in shape],
        "hidden": game.hidden,
        "margin_scale": float(scale),
        "rules_id": identity,
        "encoder_id": identity,
        "action_space_id": identity,
        "files": sorted(source_files(type(game))),
    }


_ABOUT = {
    "name": "small letters, digits and _, such as 'tic_tac_toe'",
    "num_actions": "actions are the integers from 0 to num_actions - 1",
    "observation_shape": "a tuple of positive integers, such as (2, 3, 3) or (27,)",
    "max_plies": "the most decisions of a game",
}


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _integer(game: Game, name: str, low: int, high: int) -> int:
    value = getattr(game, name)
    if not _is_int(value) or not low <= value <= high:
        raise _wrong(game, name, value, f"an integer in {low}..{high}")
    return int(value)


def _wrong(game: Game, name: str, value: object, right: str) -> GameError:
    return GameError(f"{type(game).__name__} has {name} = {value!r}; it must be {right}")


def _first_line(thing: Any) -> str:
    """The first line of what somebody wrote about his own class or function."""
    text = thing.__doc__ or ""
    if isinstance(thing, Game):  # not what its class inherits from the protocol
        text = vars(thing).get("__doc__") or vars(type(thing)).get("__doc__") or ""
    text = text.strip()
    return text.splitlines()[0].strip() if text else ""


def source_files(kind: type) -> set[str]:
    """The files that a game's methods stand in, those of the house apart."""
    return {
        code.co_filename
        for base in kind.__mro__
        if base not in Game.__mro__
        for method in vars(base).values()
        if (code := getattr(method, "__code__", None)) is not None
    }


def place_of(error: BaseException, files: set[str]) -> str:
    """``file.py:line: Type: message`` of the innermost line in one of the files, else of all."""
    trace, place, deepest = error.__traceback__, "", ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        deepest = f"{file}:{trace.tb_lineno}"
        place = deepest if file in files else place
        trace = trace.tb_next
    message = f": {error}" if str(error) else ""
    return f"{place or deepest}: {type(error).__name__}{message}"


# -- positions -------------------------------------------------------------------------------------


def position_text(state: _core.State) -> str:
    """The moves from the start, as numbers: ``4 0 *3 8``; an outcome of chance has a ``*``.

    The start itself is ``start``.
    """
    steps = (f"*{step}" if event else str(step) for event, step in state.way())
    return " ".join(steps) or _START


def _parse_position(rules: _core.Game, text: str) -> _core.State:
    state = rules.initial()
    words = text.split()
    for number, word in enumerate([] if words == [_START] else words):
        event, digits = word.startswith("*"), word.removeprefix("*")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 6):
            raise GameError(
                f"position {text!r} must be the moves from the start as numbers, with * before "
                f"outcomes of chance, such as '4 0 *3 8', or {_START!r}; {word!r} is neither"
            )
        try:
            (state.apply_outcome if event else state.apply)(int(digits))
        except GameError as error:
            raise GameError(f"position {text!r}, move {number + 1}: {error}") from error
    return state


def _parse_action(game: Game, state: _core.State, text: str) -> int:
    if state.kind != "decision":
        raise GameError("there is nothing to decide here")
    action = game.parse_action(state.own, text)
    if not _is_int(action) or action not in state.legal():
        raise GameError(
            f"{game.name}: parse_action({text!r}) returned {action!r}, which is illegal"
        )
    return int(action)


# -- players and symmetries ------------------------------------------------------------------------


def _maker(
    game: Game, rules: _core.Game, name: str, choose: Callable[[Any, Any, random.Random], int]
) -> Callable[[Mapping[str, str]], Chooser]:
    def make(options: Mapping[str, str]) -> Chooser:
        if options:
            raise PlayerError(f"player {name} has no option {next(iter(options))!r}: it has none")

        def chooser(
            states: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
        ) -> npt.NDArray[np.int32]:
            actions = np.empty(len(states), np.int32)
            for row, (packed, key) in enumerate(zip(states, keys.tolist(), strict=True)):
                state = rules.state(packed.tobytes())
                actions[row] = _choice(game, name, choose, state, random.Random(key))
            return actions

        return chooser

    return make


def _choice(
    game: Game,
    name: str,
    choose: Callable[[Any, Any, random.Random], int],
    state: _core.State,
    rng: random.Random,
) -> int:
    try:
        action = choose(game, state.own, rng)
    except Exception as error:
        files = source_files(type(game)) | {choose.__code__.co_filename}
        raise PlayerError(f"{place_of(error, files)} (in player {name} of {game.name})") from error
    legal = state.legal().tolist()
    if not _is_int(action) or action not in legal:
        raise PlayerError(
            f"player {name} of {game.name} chose {action!r}; legal actions are {legal[:20]}"
        )
    return int(action)


def checked_symmetries(game: Game, size: int) -> tuple[Symmetry, ...]:
    """The symmetries that a game claims, as index arrays.

    Args:
        game: the rules.
        size: numbers of an observation.

    Raises:
        GameError: one is no permutation of the observation's entries and the actions.
    """
    checked = []
    for number, one in enumerate(game.symmetries()):
        for part, count in (("observation", size), ("action", game.num_actions)):
            order = np.asarray(getattr(one, part, ()))
            if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
                raise GameError(
                    f"{game.name}: symmetries()[{number}].{part} must be a permutation of "
                    f"0..{count - 1}"
                )
        checked.append(
            Symmetry(np.asarray(one.observation, np.intp), np.asarray(one.action, np.intp))
        )
    return tuple(checked)
