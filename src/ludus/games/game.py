"""The protocol by which anybody adds a game: write one class, in plain Python.

A game is a class that says what its positions are, what may be done in them and who has won. That
is all: the search, the training, the arena and the commands are the same as for the games of the
house. A whole game::

    import numpy as np
    from ludus.games import Game

    class Nim(Game):
        \"\"\"Ten matches; take one, two or three; who takes the last one wins.\"\"\"

        name = "nim"
        num_actions = 3            # action a takes a + 1 matches
        observation_shape = (11,)
        max_plies = 10

        def initial(self):
            return (10, 0)         # matches left, seat to move

        def turn(self, state):
            left, seat = state
            return seat if left else self.OVER

        def legal(self, state):
            return range(min(3, state[0]))

        def apply(self, state, action):
            left, seat = state
            return (left - action - 1, 1 - seat)

        def returns(self, state):
            loser = state[1]       # the one who finds no match left
            return [-1, 1] if loser == 0 else [1, -1]

        def observe(self, state, seat):
            seen = np.zeros(11, np.float32)
            seen[state[0]] = 1
            return seen

Saved as ``nim.py`` it is played by ``ludus play nim.py:Nim``. A broken rule of the protocol is
answered with a sentence that names the method, what it returned and what would be right.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ludus.errors import GameError

State = Any
"""Whatever a game likes its positions to be: a tuple, a frozen dataclass, a string, an object.

