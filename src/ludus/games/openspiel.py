"""OpenSpiel's games behind the protocol of own games (Lanctot et al., arXiv:1908.09453).

``openspiel:tic_tac_toe`` or, with parameters, ``openspiel:breakthrough(rows=6,columns=6)``. Games
in which seats move in turn, with or without dice. What a seat cannot see makes a game *hidden*: it
can be played, but not searched or trained yet.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.errors import GameError
from ludus.games.game import Game, State
from ludus.games.own import MOST_ACTIONS, MOST_LEGAL, MOST_OUTCOMES, MOST_PLIES, MOST_SEATS


class OpenSpielGame(Game):
    """A game of OpenSpiel."""

    def __init__(self, spec: str) -> None:
        """Load a game.

        Args:
            spec: OpenSpiel's own notation, a name with parameters in brackets.

        Raises:
            GameError: OpenSpiel is missing, has no such game, or the game has simultaneous moves or
                something else that the protocol has no room for.
        """
        self._game = game = _load(spec)
        kind = game.get_type()
        import pyspiel

        def refuse(what: str) -> GameError:
            return GameError(f"openspiel:{spec} {what}")

        if kind.dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
            raise refuse("has simultaneous moves; Ludus plays games in which seats move in turn")
        if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
            raise refuse("does not list the outcomes of its chance events")
        shape = tuple(game.observation_tensor_shape()) if kind.provides_observation_tensor else ()
        if not shape:
            raise refuse("has no observations as numbers")
        for what, most in (
            (("players", game.num_players()), MOST_SEATS),
            (("actions", game.num_distinct_actions()), MOST_ACTIONS),
            (("decisions at most", game.max_game_length()), MOST_PLIES),
            (("outcomes of a chance event", game.max_chance_outcomes()), MOST_OUTCOMES),
        ):
            if what[1] > most:
                raise refuse(f"has {what[1]} {what[0]}; Ludus has room for {most}")
        self.name = "openspiel_" + re.sub(r"[^a-z0-9]+", "_", spec.lower()).strip("_")[:50]
        self.__doc__ = f"OpenSpiel: {kind.long_name}"
        self.num_seats = game.num_players()
        self.num_actions = game.num_distinct_actions()
        self.max_legal = min(self.num_actions, MOST_LEGAL)
        self.max_plies = game.max_game_length()
        self.max_outcomes = game.max_chance_outcomes()
        self.hidden = kind.information != pyspiel.GameType.Information.PERFECT_INFORMATION
        self.observation_shape = shape
        low, high = game.min_utility(), game.max_utility()
        self._scale = max(abs(low), abs(high))
        if not 0 < self._scale < math.inf:
            raise refuse(f"has utilities from {low} to {high}, which cannot be brought to -1..1")
        # A deal of several cards is one event here and several in a row there.
        start = game.new_initial_state()
        self._deals = start.is_chance_node() and any(
            start.child(outcome).is_chance_node() for outcome, _ in start.chance_outcomes()
        )
        if self._deals:
            ways = len(_deals(start, MOST_OUTCOMES))
            if ways > MOST_OUTCOMES:
                raise refuse(f"deals in more than {MOST_OUTCOMES} ways at the start")
            self.max_outcomes = max(self.max_outcomes, ways)
        self._observer = _observer(game)
        self._lock = threading.Lock()  # the observer has one array for all who ask

    def initial(self) -> State:
        """OpenSpiel's initial state."""
        return self._game.new_initial_state()

    def turn(self, state: State) -> int:
        """The current player."""
        if state.is_terminal():
            return self.OVER
        return self.CHANCE if state.is_chance_node() else int(state.current_player())

    def legal(self, state: State) -> Sequence[int]:
        """Legal actions; OpenSpiel keeps them ascending."""
        actions: list[int] = state.legal_actions()
        return actions

    def apply(self, state: State, action: int) -> State:
        """A copy in which the action was played."""
        child = state.clone()
        child.apply_action(action)
        return child

    def returns(self, state: State) -> Sequence[float]:
        """Utilities over the largest that the game can give."""
        return [utility / self._scale for utility in state.returns()]

    def observe(self, state: State, seat: int) -> npt.ArrayLike:
        """The observation tensor of a player, as OpenSpiel defines it for the game."""
        if self._observer is None:
            return np.array(state.observation_tensor(seat), np.float32).reshape(
                self.observation_shape
            )
        with self._lock:
            self._observer.set_from(state, seat)
            return np.array(self._observer.tensor, np.float32).reshape(self.observation_shape)

    def outcomes(self, state: State) -> Sequence[tuple[int, float]]:
        """The chance outcomes that can happen; of a deal its sequences, numbered."""
        if self._deals:
            return [(n, p) for n, (_, p) in enumerate(_deals(state, MOST_OUTCOMES))]
        return [(outcome, p) for outcome, p in state.chance_outcomes() if p > 0]

    def apply_outcome(self, state: State, outcome: int) -> State:
        """A copy in which the outcome happened."""
        if not self._deals:
            return self.apply(state, outcome)
        for step in _deals(state, MOST_OUTCOMES)[outcome][0]:
            state = self.apply(state, step)
        return state

    def scores(self, state: State) -> Sequence[float]:
        """Utilities as they are, at the end."""
        return list(state.returns()) if state.is_terminal() else [0.0] * self.num_seats

    def text(self, state: State) -> str:
        """OpenSpiel's drawing."""
        return str(state)

    def action_text(self, state: State, action: int) -> str:
        """OpenSpiel's notation."""
        return str(state.action_to_string(state.current_player(), action))


def _load(spec: str) -> Any:
    try:
        import pyspiel
    except ImportError as error:
        raise GameError(
            f"openspiel:{spec} needs OpenSpiel: install the extra openspiel, "
            "pip install 'ludus[openspiel]'"
        ) from error
    name = spec.partition("(")[0]
    if name not in pyspiel.registered_names():
        near = [known for known in pyspiel.registered_names() if name and name[:4] in known]
        hint = f"; did you mean {', '.join(near[:5])}" if near else ""
        raise GameError(f"OpenSpiel has no game {name!r}{hint}")
    try:
        return pyspiel.load_game(spec)
    except Exception as error:
        first = str(error).strip().splitlines()
        raise GameError(f"OpenSpiel refuses {spec!r}: {first[0] if first else error!r}") from error


def _deals(state: Any, most: int) -> list[tuple[tuple[int, ...], float]]:
    """Sequences of chance outcomes up to the next decision or the end, with probabilities.

    It stops when there are more than ``most``.
    """
    found: list[tuple[tuple[int, ...], float]] = []
    open_ones: list[tuple[Any, tuple[int, ...], float]] = [(state, (), 1.0)]
    while open_ones and len(found) <= most:
        at, steps, probability = open_ones.pop()
        if not at.is_chance_node():
            found.append((steps, probability))
            continue
        outcomes = [(outcome, p) for outcome, p in at.chance_outcomes() if p > 0]
        for outcome, p in reversed(outcomes):
            open_ones.append((at.child(outcome), (*steps, outcome), probability * p))
    return found


def _observer(game: Any) -> Any:
    """OpenSpiel's faster way to observations, where the game has it."""
    try:
        from open_spiel.python.observation import make_observation

        return make_observation(game)
    except (ImportError, RuntimeError, ValueError):
        return None
