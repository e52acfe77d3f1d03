"""Othello for people: drawing, notation, symmetries, players."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError, PlayerError
from ludus.games import othello_endgame
from ludus.games.formats import RecordFormat
from ludus.games.game import Symmetry
from ludus.games.othello_engines import GTP, NBOARD
from ludus.games.othello_ggf import read_ggf, write_ggf
from ludus.games.othello_openings import openings
from ludus.games.othello_position import (
    PASS,
    PASS_WORDS,
    SIDES,
    SQUARES,
    Discs,
    illegal,
    parse_position,
    position_text,
)
from ludus.games.othello_records import of_actions, read_transcripts, write_transcripts
from ludus.games.othello_svg import board_svg
from ludus.games.othello_tables import chooser
from ludus.games.othello_weights import searching_weights
from ludus.games.othello_wthor import read_wthor, write_wthor
from ludus.games.registry import Chooser, GameEntry

_FILES = "    a b c d e f g h"


def render(state: _core.State) -> str:
    """The board with its coordinates, legal moves as ``+``, the discs, whose turn it is."""
    discs = Discs.of(state)
    lines = [headline(discs), "", _FILES]
    for rank in range(8):
        row = " ".join(_cell(discs, 8 * rank + file) for file in range(8))
        lines.append(f"  {rank + 1} {row} {rank + 1}")
    black, white = discs.counts
    lines += [_FILES, "", f"  X black {black}   O white {white}   {64 - black - white} empty"]
    if not discs.over:
        moves = " ".join(SQUARES[i] for i in range(64) if discs.moves >> i & 1)
        lines[-1] += f"   + {moves or 'no legal move: pass'}"
    return "\n".join(lines)


def _cell(discs: Discs, square: int) -> str:
    for squares, mark in ((discs.black, "X"), (discs.white, "O"), (discs.moves, "+")):
        if squares >> square & 1:
            return mark
    return "."


def headline(discs: Discs) -> str:
    """Whose turn it is, or who has won with how many discs (the empty squares are the winner's)."""
    black, white = discs.counts
    if not discs.over:
        side = SIDES[discs.seat].capitalize()
        ply = f"{black + white - 3} of 60"
        return f"{side} ({'XO'[discs.seat]}) to move, move {ply}."
    if black == white:
        return f"The game is over: a draw at {black} discs each."
    winner, most, least = (0, black, white) if black > white else (1, white, black)
    return f"The game is over: {SIDES[winner]} wins by {64 - least} to {least}" + (
        f" ({64 - most - least} empty squares are the winner's)." if most + least < 64 else "."
    )


def action_text(state: _core.State, action: int) -> str:
    """A square such as ``d3``, or ``pass``.

    Raises:
        GameError: the action is illegal here.
    """
    _require_legal(state, action)
    return "pass" if action == PASS else SQUARES[action]


def parse_action(state: _core.State, text: str) -> int:
    """An action as people write it: ``d3``, ``D3``, ``pass``, ``pa``, ``--``, or its number.

    Raises:
        GameError: the text is no action, or one that is illegal here.
    """
    word = text.strip().lower()
    if word in SQUARES:
        action = SQUARES.index(word)
    elif word in PASS_WORDS:
        action = PASS
    elif word.isdecimal() and word.isascii() and len(word) <= 3:
        action = int(word)
    else:
        raise GameError(
            f"{text.strip()!r} is no action; write a square such as 'd3', 'pass', or its number"
        )
    _require_legal(state, action)
    return action


def _require_legal(state: _core.State, action: int) -> None:
    why = illegal(state, action)
    if why is None:
        return
    square = f"{SQUARES[action]} is illegal: " if 0 <= action < PASS else ""
    raise GameError(f"{square}{why}")


def event_text(state: _core.State, outcome: int) -> str:
    """Never of use: Othello has no chance events.

    Raises:
        GameError: always.
    """
    raise GameError("Othello has no chance events")


def symmetries() -> tuple[Symmetry, ...]:
    """The seven ways to turn or mirror the board, the identity left out."""
    squares = np.arange(64).reshape(8, 8)
    images = [np.rot90(turned, k) for turned in (squares, squares.T) for k in range(4)]
    return tuple(_symmetry(image.reshape(64)) for image in images[1:])


def _symmetry(source: npt.NDArray[np.int64]) -> Symmetry:
    """Of the square that comes to each place: ``source[place]``."""
    planes = _core.game("othello").observation_shape[0]
    target = np.empty(65, np.intp)
    target[source] = np.arange(64)
    target[PASS] = PASS
    observation = (np.arange(planes)[:, None] * 64 + source).reshape(-1)
    return Symmetry(observation.astype(np.intp), target)


def _make_player(name: str) -> Callable[[Mapping[str, str]], Chooser]:
    """A maker of a player by a rule of thumb; ``weights`` may search."""

    def make(options: Mapping[str, str]) -> Chooser:
        if options and name == "weights":
            searching = searching_weights(options)
            if searching is not None:
                return searching
        elif options:
            raise PlayerError(f"player {name} has no option {sorted(options)[0]!r}: it has none")

        def choose(
            states: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
        ) -> npt.NDArray[np.int32]:
            return _core.othello_choose(
                np.ascontiguousarray(states), np.ascontiguousarray(keys), name
            )

        return choose

    return make


def entry() -> GameEntry:
    """The game's entry in the registry."""
    return GameEntry(
        name="othello",
        title="Othello, 8 x 8 squares, black (seat 0) begins",
        rules=_core.game("othello"),
        render=render,
        action_text=action_text,
        parse_action=parse_action,
        position_text=position_text,
        parse_position=parse_position,
        event_text=event_text,
        players={
            **{name: _make_player(name) for name in ("corners", "weights")},
            "endgame": othello_endgame.endgame_player,
        },
        about_players={
            "corners": "corner before edge before inside; squares beside an empty corner last",
            "weights": "the usual positional weights, one move ahead; depth=N or ms=N: a search",
            "endgame": "plays perfectly from 14 empty squares on (from=N), before that by weights",
        },
        sparring="weights",
        picture=board_svg,
        formats={
            ".txt": RecordFormat("transcripts", read_transcripts, write_transcripts),
            ".ggf": RecordFormat("GGF", read_ggf, write_ggf),
            ".wtb": RecordFormat("WTHOR", read_wthor, write_wthor),
        },
        record_of=of_actions,
        suites={
            "best_actions": othello_endgame.best_actions,
            "action_values": othello_endgame.action_values,
            "judge": othello_endgame.judge,
        },
        values_are="Discs by which you come out ahead with best play",
        points_are="discs",
        fixed_total=64.0,
        symmetries=symmetries(),
        protocols={"gtp": GTP, "nboard": NBOARD},
        openings=openings,
        tables=chooser,
    )
