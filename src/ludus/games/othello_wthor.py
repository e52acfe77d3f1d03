"""The WTHOR base: tournament games of Othello in three binary files.

``wth_2004.wtb`` has the games of a year, ``wthor.jou`` the names of players and ``wthor.trn`` those
of tournaments, which games name by number. All begin with a header of 16 bytes, little-endian:
century, year, month and day of the file (u8 each), games (u32), names (u16), year of the games
(u16), size of the board (u8; 0 and 8 are 8), type (u8; 1 is a base of solitaires), depth (u8) from
which the theoretical scores are exact, a spare byte. A game has 68 bytes: numbers of tournament,
black and white (u16 each), black's discs and its theoretical discs (u8 each), then up to 60 moves
of a byte, 10 * rank + file, passes left out, the rest 0. Names are Latin-1 in 20 bytes (players) or
26 (tournaments), a 0 at the end. Format: Fédération Française d'Othello, "Format de la base WTHOR",
https://www.ffothello.org/wthor/Format_WThor.pdf.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import GameError
from ludus.games.formats import collect, read_bytes
from ludus.games.othello_position import PASS, START
from ludus.games.othello_records import OthelloRecord, checked

_HEADER = struct.Struct("<4BIHH4B")
_GAME = struct.Struct("<3H2B60s")
_PLAYER_BYTES, _TOURNAMENT_BYTES = 20, 26
_NAMES = {".jou": _PLAYER_BYTES, ".trn": _TOURNAMENT_BYTES}
_MOST_NAMES = 0xFFFF


@dataclass(frozen=True)
class Names:
    """Players and tournaments by number; games of names that are missing get "player 17"."""

    players: tuple[str, ...] = ()
    tournaments: tuple[str, ...] = ()


def parse_names(content: bytes, size: int, what: str) -> tuple[str, ...]:
    """The names of a ``.jou`` or ``.trn`` file.

    Args:
        content: the whole file.
        size: bytes of a name, 20 for players and 26 for tournaments.
        what: the file, for sentences.

    Raises:
        GameError: its length does not fit its header.
    """
    header = _header(content, what)
    count, rest = divmod(len(content) - _HEADER.size, size)
    if rest or count not in (header[4], header[5]):
        raise GameError(
            f"{what} is damaged: its header says {max(header[4], header[5])} names of {size} "
            f"bytes, and {len(content) - _HEADER.size} bytes follow"
        )
    body = content[_HEADER.size :]
    return tuple(
        body[at : at + size].split(b"\0")[0].decode("latin-1").strip()
        for at in range(0, len(body), size)
    )


def _header(content: bytes, what: str) -> tuple[int, ...]:
    if len(content) < _HEADER.size:
        raise GameError(
            f"{what} is no WTHOR file: it has {len(content)} bytes, and the header alone has 16"
        )
    return _HEADER.unpack_from(content)


def parse_wthor(
    content: bytes,
    names: Names | None = None,
    problems: list[str] | None = None,
    what: str = "this file",
) -> list[OthelloRecord]:
    """The games of a ``.wtb`` file.

    Args:
        content: the whole file.
        names: from the files beside it.
        problems: as in :class:`~ludus.games.formats.RecordFormat`.
        what: the file, for sentences.

    Raises:
        GameError: the file is cut off or has another board; a game with a byte that is no square,
            an illegal move, a number without a name, or another result than that of its board.
    """
    header = _header(content, what)
    games, year, size, kind = header[4], header[6], header[7], header[8]
    body = content[_HEADER.size :]
    if len(body) != games * _GAME.size:
        raise GameError(
            f"{what} is damaged: its header says {games} games, which are {games * _GAME.size} "
            f"bytes, and {len(body)} bytes follow"
        )
    if size not in (0, 8) or kind == 1:
        board = "a base of solitaires" if kind == 1 else f"of a board of size {size}"
        raise GameError(f"{what} is {board}; only games on 8 x 8 squares are read")
    parts = [body[at : at + _GAME.size] for at in range(0, len(body), _GAME.size)]
    known = names or Names()
    return collect(parts, lambda number, part: _parse_game(number, part, known, year), problems)


def _parse_game(number: int, part: bytes, names: Names, year: int) -> OthelloRecord:
    tournament, black, white, discs, theoretical, moves = _GAME.unpack(part)
    for score in (discs, theoretical):
        if score > 64:
            raise GameError(f"game {number} gives black {score} discs; a board has 64")
    squares = moves.rstrip(b"\0")
    actions = []
    for place, byte in enumerate(squares, 1):
        rank, file = divmod(byte, 10)
        if not (1 <= rank <= 8 and 1 <= file <= 8):
            raise GameError(
                f"move {place} of game {number} is the byte {byte}, which is no square: squares "
                "are 10 * rank + file, 11..88"
            )
        actions.append(8 * (rank - 1) + file - 1)
    record = OthelloRecord(
        tuple(actions),
        black=_name(names.players, black, "player", number),
        white=_name(names.players, white, "player", number),
        event=_name(names.tournaments, tournament, "tournament", number),
        date=str(year) if year else "",
        result=2.0 * discs - 64,
        theoretical=2 * theoretical - 64,
    )
    return checked(record, number=number)


def _name(names: tuple[str, ...], index: int, what: str, number: int) -> str:
    if not names:
        return f"{what} {index}"
    if index >= len(names):
        raise GameError(
            f"game {number} names {what} {index}, but there are only {len(names)}, from 0"
        )
    return names[index]


def wthor_files(
    records: Sequence[OthelloRecord],
    *,
    year: int | None = None,
    created: datetime.date | None = None,
) -> dict[str, bytes]:
    """Games as the three files, by the ends of their names.

    Args:
        records: games from the start of the rules.
        year: of the games; the year of ``created`` by default.
        created: date of the files; today by default.

    Raises:
        GameError: a game begins elsewhere, or has no result; two names are the same in the
            characters that the format has room for; more than 65,535 names.
    """
    day = created or datetime.date.today()
    players = _Index("players", _PLAYER_BYTES)
    tournaments = _Index("tournaments", _TOURNAMENT_BYTES)
    games = b"".join(
        _game_bytes(number, record, players, tournaments)
        for number, record in enumerate(records, 1)
    )

    def header(count: int, named: int, of_year: int, size: int) -> bytes:
        date = (day.year // 100, day.year % 100, day.month, day.day)
        return _HEADER.pack(*date, count, named, of_year, size, 0, 0, 0)

    return {
        ".wtb": header(len(records), 0, day.year if year is None else year, 8) + games,
        ".jou": header(0, len(players.names), 0, 0) + players.content(),
        ".trn": header(0, len(tournaments.names), 0, 0) + tournaments.content(),
    }


class _Index:
    """Names in the order in which they first occur."""

    def __init__(self, what: str, size: int) -> None:
        self.names: dict[str, int] = {}
        self._what = what
        self._size = size
        self._written: dict[bytes, str] = {}

    def number(self, name: str) -> int:
        if name not in self.names:
            written = self._bytes(name)
            if written in self._written:
                raise GameError(
                    f"the {self._what} {self._written[written]!r} and {name!r} are the same in the "
                    f"{self._size - 1} characters of Latin-1 that WTHOR has for a name"
                )
            if len(self.names) == _MOST_NAMES:
                raise GameError(f"there are more than {_MOST_NAMES:,} {self._what}")
            self._written[written] = name
            self.names[name] = len(self.names)
        return self.names[name]

    def _bytes(self, name: str) -> bytes:
        plain = name.replace("\0", "?").encode("latin-1", "replace")[: self._size - 1]
        return plain.ljust(self._size, b"\0")

    def content(self) -> bytes:
        return b"".join(self._bytes(name) for name in self.names)


def _game_bytes(number: int, record: OthelloRecord, players: _Index, tournaments: _Index) -> bytes:
    if record.start != START:
        raise GameError(f"game {number} does not begin at the start, which WTHOR cannot say")
    if record.result is None:
        raise GameError(f"game {number} has no result, which WTHOR wants")
    best = record.result if record.theoretical is None else float(record.theoretical)
    for score in (record.result, best):
        if score % 2 or abs(score) > 64:
            raise GameError(
                f"game {number} has the score {score:+g}; WTHOR wants an even difference of discs "
                "in -64..64"
            )
    moves = bytes(
        10 * (action // 8 + 1) + action % 8 + 1 for action in record.actions if action != PASS
    )
    return _GAME.pack(
        tournaments.number(record.event),
        players.number(record.black),
        players.number(record.white),
        *(round(64 + score) // 2 for score in (record.result, best)),
        moves,
    )


def read_wthor(path: Path, problems: list[str] | None = None) -> list[OthelloRecord]:
    """The games of a file, with the names from the files beside it.

    These are those of the same name, else ``wthor.jou`` and ``wthor.trn``, in any case of letters.
    """
    beside = {file.name.lower(): file for file in path.absolute().parent.glob("*")}

    def names(end: str) -> tuple[str, ...]:
        for name in (path.stem.lower() + end, "wthor" + end):
            if name in beside:
                return parse_names(read_bytes(beside[name]), _NAMES[end], beside[name].name)
        return ()

    found = Names(names(".jou"), names(".trn"))
    return parse_wthor(read_bytes(path), found, problems, path.name)


def write_wthor(records: Sequence[OthelloRecord]) -> dict[str, bytes]:
    """A file of games and its names (see :class:`~ludus.games.formats.RecordFormat`)."""
    return wthor_files(records)
