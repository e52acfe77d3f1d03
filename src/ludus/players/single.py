"""One game at a time, move by move: a person at the table, or a question about one position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import GameError
from ludus.evaluators import LeafBatch
from ludus.players.player import ExternalPlayer, Player, SearchPlayer, slots_settings

_GROUP = 64  # slots of the smallest group, for each searching player


class SingleGame:
    """A game between players, some of whom may be people who are asked from outside.

    It runs through the slots like every other game, so a player does here what it does in a match
    with the same seed.

    Args:
        game: the rules.
        players: who has each seat, in order; None is a person. One alone has all seats.
        seed: of the episode: its dice and cards.
    """

    def __init__(self, game: _core.Game, players: Sequence[Player | None], seed: int) -> None:
        self.game = game
        self.seed = seed
        self._players = list(players)
        searching = sum(isinstance(player, SearchPlayer) for player in players)
        group = _GROUP * max(1, searching)
        self._slots = _core.Slots(
            game,
            slots=group,
            group_size=group,
            seed=seed,
            players=[
                {"kind": "external"} if player is None else slots_settings(player)
                for player in players
            ],
            record=True,
        )
        self._batches: dict[int, LeafBatch] = {}
        for index, player in enumerate(players):
            if isinstance(player, SearchPlayer):
                batch = LeafBatch.allocate(game, self._slots.rows, self._slots.legal_capacity)
                self._slots.bind(
                    0, index, batch.observations, batch.seats, batch.legal, batch.offsets
                )
                self._batches[index] = batch
        self._slots.schedule(
            np.zeros(1, np.int64),
            np.array([seed], np.uint64),
            np.arange(game.num_seats, dtype=np.int8)[None, :] % len(players),
        )
        self._finished: dict[str, npt.NDArray[Any]] | None = None
        self._waiting: tuple[int, npt.NDArray[np.int32]] | None = None
        self.state: _core.State | None = None

    def advance(self) -> bool:
        """Let everybody move until a person must, who then finds :attr:`state`, or to the end.

        Returns: True if a person must move, False at the end of the game.

        Raises:
            GameError: rules written in Python failed; the sentence says where.
            BaseException: what a player raised.
        """
        waiting = self._waiting is not None
        while not waiting and self._slots.busy(0):
            for index, player in enumerate(self._players):
                if isinstance(player, SearchPlayer):
                    self._search(index, player)
                elif waiting := self._ask(index, player):
                    break
        self._require_whole()
        return waiting

    def play(self, action: int) -> None:
        """The person's action at :attr:`state`.

        Raises:
            ValueError: illegal, or nobody is waiting; nothing has changed.
        """
        if self._waiting is None:
            raise ValueError("no person is to move")
        index, slots = self._waiting
        self._slots.decide(0, index, slots, np.array([action], np.int32))
        self._waiting, self.state = None, None

    def next_action(self, columns: dict[str, npt.NDArray[Any]]) -> int:
        """Go to the position after a record, and let the one who is to move choose there.

        Only before the first :meth:`advance`, with no people among the players.
        """
        self._slots.restore(columns)
        before = len(columns["action"])
        while True:
            for index, player in enumerate(self._players):
                if isinstance(player, SearchPlayer):
                    rows = self._slots.collect(0, index)
                    if rows:
                        batch = self._batches[index]
                        player.evaluator.evaluate(batch)
                        self._slots.supply(0, index, batch.logits, batch.values)
                else:
                    self._ask(index, player)
            self._require_whole()
            actions = self.columns()["action"]
            if len(actions) > before:
                return int(actions[before])

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The game so far, as a record in columns."""
        if self._finished is None and not self._slots.busy(0):
            self._finished = self._slots.finished()
        return self._finished if self._finished is not None else self._slots.in_flight()

    def _require_whole(self) -> None:
        for _, sentence in self._slots.failures():
            raise GameError(sentence)

    def _search(self, index: int, player: SearchPlayer) -> None:
        batch = self._batches[index]
        while self._slots.collect(0, index):
            player.evaluator.evaluate(batch)
            self._slots.supply(0, index, batch.logits, batch.values)

    def _ask(self, index: int, player: Player | None) -> bool:
        """Let an outside player move; whether it is a person, who must be waited for."""
        slots, states, keys = self._slots.decisions(0, index)
        if not len(slots):
            return False
        if isinstance(player, ExternalPlayer):
            self._slots.decide(0, index, slots, np.asarray(player.choose(states, keys), np.int32))
            return False
        self._waiting = (index, slots)
        self.state = self.game.state(states[0].tobytes())
        return True


def choice_after(game: _core.Game, player: Player, columns: dict[str, npt.NDArray[Any]]) -> int:
    """What a player would do at the end of an unfinished game, whoever is to move there.

    Args:
        game: the rules.
        player: who is asked.
        columns: the game so far, as of :meth:`SingleGame.columns`.
    """
    asked = SingleGame(game, [player], int(columns["seed"][0]))
    everywhere = {**columns, "seat_players": np.zeros_like(columns["seat_players"])}
    return asked.next_action(everywhere)
