"""Patterns as people see them: their squares on a board, what they find there, what they say.

All functions take compiled tables: ``TableEvaluator.tables``, ``TdLearner.tables``.
"""

from __future__ import annotations

from typing import Any

from ludus import _core
from ludus.errors import GameError
from ludus.evaluators.tables import DISC, NEUTRAL
from ludus.games.othello_position import SQUARES, Discs
from ludus.games.pattern_tables import described

_FILES = "    a b c d e f g h"


def stage_of(discs: int) -> int:
    """The stage of a board with so many discs, 4 to 64: two discs each, the last has four."""
    return min((discs - 4) // 2, _core.PatternSet.stages - 1)


def discs_of(weight: int) -> float:
    """A weight in discs."""
    return (weight - NEUTRAL) / DISC


def contents_text(squares: int, index: int) -> str:
    """The contents that an index stands for, a character a square of the pattern.

    Args:
        squares: of the pattern.
        index: base 3, the first square counts ones.

    Returns: ``x`` the side to move, ``o`` the other, ``.`` empty.
    """
    return "".join(".xo"[index // 3**digit % 3] for digit in range(squares))


def pattern_document(
    tables: _core.PatternTables, pattern: int, position: _core.State | None = None
) -> dict[str, Any]:
    """A pattern, and what it finds in a position.

    Args:
        tables: that are asked.
        pattern: its number.
        position: a state of Othello, or None.

    Returns: JSON: ``number``, ``name``, ``placements`` (names of squares, in the order of the
        digits), ``contents``, ``slots`` (weights of a stage when what symmetry makes equal counts
        once); with a position also ``stage``, ``found`` (for each placement ``squares``,
        ``contents`` as of :func:`contents_text`, ``index``, ``weight``, ``discs``), ``sum`` of
        these in discs and ``score`` of all patterns; both for the side to move.

    Raises:
        GameError: no such pattern.
    """
    one = described_pattern(tables, pattern)
    placements = [[SQUARES[square] for square in squares] for squares in one["placements"]]
    document: dict[str, Any] = {
        "number": pattern,
        "name": one["name"],
        "placements": placements,
        "contents": one["contents"],
        "slots": one["slots"],
    }
    if position is None:
        return document
    board = Discs.of(position)
    own, other = (board.white, board.black) if board.seat else (board.black, board.white)
    stage = stage_of((own | other).bit_count())
    contents = tables.contents(own, other).tolist()
    found = []
    for lane, squares in enumerate(placements, one["first_instance"]):
        weight = tables.weight(pattern, stage, contents[lane])
        found.append(
            {
                "squares": squares,
                "contents": contents_text(len(squares), contents[lane]),
                "index": contents[lane],
                "weight": weight,
                "discs": discs_of(weight),
            }
        )
    score = 0.0
    for number, other_one in enumerate(described(tables.set)):
        for lane in range(len(other_one["placements"])):
            index = contents[other_one["first_instance"] + lane]
            score += discs_of(tables.weight(number, stage, index))
    return document | {
        "stage": stage,
        "found": found,
        "sum": sum(each["discs"] for each in found),
        "score": score,
    }


def pattern_text(
    tables: _core.PatternTables, pattern: int, position: _core.State | None = None
) -> str:
    """:func:`pattern_document` drawn: the squares by their digits, then what they find.

    Raises:
        GameError: no such pattern.
    """
    document = pattern_document(tables, pattern, position)
    squares = document["placements"][0]
    lines = [
        f"pattern {pattern}, {document['name']}: {len(squares)} squares in "
        f"{len(document['placements'])} placements, {document['contents']:,} contents "
        f"({document['slots']:,} up to symmetry)",
        "",
        _FILES,
    ]
    digits = {square: str(digit) for digit, square in enumerate(squares)}
    for rank in range(1, 9):
        row = " ".join(digits.get(f"{file}{rank}", ".") for file in "abcdefgh")
        lines.append(f"  {rank} {row} {rank}")
    lines.append(_FILES)
    if position is not None:
        lines += [
            "",
            f"stage {document['stage']}; x is the side to move, o the other",
            f"{'squares':<{3 * len(squares)}} {'contents':<10} {'index':>6} {'weight':>6} "
            f"{'discs':>8}",
        ]
        for one in document["found"]:
            lines.append(
                f"{' '.join(one['squares']):<{3 * len(squares)}} {one['contents']:<10} "
                f"{one['index']:>6} {one['weight']:>6} {one['discs']:>+8.3f}"
            )
        lines.append(
            f"together {document['sum']:+.3f} discs of {document['score']:+.3f} for the side "
            "to move"
        )
    return "\n".join(lines)


def described_pattern(tables: _core.PatternTables, pattern: int) -> dict[str, Any]:
    """One pattern of a set, as of ``PatternSet.describe``.

    Raises:
        GameError: no such pattern.
    """
    if not 0 <= pattern < len(tables.set):
        raise GameError(f"there is no pattern {pattern}; there are 0 to {len(tables.set) - 1}")
    one: dict[str, Any] = tables.set.describe(pattern)
    return one
