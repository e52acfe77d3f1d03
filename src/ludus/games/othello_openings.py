"""Openings that matches of Othello begin with.

Two players who always choose alike play one game. So a match begins with the lines of a stored
list: 1,000 different random ones of 8 plies, drawn once with equal chance among legal moves. Pair i
has line i mod 1,000, both seats each.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from ludus.errors import CorruptError

FILE = "othello_openings.txt"
PLIES = 8


@cache
def openings() -> npt.NDArray[np.uint16]:
    """The list, ``u16[1000, 8]`` of actions; not to be written to.

    Raises:
        CorruptError: the file of the installation is damaged.
    """
    text = resources.files("ludus.games").joinpath("data", FILE).read_text(encoding="ascii")
    rows = []
    for number, line in enumerate(text.split(), start=1):
        squares = [line[at : at + 2] for at in range(0, len(line), 2)]
        if len(squares) != PLIES or any(
            square[0] not in "abcdefgh" or square[1:] not in tuple("12345678") for square in squares
        ):
            raise CorruptError(f"{FILE} has {line!r} in line {number}, no line of {PLIES} squares")
        rows.append([ord(square[0]) - ord("a") + 8 * (int(square[1]) - 1) for square in squares])
    lines = np.array(rows, np.uint16)
    lines.setflags(write=False)
    return lines