The house keeps it, hands it back and never looks inside."""


@dataclass(frozen=True)
class Symmetry:
    """A way to turn or mirror a game so that it stays the same game.

    Attributes:
        observation: int[observation size]; the mirrored observation, flat, is
            ``flat[observation]``: entry i comes from entry ``observation[i]``.
        action: int[num_actions]; action a of a position is ``action[a]`` in the mirrored one.
    """

    observation: npt.NDArray[np.intp]
    action: npt.NDArray[np.intp]


class Game(ABC):
    """The rules of a game. One object is enough for any number of games played by them.

    States are values. A method gets a state and must leave it as it is: :meth:`apply` returns a new
    one. Methods are pure: the same state gives the same answer, whenever and wherever it is asked,
    so nothing may be drawn from a random generator; luck is a chance event, see :meth:`turn`.
    A state holds all that its answers depend on (an engine's "no repetition" rule, say).

    The class is made without arguments. Set these as attributes of the class:

    Attributes:
        name: small letters, digits and ``_``; names the run directory.
        version: raise it whenever rules, actions or observations change: networks and games of
            another version are then refused instead of misread.
        num_seats: players, 1 to 8.
        num_actions: actions are the integers 0 to ``num_actions - 1``, at most 65535 of them. An
            action means the same in all positions ("put a stone on square 4"), so a network can
            learn it.
        observation_shape: shape of what :meth:`observe` returns: ``(planes, rows, columns)`` for a
            board, ``(size,)`` for a list of numbers.
        max_plies: most decisions of a game. A game that could go on for ever must end itself there,
            as a draw for instance.
        cap_plies: where the game cuts itself off after so many decisions, that number: games of
            this length are counted as timeouts. None for a game that its rules always end.
        max_legal: most legal actions of a position, at most 1024; None stands for ``num_actions``.
        max_outcomes: most outcomes of a chance event, at most 32767; 0 is a game without chance.
        hidden: whether a seat cannot see everything. Such games can be played and checked; search
            and training need worlds that are still to come, and refuse them with a sentence.
        margin_scale: difference in :meth:`scores` that makes a clear win; margins are
            tanh(difference / margin_scale).
        recipe: settings of a training that this game wants otherwise than the recipe ``alphazero``
            has them, nested by section: ``{"model": {"hidden_dim": 64}}``.
        players: opponents that only this game has, by name. Each is a function
            ``(game, state, rng) -> action`` with a ``random.Random`` that is seeded for the
            decision; its docstring is shown in lists.
    """

    CHANCE: ClassVar[int] = -1
    """:meth:`turn` of a state in which the world moves: dice, a deal."""
    OVER: ClassVar[int] = -2
    """:meth:`turn` of a state in which the game has ended."""

    name: str
    version: int = 1
    num_seats: int = 2
    num_actions: int
    observation_shape: tuple[int, ...]
    max_plies: int
    cap_plies: int | None = None
    max_legal: int | None = None
    max_outcomes: int = 0
    hidden: bool = False
    margin_scale: float = 1.0
    recipe: Mapping[str, Any] = {}
    players: Mapping[str, Callable[[Any, State, random.Random], int]] = {}

    # -- every game ----------------------------------------------------------------------------

    @abstractmethod
    def initial(self) -> State:
        """The state in which a game begins: always the same one.

        Whatever is dealt or thrown at the start is a chance event of that state.
        """

    @abstractmethod
    def turn(self, state: State) -> int:
        """Whose turn it is: a seat (0 to ``num_seats - 1``), ``CHANCE`` or ``OVER``."""

    @abstractmethod
    def legal(self, state: State) -> Sequence[int]:
        """Actions that the seat to move may play, ascending, at least one.

        Asked only where :meth:`turn` gives a seat. A seat that can do nothing gets an action that
        says so ("pass").
        """

    @abstractmethod
    def apply(self, state: State, action: int) -> State:
        """The state after a legal action; the given one stays as it is."""

    @abstractmethod
    def returns(self, state: State) -> Sequence[float]:
        """What each seat gets, in [-1, 1]: 1 won, 0 drawn, -1 lost. Asked only when it is over.

        With two seats the numbers sum to 0.
        """

    @abstractmethod
    def observe(self, state: State, seat: int) -> npt.ArrayLike:
        """What ``seat`` sees: the input of the network.

        It must contain all that matters for the seat's decision, and nothing that it could not
        know. Learning is easiest from the view of the seat that asks: own stones in the first
        plane, the other's in the second, whoever that is.

        Args:
            state: any state, also one in which another seat is to move.
            seat: who looks.

        Returns:
            Numbers of ``observation_shape``, finite, best within about [-1, 1]. A NumPy array of
            float32 is fastest.
        """

    # -- games with chance ---------------------------------------------------------------------

    def outcomes(self, state: State) -> Sequence[tuple[int, float]]:
        """What may happen in a state whose :meth:`turn` is ``CHANCE``.

        Returns:
            Pairs of an outcome, an integer from 0 to ``max_outcomes - 1``, and its probability
            above 0; the probabilities sum to 1. Two dice whose order does not matter are one event
            of 21 outcomes: events never follow each other directly.
        """
        raise GameError(f"{self.name} has chance events, so it must define outcomes()")

    def apply_outcome(self, state: State, outcome: int) -> State:
        """The state after ``outcome`` has happened; the given one stays as it is."""
        raise GameError(f"{self.name} has chance events, so it must define apply_outcome()")

    def chance_seat(self, state: State) -> int:
        """The seat whose event it is (who throws the dice); for records only."""
        return 0

    # -- for people and for measuring ----------------------------------------------------------

    def scores(self, state: State) -> Sequence[float]:
        """Points of each seat so far. Games without points have their returns here at the end."""
        if self.turn(state) == self.OVER:
            return self.returns(state)
        return [0.0] * self.num_seats

    def text(self, state: State) -> str:
        """A drawing of the state for a terminal, some lines."""
        return str(state)

    def action_text(self, state: State, action: int) -> str:
        """An action as people write it."""
        return str(action)

    def parse_action(self, state: State, text: str) -> int:
        """The legal action that a person has typed: its text, or its number.

        Raises:
            GameError: it is none; the sentence goes to the person, who is asked again.
        """
        wanted = " ".join(text.lower().split())
        legal = [int(action) for action in self.legal(state)]
        for action in legal:
            if " ".join(self.action_text(state, action).lower().split()) == wanted:
                return action
        if wanted.isascii() and wanted.isdecimal() and int(wanted) in legal:
            return int(wanted)
        shown = ", ".join(self.action_text(state, action) for action in legal[:20])
        more = ", ..." if len(legal) > 20 else ""
        raise GameError(f"{text.strip()!r} is no action here; there are: {shown}{more}")

    def symmetries(self) -> Sequence[Symmetry]:
        """Ways to turn or mirror the game, the identity left out; none by default."""
        return ()
