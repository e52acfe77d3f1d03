"""An external engine as a player: as many processes as are asked at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ludus import _core
from ludus.errors import PlayerError
from ludus.games.protocols import GtpGame, NBoardGame
from ludus.players.engines.gtp_client import GtpEngine, Ways
from ludus.players.engines.nboard_client import NBoardEngine
from ludus.players.engines.spec import engine_options
from ludus.players.player import Actions, ExternalPlayer, Keys, StateRows

if TYPE_CHECKING:
    from ludus.players.spec import PlayableGame


class Engine(Protocol):
    """One process that plays, used by one thread at a time."""

    def greet(self) -> None:
        """The first words; raises PlayerError."""
        ...

    def choose(self, state: _core.State) -> int:
        """Its move; raises PlayerError or GameError."""
        ...

    def passed(self, state: _core.State) -> None:
        """A forced pass was played for it."""
        ...

    def close(self) -> None:
        """End the process."""
        ...

    def kill(self) -> None:
        """End it at once; by any thread, while it is asked."""
        ...


class EngineChooser:
    """A chooser that asks engines; called from any lane.

    An engine serves one call at a time and is kept for the next one. One that failed is ended, and
    the sentence of its failure ends the match.

    Args:
        start: makes a further engine.
        game: the game.
        passing: the action that is played without asking where it is the only one.
    """

    def __init__(self, start: Callable[[], Engine], game: PlayableGame, passing: int) -> None:
        self._start, self._game, self._passing = start, game, passing
        self._idle: list[Engine] = []
        self._busy: set[Engine] = set()
        self._lock = threading.Lock()

    def __call__(self, states: StateRows, keys: Keys) -> Actions:
        """Actions ``i32[n]`` for packed positions ``u8[n, state_size]``, one after another.

        The keys are of no use: an engine draws its own random numbers.

        Raises:
            PlayerError: the engine cannot be started, has ended, hangs, or plays no legal move.
            GameError: a position that it cannot be told of.
        """
        actions = np.zeros(len(states), np.int32)
        if not len(states):
            return actions
        with self._lock:
            new = not self._idle
            engine = self._start() if new else self._idle.pop()
            self._busy.add(engine)
        try:
            if new:
                engine.greet()
            for i, packed in enumerate(states):
                actions[i] = self._choose(engine, self._game.rules.state(packed.tobytes()))
        except BaseException:
            with self._lock:
                self._busy.discard(engine)
            engine.close()
            raise
        with self._lock:
            self._busy.discard(engine)
            self._idle.append(engine)
        return actions

    def interrupt(self) -> None:
        """End the engines that are at work, by another thread: nobody waits for their answers."""
        with self._lock:
            for engine in self._busy:
                engine.kill()

    def close(self) -> None:
        """End all engines that are not at work; new ones are started when they are needed."""
        with self._lock:
            engines, self._idle = self._idle, []
        for engine in engines:
            engine.close()

    def _choose(self, engine: Engine, state: _core.State) -> int:
        if state.legal().tolist() == [self._passing]:
            engine.passed(state)
            return self._passing
        return engine.choose(state)


def engine_player(
    spec: str, protocol: str, options: Mapping[str, str], game: PlayableGame
) -> ExternalPlayer:
    """The player of a specification; no process is started yet.

    Args:
        spec: the whole specification, the player's name.
        protocol: ``gtp`` or ``nboard``.
        options: as of :func:`ludus.players.engines.spec.split_engine`.
        game: that is to be played.

    Raises:
        PlayerError: a game without this protocol, options that are wrong, a program that is not
            there.
    """
    adapter = game.protocols.get(protocol)
    chosen = engine_options(spec, protocol, options)
    start: Callable[[], Engine]
    if isinstance(adapter, GtpGame):
        gtp, ways = adapter, Ways(adapter)

        def start() -> Engine:
            return GtpEngine(chosen, game, gtp, ways)

    elif isinstance(adapter, NBoardGame):
        nboard = adapter

        def start() -> Engine:
            return NBoardEngine(chosen, game, nboard)

    else:
        raise PlayerError(f"{game.name} is not played over {protocol}, so {spec!r} cannot play it")
    return ExternalPlayer(EngineChooser(start, game, adapter.passing), spec)
