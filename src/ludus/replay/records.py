"""Game records in columns: the durable truth of finished games.

Three levels of rows: games; plies (game g owns the next ``plies[g]`` rows); edges, one for each
search action of a searched ply (ply p owns the next ``edges[p]`` rows).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.errors import CorruptError
from ludus.nets import GameShape

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]

_GAME_COLUMNS: dict[str, type[np.generic]] = {
    "game_id": np.int64,
    "seed": np.uint64,
    "plies": np.int32,
    "opening": np.int32,
}
_SEAT_COLUMNS: dict[str, type[np.generic]] = {
    "returns": np.float32,
    "scores": np.float32,
    "seat_players": np.int8,
}
_PLY_COLUMNS: dict[str, type[np.generic]] = {
    "action": np.uint16,
    "seat": np.uint8,
    "kind": np.uint8,
    "outcome": np.int32,
    "flags": np.uint8,
    "rule": np.uint8,
    "temperature": np.float16,
    "simulations": np.uint16,
    "root_value": np.float16,
    "q_variance": np.float16,
    "edges": np.uint16,
}
_EDGE_COLUMNS: dict[str, type[np.generic]] = {
    "visits": np.uint16,
    "q": np.float16,
    "prior": np.float16,
}
COLUMN_TYPES = {**_GAME_COLUMNS, **_SEAT_COLUMNS, **_PLY_COLUMNS, **_EDGE_COLUMNS}
"""Element type of every column; the columns of ``ludus._core.Slots.finished()``."""

PLY_BYTES = sum(np.dtype(kind).itemsize for kind in _PLY_COLUMNS.values())
EDGE_BYTES = sum(np.dtype(kind).itemsize for kind in _EDGE_COLUMNS.values())
"""Of a stored ply, and of each legal action of a searched one."""


def _current(columns: Columns) -> dict[str, Array]:
    """Columns of any version that can be read as those of today: outcomes had 16 bits in 1."""
    out = dict(columns)
    if "outcome" in out and out["outcome"].dtype == np.int16:
        out["outcome"] = out["outcome"].astype(np.int32)
    return out


def _starts(counts: Array) -> npt.NDArray[np.int64]:
    """i64[n + 1]: where each owner's rows begin, and where the last one's end."""
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def _ranges(starts: Array, owners: Array) -> npt.NDArray[np.int64]:
    """Row numbers that belong to the owners, in their order."""
    lengths = starts[owners + 1] - starts[owners]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts[owners] - (ends - lengths), lengths) + np.arange(total, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class GameRecords:
    """Records of any number of games; the arrays are not changed.

    Attributes:
        columns: arrays by name: of games (game_id, seed, plies, opening, returns, scores,
            seat_players), of plies (action, seat, kind, outcome, flags, rule, temperature,
            simulations, root_value, q_variance, edges) and of edges (visits, q, prior).
    """

    columns: dict[str, Array]

    def __init__(self, columns: Columns) -> None:
        """Take columns whose names, types and lengths agree.

        Args:
            columns: exactly the names of :data:`COLUMN_TYPES`; those of format 1 are converted.

        Raises:
            CorruptError: a column is missing, unknown, of another type or length.
        """
        object.__setattr__(self, "columns", _current(columns))
        self._check_shapes()

    def _check_shapes(self) -> None:
        columns = self.columns
        if set(columns) != set(COLUMN_TYPES):
            odd = sorted(set(columns) ^ set(COLUMN_TYPES))
            raise CorruptError(f"game records have missing or unknown columns: {', '.join(odd)}")
        for name, kind in COLUMN_TYPES.items():
            if columns[name].dtype != np.dtype(kind):
                raise CorruptError(
                    f"game records: column {name} is {columns[name].dtype}, not {np.dtype(kind)}"
                )
        games = len(columns["game_id"])
        if (columns["plies"] < 0).any():
            raise CorruptError("game records: a game has a negative number of plies")
        plies = int(columns["plies"].sum(dtype=np.int64))
        edges = int(columns["edges"].sum(dtype=np.int64))
        levels = ((_GAME_COLUMNS, games), (_PLY_COLUMNS, plies), (_EDGE_COLUMNS, edges))
        for names, length in levels:
            for name in names:
                if columns[name].shape != (length,):
                    raise CorruptError(
                        f"game records: column {name} has shape {list(columns[name].shape)}, "
                        f"but [{length}] follows from the others"
                    )
        seats = columns["returns"].shape[1:]
        for name in _SEAT_COLUMNS:
            if columns[name].ndim != 2 or columns[name].shape != (games, *seats):
                raise CorruptError(
                    f"game records: column {name} has shape {list(columns[name].shape)}, "
                    f"but it must be [{games}, seats] as in returns"
                )

    def __len__(self) -> int:
        """Number of games."""
        return len(self.columns["game_id"])

    @property
    def samples(self) -> int:
        """Number of plies, each of which can become a training row."""
        return len(self.columns["action"])

    @property
    def game_ids(self) -> npt.NDArray[np.int64]:
        """i64[games]."""
        return self.columns["game_id"]

    @property
    def seats(self) -> int:
        """Seats of the game."""
        return int(self.columns["returns"].shape[1])

    @property
    def seats_in_play(self) -> npt.NDArray[np.bool_]:
        """Which seats of each game somebody plays, ``bool[games, seats]``."""
        taken: npt.NDArray[np.bool_] = self.columns["seat_players"] >= 0
        return taken

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(array.nbytes for array in self.columns.values())

    @classmethod
    def empty(cls, seats: int) -> GameRecords:
        """Records of no game."""
        return cls(
            {
                name: np.zeros((0, seats) if name in _SEAT_COLUMNS else 0, kind)
                for name, kind in COLUMN_TYPES.items()
            }
        )

    @classmethod
    def concatenate(cls, parts: Sequence[GameRecords], seats: int = 2) -> GameRecords:
        """All games in the order given; ``seats`` matters only when there are no parts."""
        if not parts:
            return cls.empty(seats)
        if len(parts) == 1:
            return parts[0]
        return cls(
            {name: np.concatenate([part.columns[name] for part in parts]) for name in COLUMN_TYPES}
        )

    def take(self, games: npt.ArrayLike) -> GameRecords:
        """The games at these positions (not ids), in this order.

        Args:
            games: i64[k], each in [0, len(self)).
        """
        chosen = np.asarray(games, np.int64)
        plies = _ranges(_starts(self.columns["plies"]), chosen)
        edges = _ranges(_starts(self.columns["edges"]), plies)
        rows = dict.fromkeys(_EDGE_COLUMNS, edges) | dict.fromkeys(_PLY_COLUMNS, plies)
        return GameRecords(
            {name: array[rows.get(name, chosen)] for name, array in self.columns.items()}
        )

    def slice(self, begin: int, end: int) -> GameRecords:
        """The games at positions [begin, end)."""
        return self.take(np.arange(len(self))[begin:end])

    def sorted(self) -> GameRecords:
        """The same games in ascending order of id."""
        order = np.argsort(self.game_ids, kind="stable")
        if (order == np.arange(len(order))).all():
            return self
        return self.take(order)

    def rows(self) -> Iterator[tuple[int, int]]:
        """Position of the game and ply, for every sample in order."""
        for game, plies in enumerate(self.columns["plies"].tolist()):
            for ply in range(plies):
                yield game, ply

    def digest(self) -> str:
        """SHA-256 over all columns."""
        digest = hashlib.sha256()
        for name in sorted(self.columns):
            array = np.ascontiguousarray(self.columns[name])
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def validate(self, game: GameShape) -> None:
        """Check what the rules of every game imply; the decoder checks the rest when it replays.

        Args:
            game: gives seats and number of actions.

        Raises:
            CorruptError: numbers out of range or not finite, an id twice, a game without plies,
                edges that contradict the flags; the sentence names the game and the ply.
        """
        columns = self.columns
        if self.seats != game.num_seats:
            raise CorruptError(
                f"game records have {self.seats} seats, but {game.name} has {game.num_seats}"
            )
        ids = columns["game_id"]
        owner = np.repeat(np.arange(len(self)), columns["plies"])
        first = _starts(columns["plies"])

        def refuse_games(bad: Any, what: str) -> None:
            if bad.any():
                raise CorruptError(f"game {ids[int(np.argmax(bad))]} of these records {what}")

        def refuse_plies(bad: Any, what: str) -> None:
            if bad.any():
                row = int(np.argmax(bad))
                game_row = int(owner[row])
                raise CorruptError(
                    f"game {ids[game_row]}, ply {row - first[game_row]} of these records {what}"
                )

        unique, counts = np.unique(ids, return_counts=True)
        if (counts > 1).any():
            raise CorruptError(f"game {unique[np.argmax(counts > 1)]} is twice in these records")
        refuse_games(ids < 0, "has a negative id")
        refuse_games(columns["plies"] <= 0, "has no plies")
        # Written so that NaN is refused too.
        refuse_games(~(np.abs(columns["returns"]) <= 1).all(1), "has a return outside [-1, 1]")
        refuse_games(~np.isfinite(columns["scores"]).all(1), "has a score that is not finite")
        refuse_plies(columns["action"] >= game.num_actions, "has an action outside the game")
        refuse_plies(columns["seat"] >= game.num_seats, "has a seat outside the game")
        refuse_plies(~(np.abs(columns["root_value"]) <= 1), "has a root value outside [-1, 1]")
        variance = columns["q_variance"]
        refuse_plies(
            ~((variance >= 0) & np.isfinite(variance)), "has a variance of Q that is no number >= 0"
        )
        refuse_plies(~np.isfinite(columns["temperature"]), "has a temperature that is not finite")
        refuse_plies(
            (columns["flags"] & 1 != 0) & (columns["edges"] == 0),
            "is marked as searched, but has no edges",
        )
        if self.columns["visits"].size:
            edge_owner = np.repeat(np.arange(self.samples), columns["edges"])
            bad_edges = ~(np.abs(columns["q"]) <= 1) | ~(
                (columns["prior"] >= 0) & (columns["prior"] <= 1)
            )
            bad_plies = np.zeros(self.samples, bool)
            bad_plies[edge_owner[bad_edges]] = True
            refuse_plies(bad_plies, "has a Q outside [-1, 1] or a prior outside [0, 1]")
