"""The game that Ludus plays as an engine, and the player who thinks about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ludus import _core
from ludus.errors import GameError
from ludus.games.analysis import Analyst, Limits, Line, Told
from ludus.players.player import ExternalPlayer, Player, RandomPlayer, SearchPlayer

if TYPE_CHECKING:
    from ludus.games import GameEntry

_MASK = (1 << 64) - 1


def decision_key(seed: int, game: int, ply: int) -> int:
    """The random key that slots with this seed hand to a chooser.

    ``Slots::decisions`` in C++ has it from the finaliser of SplitMix64 (``mix64``), as here: a
    player behind a pipe draws what it would draw in a match.
    """
    word = (_core.derive_seed(seed, "player", game) ^ ply) & _MASK
    word = (word + 0x9E3779B97F4A7C15) & _MASK
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _MASK
    return word ^ word >> 31


class Session:
    """A game in progress with a player who is asked about its positions.

    Attributes:
        entry: the game.
        player: who thinks.
        name: of the player, a word: what interfaces show.
        start: the position that the game began with.
        actions: those played since.
        state: the position now; not to be changed.
        number: of the game; with seed and ply it fixes all random numbers.
    """

    def __init__(self, entry: GameEntry, player: Player, seed: int) -> None:
        self.entry = entry
        self.player = player
        self.name = "Ludus-" + "_".join(player.name.split())
        self.number = 0
        self._seed = seed
        self._decided = False  # whether the player chose in this game
        self.start = self.state = entry.rules.initial()
        self.actions: list[int] = []

    @property
    def over(self) -> bool:
        """Whether the game has ended."""
        return self.state.kind == "terminal"

    def begin(self, start: _core.State | None = None, actions: Sequence[int] = ()) -> None:
        """Go to a position: that after some actions.

        It counts as a new game, whose random numbers are others, when it neither goes on with this
        one nor takes back some of it.

        Raises:
            GameError: an action is illegal; the session is as it was.
        """
        start = self.entry.rules.initial() if start is None else start
        state = start.copy()
        for action in actions:
            if state.kind != "decision":
                raise GameError("the game goes on after its end")
            state.apply(action)
        common = min(len(actions), len(self.actions))
        same = (
            start.packed() == self.start.packed()
            and list(actions[:common]) == self.actions[:common]
            and (len(actions) > 0 or not self.actions)
        )
        if self._decided and not same:
            self.number += 1
            self._decided = False
        self.start, self.actions, self.state = start, list(actions), state

    def play(self, action: int) -> None:
        """Play a legal action.

        Raises:
            GameError: it is illegal.
        """
        state = self.state.copy()
        state.apply(action)
        self.state = state
        self.actions.append(action)

    def take_back(self, count: int) -> None:
        """Take back the last actions."""
        if count:
            self.begin(self.start, self.actions[:-count])

    def think(self, limits: Limits, lines: int = 1, tell: Told | None = None) -> Sequence[Line]:
        """What the player would do here, best first; at least one line.

        Players who do not judge give one line without a value.

        Raises:
            GameError: the player cannot be asked here.
            LudusError: what the player raises.
        """
        self._decided = True
        packed = np.frombuffer(self.state.packed(), np.uint8)
        match self.player:
            case ExternalPlayer(choose=choose) if isinstance(choose, Analyst):
                return choose.analyse(packed, limits, lines, tell)
            case ExternalPlayer(choose=choose):
                key = decision_key(self._seed, self.number, len(self.actions))
                return [Line((int(choose(packed[None], np.array([key], np.uint64))[0]),))]
            case RandomPlayer():
                legal = self.state.legal()
                ply = len(self.actions)
                stream = _core.Stream(self._seed, "player", self.number, ply)
                return [Line((int(legal[stream.below(len(legal))]),))]
            case SearchPlayer():
                return [Line((self._searched(),))]

    def _searched(self) -> int:
        """The action of a player who searches in slots, which know games from the start only."""
        from ludus.players.single import SingleGame, choice_after

        rules = self.entry.rules
        if self.start.packed() != rules.initial().packed():
            raise GameError(
                f"{self.player.name} plays only games from the start of {self.entry.name}"
            )
        seed = self._seed
        if self.number:
            seed = _core.derive_seed(self._seed, "episode", self.number)
        so_far = SingleGame(rules, [None] * rules.num_seats, seed)
        so_far.advance()
        for action in self.actions:
            so_far.play(action)
            so_far.advance()
        return choice_after(rules, self.player, so_far.columns())
