"""Game records in the world's formats: what a game offers, found by the end of a file's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludus.errors import GameError, UserError
from ludus.reading import read_regular

_LARGEST = 256 << 20
"""Bytes of a file of game records; all of its games are held at once."""


@dataclass(frozen=True)
class RecordFormat:
    """One format of game records.

    Attributes:
        about: one line.
        read: all games of a file, as records of the game's own type; the rules have played each
            of them again. With a list, games that are bad are left out and the sentences on them
            appended to it; without, the first one raises :class:`GameError`. What makes the rest
            unreadable raises in any case.
        write: what the file holds, and other files that belong to it, by the ends of their names.
            Raises :class:`GameError` for a game that the format cannot hold.
    """

    about: str
    read: Callable[[Path, list[str] | None], list[Any]]
    write: Callable[[Sequence[Any]], Mapping[str, bytes]]


def format_of(
    formats: Mapping[str, RecordFormat], path: Path, game: str
) -> tuple[str, RecordFormat]:
    """The end of a file's name and the format that it stands for.

    Raises:
        UserError: there is no such format; the sentence lists those that there are.
    """
    suffix = path.suffix.lower()
    if suffix in formats:
        return suffix, formats[suffix]
    if not formats:
        raise UserError(f"{game} has no format for game records")
    known = ", ".join(f"{end} ({one.about})" for end, one in formats.items())
    raise UserError(
        f"{path.name}: no format of {game} has files that end like this; there are {known}"
    )


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        UserError: it cannot be read; the sentence names it.
    """
    try:
        return read_regular(path, _LARGEST)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def read_text(path: Path) -> str:
    """A text file, in UTF-8 or, where it is none, in Latin-1, which old records are written in."""
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def write_files(path: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write what :attr:`RecordFormat.write` gave to new files beside each other.

    Returns: the files.

    Raises:
        UserError: one of them exists, or cannot be written.
    """
    files = {path.with_suffix(end): content for end, content in contents.items()}
    for file in files:
        if file.exists():
            raise UserError(f"{file} exists; name a file that does not")
    for file, content in files.items():
        try:
            with open(file, "xb") as out:
                out.write(content)
        except OSError as error:
            raise UserError(f"{file}: {error.strerror or error}") from None
    return list(files)


def collect(
    parts: Sequence[Any], read: Callable[[int, Any], Any], problems: list[str] | None
) -> list[Any]:
    """Games one by one, numbered from 1; bad ones as in :attr:`RecordFormat.read`."""
    found = []
    for number, part in enumerate(parts, 1):
        try:
            found.append(read(number, part))
        except GameError as error:
            if problems is None:
                raise
            problems.append(str(error))
    return found
