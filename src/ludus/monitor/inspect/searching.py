"""One search, looked at: from any position, or again at a decision of a recorded game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ludus import _core
from ludus.errors import PlayerError
from ludus.evaluators import LeafBatch
from ludus.games import Game, GameEntry
from ludus.games.own import facts
from ludus.players import ExternalPlayer, Player, SearchPlayer, slots_settings
from ludus.players.asking import Asking

_GROUP = 64

NOT_SEARCHED = (
    "where cards are hidden, a search runs in a game from its start, not from a position by "
    "itself: look at a recorded game with `ludus inspect game RUN GAME --search champion`"
)
"""Why a position of a game with hidden information is not searched by itself."""


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Attributes:
        action: chosen.
        value: of the root for the seat to move; None where nothing was searched.
        actions: searched, ascending; with ``visits``, ``q``, ``prior``, ``policy`` beside it.
        visits: of each edge.
        q: value of each edge for the seat to move; 0 without visits.
        prior: of the network.
        policy: the improved policy, which training learns from.
    """

    action: int
    value: float | None = None
    actions: Sequence[int] = ()
    visits: Sequence[int] = ()
    q: Sequence[float] = ()
    prior: Sequence[float] = ()
    policy: Sequence[float] = ()


class _FromHere(Game):
    """A game of the house that begins at a given position, for the tree to search.

    The tree takes games from their start only. A game behind the protocol of own games may start
    anywhere; the search is the same one, bit for bit.
    """

    name = "from_here"

    def __init__(self, state: _core.State) -> None:
        rules = state.game
        self._start = state
        self.num_seats = rules.num_seats
        self.num_actions = rules.num_actions
        self.observation_shape = tuple(rules.observation_shape)
        self.max_plies = rules.max_plies
        self.max_legal = rules.max_legal
        self.max_outcomes = rules.max_outcomes
        self.margin_scale = rules.margin_scale

    def initial(self) -> Any:
        return self._start

    def turn(self, state: Any) -> int:
        if state.kind == "decision":
            return int(state.seat)
        return self.CHANCE if state.kind == "chance" else self.OVER

    def legal(self, state: Any) -> Sequence[int]:
        return list(map(int, state.search_actions()))

    def apply(self, state: Any, action: int) -> Any:
        after = state.copy()
        after.apply(action)
        return after

    def returns(self, state: Any) -> Sequence[float]:
        return list(map(float, state.returns()))

    def observe(self, state: Any, seat: int) -> Any:
        return state.observe(seat)

    def outcomes(self, state: Any) -> Sequence[tuple[int, float]]:
        numbers, shares = state.outcomes()
        return list(zip(map(int, numbers), map(float, shares), strict=True))

    def apply_outcome(self, state: Any, outcome: int) -> Any:
        after = state.copy()
        after.apply_outcome(outcome)
        return after

    def chance_seat(self, state: Any) -> int:
        return int(state.seat)

    def scores(self, state: Any) -> Sequence[float]:
        return list(map(float, state.scores()))


def _own_from(entry: GameEntry, state: _core.State) -> Game:
    """An own game that begins at a position of itself."""
    own = entry.own
    assert own is not None
    kind = type(own)
    start = state.own
    here: Game = kind.__new__(kind)
    here.__dict__.update(own.__dict__)
    here.__dict__["initial"] = lambda: start
    return here


def search_position(
    entry: GameEntry, state: _core.State, player: Player, seed: int = 1
) -> Searched:
    """What a player makes of a position.

    Args:
        entry: the game.
        state: a decision of it.
        player: who is asked. Players without a tree give an action only.
        seed: of the search, and of a player that draws.

    Raises:
        PlayerError: nobody decides here, or a search is asked for where information is hidden.
    """
    if state.kind != "decision":
        raise PlayerError(
            "there is nothing to decide here: "
            + ("chance moves" if state.kind == "chance" else "the game is over")
        )
    if isinstance(player, ExternalPlayer):
        packed = np.frombuffer(state.packed(), np.uint8)[None, :]
        return Searched(int(player.choose(packed, np.array([seed], np.uint64))[0]))
    if entry.rules.has_hidden and isinstance(player, SearchPlayer):
        raise PlayerError(NOT_SEARCHED)  # from here on it would see all cards
    game = _FromHere(state) if entry.own is None else _own_from(entry, state)
    rules = _core.python_game(game, facts(game))
    if isinstance(player, SearchPlayer):
        # The game from here has one kind of decision: that of its first one has its budget.
        settings = dict(player.settings)
        for name in ("simulations", "fast_simulations"):
            if name in settings:
                budgets = list(settings[name])
                settings[name] = [budgets[min(state.decision_kind, len(budgets) - 1)]]
        player = replace(player, settings=settings)
    empty = _record(rules, seed)
    return decide(rules, player, empty, seed=seed, slots=_GROUP, group_size=_GROUP)


