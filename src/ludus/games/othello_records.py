"""Recorded games of Othello, and the shortest of their formats: transcripts.

A transcript is one line of squares such as ``f5d6c3d3c4``, in either case; passes may be written
(``pass``, ``pa``, ``ps``, ``--``) or left out, spaces and move numbers (``1. f5 d6 2. c3``) do
not matter. A file of transcripts has one game a line; empty lines and lines that begin with ``#``
are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ludus import _core
from ludus.errors import GameError
from ludus.games.formats import collect, read_text
from ludus.games.othello_position import (
    PASS,
    SIDES,
    SQUARES,
    START,
    illegal,
    parse_position,
)

_TOKEN = re.compile(r"(?P<square>[a-h][1-8])|(?P<pass>pass|pa|ps|--)|\d{1,3}[.):]+|\s+", re.I)
_BARE_NUMBER = re.compile(r"(?<!\S)\d{1,3}(?=\s)")


@dataclass(frozen=True)
class OthelloRecord:
    """One game. Made by :func:`checked`, it has been played again by the rules.

    Attributes:
        actions: from the start, passes included: 0..63 squares, 64 a pass.
        start: the position that it begins with, as :func:`~ludus.games.othello_position` has it.
        black: name of the player of seat 0; white: of seat 1. Empty where not known.
        event: tournament or place.
        date: as the file has it.
        result: black's discs less white's with the empty squares for the winner, or what the
            players agreed on; None where it is not known.
        ended: ``r``, ``t`` or ``s`` where somebody resigned, ran out of time, or both agreed on the
            result, which then need not be that of the board; else empty.
        theoretical: the same with best play of both from some point of the game (WTHOR has it).
        evaluations: what the mover thought of each action, in the file's units; empty or as long as
            ``actions``, None where there is none.
        seconds: for each action, likewise.
        tags: whatever else the file says, by the names that it uses.
    """

    actions: tuple[int, ...]
    start: str = START
    black: str = ""
    white: str = ""
    event: str = ""
    date: str = ""
    result: float | None = None
    ended: str = ""
    theoretical: int | None = None
    evaluations: tuple[float | None, ...] = ()
    seconds: tuple[float | None, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def states(self) -> Iterator[_core.State]:
        """The position before each action, then the last one."""
        state = parse_position(self.start)
        for action in self.actions:
            yield state.copy()
            state.apply(action)
        yield state

    def end(self) -> _core.State:
        """The last position."""
        return play(self.actions, self.start, number=1)[1]


def difference(state: _core.State) -> int | None:
    """Black's discs less white's at the end, empty squares for the winner; None before it."""
    if state.kind != "terminal":
        return None
    black, white = state.scores()
    return round(float(black - white))


def play(
    moves: Sequence[int], start: str = START, *, number: int
) -> tuple[tuple[int, ...], _core.State]:
    """Play the moves of a game; passes that they leave out are put in where they are forced.

    Args:
        moves: squares 0..63, or 64 for a pass.
        start: position text.
        number: of the game, for the sentence.

    Returns: all actions, and the position behind them.

    Raises:
        GameError: a move is illegal, or the start is no position: which game, move and square, and
            why.
    """
    try:
        first = parse_position(start)
    except GameError as error:
        raise GameError(f"game {number} has no start: {error}") from None
    actions, state, played = _core.othello_replay(first, np.array(moves, np.int32))
    if played < len(moves):
        move = int(moves[played])
        name = "pass" if move == PASS else SQUARES[move]
        raise GameError(
            f"move {played + 1} of game {number}, {name!r}, is illegal: {illegal(state, move)}"
        )
    return tuple(actions.tolist()), state


def checked(
    record: OthelloRecord, *, number: int, movers: Sequence[int] | None = None
) -> OthelloRecord:
    """A record whose moves have been played, with forced passes and, at an end, its result.

    Args:
        record: its ``actions`` may leave passes out.
        number: of the game, for sentences.
        movers: seats that the file says made the moves.

    Raises:
        GameError: an illegal move, one of the wrong side, or a result that is not that of the
            board.
    """
    actions, end = play(record.actions, record.start, number=number)
    places = _places(record.actions, actions)
    first = parse_position(record.start).seat
    for move, (place, mover) in enumerate(zip(places, movers or (), strict=False), 1):
        if mover != first ^ place & 1:
            name = "pass" if actions[place] == PASS else SQUARES[actions[place]]
            raise GameError(
                f"move {move} of game {number}, {name!r}, is {SIDES[mover]}'s in the file, but "
                f"{SIDES[1 - mover]} is to move"
            )
    final = difference(end)
    result = record.result
    if final is not None and not record.ended and result not in (None, final):
        raise GameError(
            f"game {number} ends {final:+d} for black on the board, but the file says {result:+g}"
        )
    return replace(
        record,
        actions=actions,
        result=result if result is not None or final is None else float(final),
        evaluations=_spread(record.evaluations, places, len(actions)),
        seconds=_spread(record.seconds, places, len(actions)),
    )


def _places(moves: Sequence[int], actions: Sequence[int]) -> list[int]:
    """Where each move is among the actions, which have passes between them."""
    places, at = [], 0
    for move in moves:
        at += actions[at] != move
        places.append(at)
        at += 1
    return places


def _spread(
    values: Sequence[float | None], places: Sequence[int], length: int
) -> tuple[float | None, ...]:
    if not any(value is not None for value in values):
        return ()
    spread: list[float | None] = [None] * length
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return tuple(spread)


def of_actions(
    actions: Sequence[int], names: Sequence[str], outcomes: Sequence[int] = ()
) -> OthelloRecord:
    """A record of a game from the start, such as the replay of a run has.

    Args:
        actions: of both seats, passes included.
        names: of seat 0 and seat 1.
        outcomes: none, as nothing is left to chance.

    Raises:
        GameError: an illegal action.
    """
    record = OthelloRecord(tuple(actions), black=names[0], white=names[1])
    return checked(record, number=1)


# -- transcripts -------------------------------------------------------------------------------


def parse_transcript(text: str, *, number: int = 1) -> OthelloRecord:
    """A game from one line of moves (see the module).

    Args:
        text: without a line end.
        number: of the game, for sentences.

    Raises:
        GameError: something that is no move (which, and where), or an illegal move.
    """
    moves: list[int] = []
    line = _BARE_NUMBER.sub(lambda found: " " * len(found[0]), text)
    at = 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        if found is None:
            word = line[at : at + 8].split()[0]
            raise GameError(
                f"game {number}: {word!r} at character {at + 1} is no move; moves are squares "
                "a1..h8 or 'pass'"
            )
        if found["square"]:
            moves.append(SQUARES.index(found["square"].lower()))
        elif found["pass"]:
            moves.append(PASS)
        at = found.end()
    return checked(OthelloRecord(tuple(moves)), number=number)


def transcript_text(record: OthelloRecord, *, passes: bool = False, number: int = 1) -> str:
    """A game as one word of squares.

    Args:
        record: a game from the start of the rules.
        passes: write ``pa`` where a side passes.
        number: of the game, for the sentence.

    Raises:
        GameError: it begins elsewhere.
    """
    if record.start != START:
        raise GameError(f"game {number} does not begin at the start, which a transcript cannot say")
    names = (*SQUARES, "pa" if passes else "")
    return "".join(names[action] for action in record.actions)


def read_transcripts(path: Path, problems: list[str] | None = None) -> list[OthelloRecord]:
    """The games of a file of transcripts (see :class:`~ludus.games.formats.RecordFormat`)."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    games = [line for line in lines if line and not line.startswith("#")]
    return collect(games, lambda number, line: parse_transcript(line, number=number), problems)


def write_transcripts(records: Sequence[OthelloRecord]) -> dict[str, bytes]:
    """A file of transcripts, passes left out."""
    lines = [transcript_text(one, number=i) + "\n" for i, one in enumerate(records, 1)]
    return {".txt": "".join(lines).encode()}
