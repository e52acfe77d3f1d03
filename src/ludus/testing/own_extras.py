"""What an own game may offer besides its rules: texts, players, symmetries, hidden information."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.games import Symmetry
from ludus.testing.referee import Position, Referee, is_int

_PLAYED = 40
"""Plies of a playout at which the game's own players are asked."""


def check_texts(referee: Referee, position: Position, legal: list[int]) -> None:
    """Drawing and notation: every legal action is read back from its own text."""
    drawing = referee.ask("text", position)
    referee.require(isinstance(drawing, str), f"text() gave {drawing!r}; it must give a text")
    texts: dict[str, int] = {}
    for action in legal:
        text = referee.ask("action_text", position, action)
        good = isinstance(text, str) and text.strip() == text and text != ""
        referee.require(
            good, f"action_text(state, {action}) gave {text!r}; it must give a short text"
        )
        referee.require(
            text not in texts,
            f"action_text() gives {text!r} for the actions {texts.get(text)} and {action}: people "
            "could not tell them apart",
        )
        texts[text] = action
        back = referee.ask("parse_action", position, text)
        referee.require(
            is_int(back) and back == action,
            f"parse_action(state, {text!r}) gave {back!r}, but that is the text of action {action}",
        )
    try:
        found = referee.game.parse_action(position.state, "?!")
    except ValueError:
        return
    except Exception as error:  # noqa: BLE001 - told as what it is
        referee.failed("parse_action(state, '?!')", error)
        return
    referee.require(
        False,
        f"parse_action(state, '?!') gave {found!r}; it must raise ludus.errors.GameError for what "
        "is no legal action",
    )


def check_players(referee: Referee, position: Position, legal: list[int], ply: int) -> None:
    """The game's own players choose legal actions, the same ones for the same random numbers."""
    if ply >= _PLAYED:
        return
    for name, choose in referee.game.players.items():
        what = f"player {name}"
        actions = []
        for _ in range(2):
            try:
                actions.append(choose(referee.game, position.state, random.Random(ply)))
            except Exception as error:  # noqa: BLE001 - told as what it is
                referee.failed(what, error)
        referee.require(
            is_int(actions[0]) and actions[0] in legal,
            f"{what} chose {actions[0]!r}; legal are {legal}",
        )
        referee.require(
            actions[0] == actions[1],
            f"{what} chose {actions[0]} and then {actions[1]} for the same state and the same "
            "random numbers: draw only from the random.Random that it is given",
        )
        change = position.change()
        referee.require(change is None, f"{what} changed the state it was given ({change})")


def check_hidden(
    referee: Referee, position: Position, seat: int, seen: npt.NDArray[np.float32]
) -> None:
    """Worlds that look equal to a seat give it equal observations and choices."""
    game: Any = referee.game
    turn = referee.ask("turn", position)
    for number in range(4):
        world = Position(game, referee.ask("sample_world", position, seat, random.Random(number)))
        referee.require(world.state is not None, "sample_world() gave None: return a state")
        other = np.array(referee.ask("observe", world, seat), np.float32)
        referee.require(
            np.array_equal(seen, other),
            f"observe(state, {seat}) shows what seat {seat} cannot know: it differs between two "
            "states that sample_world() says look the same to that seat",
        )
        if turn == seat:
            mine, its = list(referee.ask("legal", position)), list(referee.ask("legal", world))
            referee.require(
                mine == its,
                f"the legal actions of seat {seat} change with what it cannot see: {mine} here, "
                f"{its} in a world that looks the same to it",
            )


def check_symmetries(referee: Referee, games: int) -> None:
    """Every symmetry maps whole games to games with the same choices, observations and results.

    A playout is played a second time with every action replaced by its image; chance comes out the
    same in both.
    """
    game = referee.game
    referee.where = "symmetries"
    images = referee.call("symmetries")
    size = int(np.prod(game.observation_shape))
    for number, image in enumerate(images):
        what = f"symmetry {number}"
        referee.where = "symmetries"
        referee.require(
            isinstance(image, Symmetry),
            f"{what} is {type(image).__name__}; it must be a ludus.games.Symmetry(observation, "
            "action)",
        )
        parts = []
        for name, length in (("observation", size), ("action", game.num_actions)):
            part = np.asarray(getattr(image, name)).reshape(-1)
            referee.require(
                sorted(part.tolist()) == list(range(length)),
                f"the {name} of {what} must be a permutation: 0..{length - 1}, each once",
            )
            parts.append(part)
        for playout in range(min(games, 4)):
            _check_symmetry(referee, what, parts[0], parts[1], playout)


def _check_symmetry(
    referee: Referee, what: str, seen: npt.NDArray[Any], actions: npt.NDArray[Any], playout: int
) -> None:
    game = referee.game
    chooser = random.Random(f"{referee.seed}/{playout}/symmetry")
    one = two = Position(game, referee.call("initial"))
    for ply in range(2 * game.max_plies + 2):
        referee.where = f"event {ply} of the mirrored playout {playout} (seed {referee.seed})"
        turns = [referee.ask("turn", position) for position in (one, two)]
        referee.require(
            turns[0] == turns[1],
            f"{what} changes the game: turn() gave {turns[0]} and in the image {turns[1]}",
        )
        for seat in range(game.num_seats):
            left, right = (
                np.asarray(referee.ask("observe", position, seat), np.float32).reshape(-1)
                for position in (one, two)
            )
            referee.require(
                np.array_equal(left[seen], right),
                f"{what} does not give what seat {seat} sees in the image: "
                "observe(state).reshape(-1)[permutation] must be observe(image).reshape(-1)",
            )
        if turns[0] == game.OVER:
            ends = [[float(v) for v in referee.ask("returns", p)] for p in (one, two)]
            referee.require(
                ends[0] == ends[1],
                f"{what} changes the result: returns() gave {ends[0]} and in the image {ends[1]}",
            )
            return
        if turns[0] == game.CHANCE:
            ids, weights = zip(*referee.ask("outcomes", one), strict=True)
            event = image = int(chooser.choices(ids, weights)[0])
            method = "apply_outcome"
        else:
            legal = [[int(a) for a in referee.ask("legal", p)] for p in (one, two)]
            mapped = sorted(int(actions[action]) for action in legal[0])
            referee.require(
                mapped == legal[1],
                f"{what} changes the legal actions: the images of {legal[0]} are {mapped}, but "
                f"legal() gave {legal[1]}; action[a] must be what action a is in the image",
            )
            event = chooser.choice(legal[0])
            image, method = int(actions[event]), "apply"
        one = Position(game, referee.ask(method, one, event))
        two = Position(game, referee.ask(method, two, image))
