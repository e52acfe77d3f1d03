"""Specifications of external engines: ``gtp:COMMAND`` and ``nboard:COMMAND``, with options.

What follows the colon is the engine's command line, in words as a shell would read them: spaces
separate, quotes (``"..."`` or ``'...'``) hold together, a backslash takes the next character as it
is. No shell ever sees it. A comma outside quotes ends the command, and options follow::

    gtp:/opt/edax/lEdax -gtp -l 6
    nboard:./mEdax -nboard,depth=8,folder=/opt/edax
    gtp:"/opt/my engines, old/zebra" --gtp,seconds=2

So a path with spaces, commas or quotes in it is written in quotes or with backslashes; colons and
equals signs mean nothing within a command.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ludus.errors import PlayerError
from ludus.players.options import require_number

COMMAND = "command"
"""Under this key the options of a specification hold the command line, for :func:`shlex.split`."""

_COMMON: Mapping[str, str] = {
    "patience": "seconds that an engine has for each answer; default: 60",
    "folder": "where the engine starts; default: here",
}

ENGINE_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "gtp": {"seconds": "whole seconds of a move, as the engine is told", **_COMMON},
    "nboard": {
        "depth": "plies that the engine is told to look ahead; default: 10",
        "clock": "seconds of a game, as the engine is told; default: 900",
        **_COMMON,
    },
}
"""Options of an engine by protocol."""

_INTEGERS = {"seconds": 86_400, "depth": 100, "clock": 864_000}
"""Their largest values; the least is 1."""


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is started and asked.

    Attributes:
        name: how sentences call it: its specification.
        command: program, an absolute path, and arguments.
        folder: in which it starts; None: where Ludus runs.
        patience: seconds that it has for each answer.
        seconds: of a move, told to the engine; None: nothing is said.
        depth: plies, likewise.
        clock: seconds of a game, likewise.
    """

    name: str
    command: tuple[str, ...]
    folder: str | None = None
    patience: float = 60.0
    seconds: int | None = None
    depth: int | None = None
    clock: int | None = None


def split_engine(spec: str, rest: str) -> dict[str, str]:
    """The command under :data:`COMMAND` and the options, unchecked.

    Args:
        spec: the whole specification, for sentences.
        rest: what follows the first colon.

    Raises:
        PlayerError: no command, a quote without its end, an option of another form or twice.
    """
    fields = _fields(spec, rest)
    if not fields[0]:
        raise PlayerError(f"player {spec!r} needs a command, such as {spec.split(':')[0]}:/path")
    options = {COMMAND: shlex.join(fields[0])}
    for words in fields[1:]:
        text = " ".join(words)
        key, equals, value = text.partition("=")
        if not text:
            continue
        if len(words) != 1 or not (equals and key and value):
            raise PlayerError(
                f"player {spec!r}: {text!r} must have the form option=value; a comma that belongs "
                "to the command stands in quotes or behind a backslash"
            )
        if key in options:
            raise PlayerError(f"player {spec!r}: option {key} is given twice")
        options[key] = value
    return options


def engine_options(spec: str, protocol: str, options: Mapping[str, str]) -> EngineOptions:
    """The options of :func:`split_engine`, checked.

    Raises:
        PlayerError: an option that the protocol lacks, a value out of range, a folder or program
            that is not there.
    """
    known = ENGINE_OPTIONS[protocol]
    for key in options:
        if key not in known and key != COMMAND:
            raise PlayerError(
                f"player {protocol} has no option {key!r}: its options are {', '.join(known)}"
            )
    numbers = {
        key: require_number(spec, key, options[key], 1, high, int)
        for key, high in _INTEGERS.items()
        if key in options
    }
    patience = options.get("patience", "60")
    folder = options.get("folder")
    if folder is not None:
        folder = str(Path(folder).expanduser())
        if not Path(folder).is_dir():
            raise PlayerError(f"player {spec!r}: there is no folder {folder}")
    words = shlex.split(options[COMMAND])
    program = _program(spec, words[0], folder)
    return EngineOptions(
        name=spec,
        command=(program, *words[1:]),
        folder=folder,
        patience=require_number(spec, "patience", patience, 0.01, 86_400, float),
        **numbers,
    )


def _program(spec: str, word: str, folder: str | None) -> str:
    """The file that a command's first word means."""
    if "/" in word:
        path = Path(folder or ".", Path(word).expanduser()).absolute()
        if not path.is_file():
            quotes = " (a path with spaces stands in quotes)" if " " in spec else ""
            raise PlayerError(f"player {spec!r}: there is no program {word}{quotes}")
        if not os.access(path, os.X_OK):
            raise PlayerError(f"player {spec!r}: {word} is no program that may be started")
        return str(path)
    found = shutil.which(word)
    if found is None:
        raise PlayerError(f"player {spec!r}: there is no program {word} in PATH")
    return found


def _fields(spec: str, text: str) -> list[list[str]]:
    """Words of the parts between commas."""
    fields: list[list[str]] = [[]]
    word: str | None = None  # the one that is being read
    quote = ""
    escaped = False
    for char in text:
        if escaped:
            word, escaped = (word or "") + char, False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            if char == quote:
                quote = ""
            else:
                word = (word or "") + char
        elif char in "\"'":
            word, quote = word or "", char
        elif char.isspace() or char == ",":
            if word is not None:
                fields[-1].append(word)
            word = None
            if char == ",":
                fields.append([])
        else:
            word = (word or "") + char
    if quote or escaped:
        what = f"a quote {quote}" if quote else "a backslash"
        raise PlayerError(f"player {spec!r} ends within {what}")
    if word is not None:
        fields[-1].append(word)
    return fields
