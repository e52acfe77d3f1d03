"""Pattern tables asked from Python: positions in, discs out; and single weights.

For notebooks and programs. What trains and plays asks the compiled tables directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import CorruptError, GameError, RunError
from ludus.games.othello_position import SQUARES
from ludus.games.pattern_tables import described, tables_of

Arrays = dict[str, npt.NDArray[Any]]

KIND = "tables"
"""Kind of the object, and first part of the name of the file, that holds pattern tables."""

NEUTRAL: Final = 32768
"""The weight that means nothing; whole tables of it give 0 discs everywhere."""

DISC: Final = 256
"""Units of a weight, and of a score, in a disc."""

_PREFIX = "champion/"
_CENTRE = (27, 28, 35, 36)


class TableEvaluator:
    """Scores of Othello positions by pattern tables, in discs, positive where black is better.

    Any number of threads may ask at once; the interpreter's lock is released while the tables are
    looked up. Tables that a learner is changing are read and written in turns (``gate()`` in
    ``cpp/patterns/tables.h``).

    Attributes:
        tables: the compiled tables; views in :mod:`ludus.monitor.inspect.patterns` want them.
        patterns: their patterns.
    """

    def __init__(self, source: str | Path | None = None, model: str = "champion") -> None:
        """Take tables from a file, or neutral ones of the standard patterns.

        Args:
            source: a run directory, a checkpoint (``.ckpt``), a file of ``models/``, or None.
            model: of a run: ``champion``, ``first``, a unit's number, or a file as named.

        Raises:
            RunError: as of :func:`load_tables`.
            GameError: patterns that cannot be.
        """
        if source is None:
            self.tables = _core.PatternTables()
        else:
            self.tables = tables_of(*load_tables(source, model))
        self.patterns = self.tables.set

    @classmethod
    def of(cls, tables: _core.PatternTables) -> TableEvaluator:
        """Of tables that are in memory, such as a learner's; what it learns is seen at once."""
        made = cls.__new__(cls)
        made.tables, made.patterns = tables, tables.set
        return made

    # -- positions ----------------------------------------------------------------------------

    def evaluate(self, board: Sequence[int] | npt.NDArray[Any], player: int) -> float:
        """The score of one position.

        Args:
            board: 64 cells a1, b1, ... h8 (or 8 x 8, the first row is rank 1): 0 empty, 1 black,
                2 white.
            player: whose move it is, 1 black or 2 white.

        Returns: discs by which black is ahead at the end, as the tables expect; not cut to 64. A
            finished game is judged like any other position, not counted.

        Raises:
            GameError: another number of cells, another value, or an empty square in the centre,
                which no game has; the sentence names the square.
        """
        cells = _cells(board)
        if len(cells) != 1:
            raise GameError(f"evaluate takes one board; evaluate_many takes {len(cells)} at once")
        return float(self._scores(cells, _movers(player, 1))[0])

    def evaluate_many(
        self, boards: npt.ArrayLike, players: npt.ArrayLike
    ) -> npt.NDArray[np.float32]:
        """The scores of many positions.

        Args:
            boards: integers [n, 64] or [n, 8, 8], or one board [64] or [8, 8]; see
                :meth:`evaluate`. Arrays of uint8 in C order are not copied.
            players: integers [n], or one for all.

        Returns: f32[n], see :meth:`evaluate`; exact, they are multiples of 1/256.

        Raises:
            GameError: see :meth:`evaluate`; the sentence names the board too.
        """
        cells = _cells(boards)
        return self._scores(cells, _movers(players, len(cells)))

    def _scores(
        self, cells: npt.NDArray[np.uint8], movers: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        found = self.tables.evaluate(cells, movers)  # refuses other values, and says where
        for square in _CENTRE:
            empty = cells[:, square] == 0
            if empty.any():
                raise GameError(
                    f"board {int(np.argmax(empty))} has no disc on {SQUARES[square]}: the four "
                    "squares in the centre are never empty"
                )
        scores = found.astype(np.float32)
        scores *= np.where(movers == 1, np.float32(1 / DISC), np.float32(-1 / DISC))
        scores += 0.0  # no negative zeros
        return scores

    # -- weights ------------------------------------------------------------------------------

    def weight(self, pattern: int, stage: int, index: int) -> int:
        """One weight; 32768 is 0 discs, 256 more is one disc for the side to move.

        Args:
            pattern: its number, from 0.
            stage: 0 to 29, two discs each: (discs on the board - 4) // 2.
            index: of the contents in base 3, the first square of the pattern counts ones: 0 empty,
                1 a disc of the side to move, 2 of the other.

        Raises:
            GameError: one of them is not there.
        """
        for name, value in (("pattern", pattern), ("stage", stage), ("index", index)):
            if not 0 <= value < 2**31:
                raise GameError(f"there is no {name} {value}: they count from 0")
        return self.tables.weight(pattern, stage, index)

    def weights(self, pattern: int, stage: int) -> npt.NDArray[np.uint16]:
        """All weights of a pattern in a stage, u16[contents], a copy.

        Raises:
            GameError: no such pattern or stage.
        """
        return self.tables.weights(pattern, stage)

    def learned(
        self, pattern: int | None = None, stage: int | None = None
    ) -> dict[tuple[int, int, int], int]:
        """Weights that are not neutral, by (pattern, stage, index).

        Trained tables have millions of them: name a pattern, a stage or both.

        Raises:
            GameError: no such pattern or stage.
        """
        found = {}
        for one in range(len(self.patterns)) if pattern is None else (pattern,):
            for at in range(self.patterns.stages) if stage is None else (stage,):
                weights = self.weights(one, at)
                for index in np.flatnonzero(weights != NEUTRAL).tolist():
                    found[one, at, index] = int(weights[index])
        return found

    def describe(self) -> list[dict[str, Any]]:
        """Each pattern: ``name``, ``placements`` (lists of squares, 0 is a1), ``contents``."""
        return [
            {key: one[key] for key in ("name", "placements", "contents")}
            for one in described(self.patterns)
        ]


def _integers(values: npt.ArrayLike, what: str) -> npt.NDArray[Any]:
    """An array of integers, without changing any.

    Raises:
        GameError: other numbers, or rows of different lengths.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise GameError(f"{what} have rows of different lengths") from error
    if array.dtype.kind not in "iu":
        raise GameError(f"{what} must be integers, not {array.dtype}")
    return array


def _cells(boards: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Boards as u8[n, 64], values still unchecked up to 255.

    Raises:
        GameError: another shape or kind of number, or a value that no byte can hold.
    """
    array = _integers(boards, "boards")
    square = array.shape[-2:] == (8, 8)
    if (square and array.ndim <= 3) or (array.shape[-1:] == (64,) and array.ndim <= 2):
        flat = array.reshape(-1, 64)
    elif array.ndim == 1:
        raise GameError(f"a board has 64 cells, not {len(array)}")
    else:
        raise GameError(
            f"boards have the shape [64], [8, 8], [n, 64] or [n, 8, 8], not {list(array.shape)}"
        )
    if flat.dtype != np.uint8:
        wrong = (flat < 0) | (flat > 2)
        if wrong.any():
            row, cell = (int(at[0]) for at in np.nonzero(wrong))
            raise GameError(
                f"board {row} has {int(flat[row, cell])} on {SQUARES[cell]}; a cell is 0 "
                "(empty), 1 (black) or 2 (white)"
            )
    return np.ascontiguousarray(flat, np.uint8)


def _movers(players: npt.ArrayLike, boards: int) -> npt.NDArray[np.uint8]:
    """Sides to move as u8[n].

    Raises:
        GameError: neither one nor as many as boards, or another value than 1 and 2.
    """
    array = _integers(players, "players")
    if array.ndim == 0:
        array = np.full(boards, array)
    if array.shape != (boards,):
        raise GameError(f"{boards} boards want {boards} players, not {list(array.shape)}")
    wrong = (array != 1) & (array != 2)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise GameError(
            f"board {row} has {int(array[row])} as the side to move; it is 1 (black) or 2 (white)"
        )
    return np.ascontiguousarray(array, np.uint8)


def load_tables(source: str | Path, model: str = "champion") -> tuple[Arrays, dict[str, Any]]:
    """Arrays of pattern tables, verified, and the JSON that describes them.

    Args:
        source: a run directory, a checkpoint (``.ckpt``) or a file of ``models/``.
        model: of a run: ``champion``, ``first``, a unit's number, or a file as named.

    Raises:
        RunError: neither of these, no such model, or damaged; also its subclasses.
    """
    from ludus.runs import Run, is_run, read_checkpoint
    from ludus.runs.models import model_file

    path = Path(source)
    if not is_run(path):
        if not path.is_file():
            raise RunError(f"{path} is neither a run nor a file of pattern tables")
        if path.suffix == ".ckpt":
            found, header = read_checkpoint(path)
            arrays = {
                name.removeprefix(_PREFIX): np.asarray(array)
                for name, array in found.items()
                if name.startswith(_PREFIX)
            }
            return arrays, dict((header.meta.get("meta") or {}).get("tables") or {})
        return _of_file(path)
    opened = Run.open(path, write=False)
    if model == "champion":
        ref = opened.manifest.objects.get("champion")
        if ref is None:
            raise RunError(f"run {path} has no champion yet; let it finish its first iteration")
        if ref.kind != KIND:
            raise RunError(f"the champion of {path} is no pattern table but a {ref.kind}")
        arrays, meta = opened.get_object(ref)
        return dict(arrays), dict(meta)
    return _of_file(model_file(opened.path, model))


def _of_file(path: Path) -> tuple[Arrays, dict[str, Any]]:
    from ludus.runs.models import read_model

    arrays, meta = read_model(path)
    if "patterns" not in meta:
        raise CorruptError(f"{path} carries no description of pattern tables")
    return arrays, meta
