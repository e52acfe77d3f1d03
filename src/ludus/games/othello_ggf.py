"""Othello games in GGF, the Generic Game Format of the server GGS and of the protocol of NBoard.

A file has any number of games, each between ``(;`` and ``;)``, and anything between them::

    (;GM[Othello]PC[GGS/os]PB[ann]PW[bob]RE[+12.00]TI[15:00]TY[8]
    BO[8 ---------------------------O*------*O--------------------------- *]
    B[d3//0.5]W[c3/1.2/3.1] ... W[pass];)

Properties are names with an argument in brackets. A move is ``B[square/evaluation/seconds]``, the
last two may be missing; ``*`` is a black disc, ``O`` a white one. Format: M. Buro, "Generic Game
Format" of GGS, https://www.skatgame.net/mburo/ggsa/ggf.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from ludus.errors import GameError
from ludus.games.formats import collect, read_text
from ludus.games.othello_position import (
    PASS,
    PASS_WORDS,
    SQUARES,
    START,
    parse_position,
    position_text,
)
from ludus.games.othello_records import OthelloRecord, checked

_DELIMITER = re.compile(r"\(;|;\)")
_PROPERTY = re.compile(r"\s*([A-Za-z]{1,3})\s*\[([^\]]*)\]\s*")
_RESULT = re.compile(r"([+-]?\d{1,3}(?:\.\d+)?)(?::([a-z]))?")
_GIVEN = frozenset({"GM", "PC", "DT", "PB", "PW", "RE", "BO"})
"""Properties that a record has fields for; all others are its tags."""
_UNSAFE = re.compile(r"[\[\]\x00-\x1f]")


def parse_ggf(text: str, problems: list[str] | None = None) -> list[OthelloRecord]:
    """All games of a text.

    Args:
        text: see the module.
        problems: as in :class:`~ludus.games.formats.RecordFormat`.

    Raises:
        GameError: no game at all, one that is cut off or no Othello, a property without brackets,
            an illegal move, a result that is not that of the board.
    """
    bodies: list[str | None] = []  # None: a game without an end
    begin: int | None = None
    for delimiter in _DELIMITER.finditer(text):
        if delimiter[0] == "(;":
            if begin is not None:
                bodies.append(None)
            begin = delimiter.end()
        elif begin is not None:
            bodies.append(text[begin : delimiter.start()])
            begin = None
    if begin is not None:
        bodies.append(None)
    if not bodies:
        raise GameError("there is no game here: games of GGF begin with '(;' and end with ';)'")
    return collect(bodies, _parse_game, problems)


def _parse_game(number: int, body: str | None) -> OthelloRecord:
    if body is None:
        raise GameError(f"game {number} is cut off: it has no ';)'")
    properties, moves = _properties(body, number)
    kind = properties.get("GM", "Othello")
    if kind.lower() not in ("othello", "reversi"):
        raise GameError(f"game {number} is {kind!r}, not Othello")
    if "a" in properties.get("TY", "").lower():
        raise GameError(
            f"game {number} is of type {properties['TY']!r}, where the fewest discs win; only "
            "Othello itself is read"
        )
    read = [_parse_move(argument, number, i) for i, (_, argument) in enumerate(moves, 1)]
    result, ended = _parse_result(properties.get("RE", ""), number)
    record = OthelloRecord(
        actions=tuple(move for move, _, _ in read),
        start=_parse_board(properties["BO"], number) if "BO" in properties else START,
        black=properties.get("PB", ""),
        white=properties.get("PW", ""),
        event=properties.get("PC", ""),
        date=properties.get("DT", ""),
        result=result,
        ended=ended,
        evaluations=tuple(value for _, value, _ in read),
        seconds=tuple(seconds for _, _, seconds in read),
        tags={name: value for name, value in properties.items() if name not in _GIVEN},
    )
    return checked(record, number=number, movers=["BW".index(colour) for colour, _ in moves])


def _properties(body: str, number: int) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Properties by name, the first of each, and the moves as pairs of B or W and argument."""
    properties: dict[str, str] = {}
    moves: list[tuple[str, str]] = []
    at = len(body) - len(body.lstrip())
    while at < len(body):
        found = _PROPERTY.match(body, at)
        if found is None:
            odd = body[at : at + 20].split("\n")[0]
            raise GameError(f"game {number}: {odd!r} is no property such as PB[name]")
        name, argument = found[1].upper(), found[2].strip()
        if name in ("B", "W"):
            moves.append((name, argument))
        else:
            properties.setdefault(name, argument)
        at = found.end()
    return properties, moves