def _record(rules: _core.Game, seed: int) -> dict[str, Any]:
    """A game that has not begun, as a record in columns."""
    slots = _core.Slots(
        rules, slots=_GROUP, group_size=_GROUP, seed=seed, players=[{"kind": "external"}]
    )
    seats = np.zeros((1, rules.num_seats), np.int8)
    slots.schedule(np.zeros(1, np.int64), np.array([seed], np.uint64), seats)
    slots.decisions(0, 0)
    return dict(slots.in_flight())


def decide(
    rules: _core.Game,
    player: Player,
    columns: dict[str, Any],
    *,
    seed: int,
    slots: int,
    group_size: int,
) -> Searched:
    """Let a player decide at the end of an unfinished game, with the keys of that game.

    Args:
        rules: the game.
        player: who searches, or chooses at random.
        columns: the game so far, see :func:`ludus.monitor.inspect.stored.first_plies`.
        seed: of the run, which the keys of searches follow from.
        slots: places in the run; the same shape of batches gives the same bits.
        group_size: of a batch.
    """
    made = _core.Slots(
        rules, slots=slots, group_size=group_size, seed=seed, players=[slots_settings(player)]
    )
    game, before = int(columns["game_id"][0]), len(columns["action"])
    group = game % slots // group_size
    made.schedule(columns["game_id"], columns["seed"], columns["seat_players"])
    made.restore(columns)
    asking = Asking(made, rules, group, 0, player) if isinstance(player, SearchPlayer) else None
    after: dict[str, Any] = {}
    while True:
        if asking is not None:
            asking.turn()
        else:
            made.decisions(group, 0)
        after = dict(made.in_flight())
        if not len(after["game_id"]):
            after = dict(made.finished())
        if len(after["action"]) > before:
            break
        failures = made.failures()
        if failures:
            raise PlayerError(failures[-1][1])
    for root in made.sample_roots():
        if (root["game_id"], root["ply"]) == (game, before):
            return Searched(
                int(root["action"]),
                float(root["value"]),
                *(list(root[name]) for name in ("actions", "visits", "q", "prior", "policy")),
            )
    return _of_columns(rules, columns, after, before)


def _of_columns(
    rules: _core.Game, columns: dict[str, Any], after: dict[str, Any], ply: int
) -> Searched:
    """A decision that is no sampled root (forced, or searched with the small budget)."""
    state = rules.initial()
    if int(columns["opening"][0]) >= 0:
        state.apply_outcome(int(columns["opening"][0]))
    for action, outcome in zip(
        columns["action"].tolist(), columns["outcome"].tolist(), strict=True
    ):
        state.apply(action)
        if outcome >= 0:
            state.apply_outcome(outcome)
    begin = int(after["edges"][:ply].astype(np.int64).sum())
    edges = slice(begin, begin + int(after["edges"][ply]))
    visits = after["visits"][edges].tolist()
    return Searched(
        int(after["action"][ply]),
        float(after["root_value"][ply]) if visits else None,
        state.search_actions().tolist() if visits else (),
        visits,
        after["q"][edges].tolist(),
        after["prior"][edges].tolist(),
    )


@dataclass(frozen=True)
class Judged:
    """What an evaluator says of a position by itself.

    Attributes:
        actions: legal for the search, ascending.
        logits: raw, of these actions.
        prior: their softmax.
        values: of each seat, in [-1, 1].
    """

    actions: Sequence[int]
    logits: Sequence[float]
    prior: Sequence[float]
    values: Sequence[float]


def judge(state: _core.State, player: SearchPlayer) -> Judged:
    """The prior and the value of a player's network, without a search.

    Args:
        state: a decision.
        player: whose evaluator is asked.
    """
    rules = state.game
    actions = state.search_actions()
    batch = LeafBatch.allocate(rules, _GROUP, _GROUP * rules.max_legal)
    batch.observations[0] = state.observe(state.seat).reshape(-1)
    batch.seats[0] = state.seat
    batch.legal[: len(actions)] = actions
    batch.offsets[1:] = len(actions)
    player.evaluator.evaluate(batch)
    logits = batch.logits[: len(actions)].astype(np.float64)
    shares = np.exp(logits - logits.max())
    return Judged(
        actions.tolist(),
        logits.tolist(),
        (shares / shares.sum()).tolist(),
        batch.values[0].tolist(),
    )
