"""Perfect play of tic-tac-toe, by walking the whole tree."""

from functools import cache

import numpy as np

from ludus import _core
from ludus.players import SearchPlayer
from ludus.players.single import SingleGame, choice_after

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def result(cells: str) -> int | None:
    """1 if X has won, -1 if O has, 0 for a full board, None while the game goes on."""
    for line in LINES:
        three = {cells[i] for i in line}
        if len(three) == 1 and three != {"."}:
            return 1 if three == {"X"} else -1
    return None if "." in cells else 0


def after(cells: str, move: int) -> str:
    """The board with one more mark; X begins."""
    mark = "XO"[cells.count("X") - cells.count("O")]
    return cells[:move] + mark + cells[move + 1 :]


def free(cells: str) -> list[int]:
    return [i for i, cell in enumerate(cells) if cell == "."]


@cache
def value(cells: str) -> int:
    """With perfect play of both: 1 if X wins, 0 for a draw, -1 if O wins."""
    done = result(cells)
    if done is not None:
        return done
    values = [value(after(cells, move)) for move in free(cells)]
    return max(values) if cells.count("X") == cells.count("O") else min(values)


def walk(game: _core.Game, player: SearchPlayer, seat: int) -> tuple[int, list[list[int]], int]:
    """The player's replies against everything that an opponent could do.

    Args:
        game: the rules.
        player: who is examined, always asked with the whole game so far.
        seat: the seat it has.

    Returns: how many decisions it took, the lines that it lost, and how many of its decisions gave
        away a result that perfect play would have had.
    """
    lost: list[list[int]] = []
    asked: dict[str, int] = {}
    mistakes = 0
    stack: list[tuple[str, list[int]]] = [("." * 9, [])]
    sign = 1 if seat == 0 else -1
    while stack:
        cells, line = stack.pop()
        done = result(cells)
        if done is not None:
            if done * sign < 0:
                lost.append(line)
            continue
        if len(line) % 2 != seat:
            stack += [(after(cells, move), [*line, move]) for move in free(cells)]
            continue
        if cells not in asked:
            asked[cells] = choose(game, player, line)
            mistakes += value(after(cells, asked[cells])) * sign < value(cells) * sign
        stack.append((after(cells, asked[cells]), [*line, asked[cells]]))
    return len(asked), lost, mistakes


def choose(game: _core.Game, player: SearchPlayer, line: list[int]) -> int:
    """What the player does after these moves."""
    table = SingleGame(game, [None, None], seed=1)
    for move in line:
        assert table.advance()
        table.play(move)
    assert table.advance()
    columns = {name: np.asarray(column) for name, column in table.columns().items()}
    return choice_after(game, player, columns)