def _parse_board(argument: str, number: int) -> str:
    size, _, squares = argument.partition(" ")
    if size != "8":
        raise GameError(f"game {number} is on a board of size {size!r}; only 8 is read")
    try:
        return position_text(parse_position(squares))
    except GameError as error:
        raise GameError(f"game {number} has no start: {error}") from None


def _parse_move(argument: str, number: int, place: int) -> tuple[int, float | None, float | None]:
    word, *rest = (part.strip() for part in argument.split("/"))
    small = word.lower()
    if small not in SQUARES and small not in PASS_WORDS:
        raise GameError(
            f"move {place} of game {number}, {word!r}, is no move: moves are squares a1..h8 or "
            "'pass'"
        )
    values = [_number(part, argument, number, place) for part in rest[:2]]
    evaluation, seconds = (*values, None, None)[:2]
    return PASS if small in PASS_WORDS else SQUARES.index(small), evaluation, seconds


def _number(text: str, argument: str, number: int, place: int) -> float | None:
    """A finite number, or None for nothing; times may be ``minutes:seconds``."""
    if not text:
        return None
    try:
        value = 0.0
        for part in text.split(":"):
            value = 60.0 * value + float(part)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise GameError(
            f"move {place} of game {number}, {argument!r}: {text!r} is no number; a move is "
            "square/evaluation/seconds"
        )
    return value


def _parse_result(argument: str, number: int) -> tuple[float | None, str]:
    if argument in ("", "?"):
        return None, ""
    found = _RESULT.fullmatch(argument)
    if found is None or abs(float(found[1])) > 64:
        raise GameError(
            f"game {number} has the result {argument!r}; it must be black's discs less white's, "
            "such as +12.00, perhaps with :r, :t or :s"
        )
    return float(found[1]), found[2] or ""


def ggf_text(records: Sequence[OthelloRecord]) -> str:
    """Games in GGF, one a line.

    Raises:
        GameError: a name or another text holds a bracket or a line end, which GGF cannot.
    """
    return "".join(_game_text(number, one) + "\n" for number, one in enumerate(records, 1))


def _game_text(number: int, record: OthelloRecord) -> str:
    properties = {
        "PC": record.event,
        "DT": record.date,
        "PB": record.black,
        "PW": record.white,
        "RE": _result_text(record),
        **record.tags,
    }
    parts = ["GM[Othello]"]
    for name, value in properties.items():
        if _UNSAFE.search(value):
            raise GameError(
                f"game {number}: {name} is {value!r}, but GGF has no brackets or line ends in "
                "its texts"
            )
        if value:
            parts.append(f"{name}[{value}]")
    if "TY" not in properties:
        parts.append("TY[8]")
    squares, side = record.start.translate(str.maketrans("X", "*")).split()
    parts.append(f"BO[8 {squares} {side}]")
    first = "*O".index(side)
    for place, action in enumerate(record.actions):
        word = "pass" if action == PASS else SQUARES[action]
        notes = [
            "" if values[place : place + 1] in ((), (None,)) else f"{values[place]:.2f}"
            for values in (record.evaluations, record.seconds)
        ]
        argument = "/".join([word, *notes]).rstrip("/")
        parts.append(f"{'BW'[first ^ place & 1]}[{argument}]")
    return f"(;{''.join(parts)};)"


def _result_text(record: OthelloRecord) -> str:
    if record.result is None:
        return "?"
    return f"{record.result:+.2f}" + (f":{record.ended}" if record.ended else "")


def read_ggf(path: Path, problems: list[str] | None = None) -> list[OthelloRecord]:
    """The games of a file (see :class:`~ludus.games.formats.RecordFormat`)."""
    return parse_ggf(read_text(path), problems)


def write_ggf(records: Sequence[OthelloRecord]) -> dict[str, bytes]:
    """A file of games."""
    return {".ggf": ggf_text(records).encode()}
