"""An engine that speaks the Go Text Protocol, version 2, as games other than Go use it.

The protocol has no way to set up a position, and a chooser is given positions only. So the moves
that lead to a position are kept: whatever may follow the engine's own move is known beforehand, and
the way to the first position of a game is searched.

Protocol: G. Farneback, "Specification of the Go Text Protocol, version 2, draft 2", 2002.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from ludus import _core
from ludus.errors import GameError
from ludus.games.protocols import GtpGame
from ludus.players.engines.process import EngineProcess, shown
from ludus.players.engines.spec import EngineOptions

if TYPE_CHECKING:
    from ludus.players.spec import PlayableGame

_MOST_LINES = 10_000
"""Lines of an answer that are read before an engine is said to talk at random."""

_KEPT = 50_000
"""Positions whose moves are kept; the oldest go first."""


class Ways:
    """Moves that lead to positions, shared by all engines of a player.

    A way that was found once is known again by the position, whatever game it comes up in: rules of
    such games depend on nothing else.
    """

    def __init__(self, adapter: GtpGame) -> None:
        self._adapter = adapter
        self._known: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def to(self, state: _core.State) -> tuple[int, ...]:
        """Actions from the start to a position.

        Raises:
            GameError: none is known, and none was found.
        """
        packed = state.packed()
        with self._lock:
            way = self._known.get(packed)
        if way is None:
            way = tuple(self._adapter.way(state))
            self._keep({packed: way})
        return way

    def played(self, state: _core.State, way: tuple[int, ...], action: int) -> None:
        """Note what may come after an action that was played at the end of a way."""
        after = state.copy()
        after.apply(action)
        found = {after.packed(): (*way, action)}
        if after.kind == "decision":
            for reply in after.legal().tolist():
                then = after.copy()
                then.apply(reply)
                found[then.packed()] = (*way, action, reply)
        self._keep(found)

    def _keep(self, found: dict[bytes, tuple[int, ...]]) -> None:
        with self._lock:
            for packed, way in found.items():
                self._known.setdefault(packed, way)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)


class GtpEngine:
    """One process that speaks GTP.

    Raises:
        PlayerError: it cannot be started.
    """

    def __init__(
        self, options: EngineOptions, game: PlayableGame, adapter: GtpGame, ways: Ways
    ) -> None:
        self._game, self._adapter, self._ways = game, adapter, ways
        self._patience, self._seconds = options.patience, options.seconds
        self._process = EngineProcess(options.command, options.name, options.folder)
        self._at: tuple[int, ...] | None = None  # moves on the engine's board

    def greet(self) -> None:
        """The first words, once.

        Raises:
            PlayerError: it does not speak the protocol, or not of this game.
        """
        version = self._must("protocol_version")
        if version not in ("1", "2"):
            raise self._process.failure(
                f"it answered {shown(version)} to 'protocol_version'; this is no engine for GTP 2"
            )
        known = self._ask("list_commands")
        if known[0] and "set_game" in known[1].split():
            self._must(f"set_game {self._adapter.name}")
        self._must(f"boardsize {self._adapter.size}")
        if self._seconds is not None:
            # So many seconds for each single move, from the first one on.
            self._must(f"time_settings 0 {self._seconds} 1")

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
            GameError: it cannot be told how the position came about.
        """
        way = self._ways.to(state)
        if self._at is None or way[: len(self._at)] != self._at:
            self._must("clear_board")
            self._at = ()
        self._catch_up(way)
        colour = self._adapter.colours[state.seat]
        asked = f"genmove {colour}"
        said = self._must(asked)
        self._at = None  # until its move is known
        action = self._legal(state, said, asked)
        self._at = (*way, action)
        self._ways.played(state, way, action)
        return action

    def passed(self, state: _core.State) -> None:
        """A forced pass was played for it: the game goes on from there."""
        self._ways.played(state, self._ways.to(state), self._adapter.passing)

    # -- inside --------------------------------------------------------------------------------

    def _catch_up(self, way: tuple[int, ...]) -> None:
        """Play on the engine's board what is missing there."""
        assert self._at is not None
        state = self._game.rules.initial()
        for number, action in enumerate(way):
            if number >= len(self._at):
                vertex = self._game.action_text(state, action).upper()
                self._must(f"play {self._adapter.colours[state.seat]} {vertex}")
            state.apply(action)

    def _legal(self, state: _core.State, said: str, asked: str) -> int:
        if said.lower() == "resign":
            raise self._process.failure(
                f"it resigned when asked {shown(asked)}; games are played to their end"
            )
        try:
            if said.isdecimal():
                raise GameError("that is a number")
            return self._game.parse_action(state, said)
        except GameError as error:
            raise self._process.failure(
                f"it answered {shown(said)} to {shown(asked)}, no legal move in "
                f"{self._game.position_text(state)} ({error})"
            ) from None

    def _must(self, command: str) -> str:
        good, text = self._ask(command)
        if not good:
            raise self._process.failure(f"it refused {shown(command)}: {shown(text)}")
        return text

    def _ask(self, command: str) -> tuple[bool, str]:
        """Send a command; whether it succeeded, and the answer."""
        seconds = self._patience
        deadline = time.monotonic() + seconds
        self._process.send(command, seconds)
        lines: list[str] = []
        for _ in range(_MOST_LINES):
            line = self._process.line(command, deadline, seconds)
            if not lines and not line.startswith(("=", "?")):
                continue  # a banner, a note: no answer
            if lines and not line.strip():
                first = lines[0][1:].lstrip("0123456789")
                return lines[0][0] == "=", "\n".join([first, *lines[1:]]).strip()
            lines.append(line)
        raise self._process.failure(
            f"it wrote {_MOST_LINES} lines when asked {shown(command)}, and no answer among them"
        )
