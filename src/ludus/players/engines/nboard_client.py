"""An engine that speaks the NBoard protocol, version 2.

Every question is a position of its own, written as a game that begins there: engines need no memory
of the game. ``ping`` and ``pong`` around it make sure that an answer belongs to its question.

Protocol: C. Welty, "NBoard Protocol", https://github.com/weltyc/ntest, instructions/Protocol.htm.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ludus import _core
from ludus.errors import GameError
from ludus.games.protocols import NBoardGame
from ludus.players.engines.process import EngineProcess, shown
from ludus.players.engines.spec import EngineOptions

if TYPE_CHECKING:
    from ludus.players.spec import PlayableGame

DEPTH = 10
"""Plies that an engine looks ahead where nothing is said: the protocol wants a number."""

CLOCK = 900.0
"""Seconds of a game that it is told of likewise."""

_MOST_LINES = 100_000
"""Lines before an answer that are read before an engine is said to talk at random."""


class NBoardEngine:
    """One process that speaks NBoard.

    Raises:
        PlayerError: it cannot be started.
    """

    def __init__(self, options: EngineOptions, game: PlayableGame, adapter: NBoardGame) -> None:
        self._game, self._adapter = game, adapter
        self._patience = options.patience
        self._clock = CLOCK if options.clock is None else float(options.clock)
        self._process = EngineProcess(options.command, options.name, options.folder)
        self._pings = 0
        self._depth = DEPTH if options.depth is None else options.depth

    def greet(self) -> None:
        """The first words, once.

        Raises:
            PlayerError: it does not speak the protocol.
        """
        self._send("nboard 2")
        self._send(f"set depth {self._depth}")
        self._ping()

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def kill(self) -> None:
        """End it at once; by any thread."""
        self._process.kill()

    def choose(self, state: _core.State) -> int:
        """The engine's move.

        Args:
            state: a decision that is more than a forced pass.

        Raises:
            PlayerError: no legal move came back.
        """
        self._send(f"set game {self._adapter.write(state, (), self._clock)}")
        self._ping()
        self._send("go")
        said = self._answer("go", lambda line: line.startswith("===")).removeprefix("===").strip()
        try:
            word = re.split(r"[/\s]", said, maxsplit=1)[0]
            if not word or word.isdecimal():
                raise GameError("that is no square")
            return self._game.parse_action(state, word)
        except GameError as error:
            raise self._process.failure(
                f"it answered {shown('=== ' + said)} to 'go', no legal move in "
                f"{self._game.position_text(state)} ({error})"
            ) from None

    def passed(self, state: _core.State) -> None:
        """A forced pass was played for it: nothing to remember."""

    # -- inside --------------------------------------------------------------------------------

    def _send(self, line: str) -> None:
        self._process.send(line, self._patience)

    def _ping(self) -> None:
        self._pings += 1
        asked = f"ping {self._pings}"
        self._send(asked)
        self._answer(asked, lambda line: line.split() == ["pong", str(self._pings)])

    def _answer(self, asked: str, wanted: Callable[[str], bool]) -> str:
        """The first line that is wanted; all others are passed over."""
        deadline = time.monotonic() + self._patience
        for _ in range(_MOST_LINES):
            line = self._process.line(asked, deadline, self._patience).strip()
            if wanted(line):
                return line
        raise self._process.failure(
            f"it wrote {_MOST_LINES} lines when asked {shown(asked)}, and no answer among them"
        )
