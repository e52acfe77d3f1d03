"""What every game must do, checked on random playouts."""

from __future__ import annotations

import functools
import itertools
import random
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.testing.chance import (
    check_chance_event,
    check_draw_frequencies,
    check_sampled_event,
    is_sampled,
)
from ludus.testing.hidden import check_unused_seats, check_worlds, players_of
from ludus.testing.say import refuses, require


class StateLike(Protocol):
    """A position as a value: ``ludus._core.State``, or that of a game in plain Python."""

    @property
    def kind(self) -> str:
        """One of "decision", "chance", "terminal"."""

    @property
    def seat(self) -> int:
        """Seat to move, 0-based."""

    @property
    def decision_kind(self) -> int:
        """Index into the game's ``decision_kinds``; at a decision only."""

    def legal(self) -> npt.NDArray[np.int32]:
        """All legal actions, ascending; at a decision only."""

    def search_actions(self) -> npt.NDArray[np.int32]:
        """One legal action for each distinct effect, ascending."""

    def canonical(self, action: int) -> int:
        """The search action with the same effect."""

    def apply(self, action: int) -> None:
        """Play an action; ValueError and nothing changed if it is illegal."""

    def outcomes(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """Ids and probabilities of a chance event."""

    def apply_outcome(self, outcome: int) -> None:
        """Let a chance event happen."""

    def draw(self, seed: int) -> int:
        """The outcome of this event in the episode with that seed; nothing is applied."""

    def returns(self) -> npt.NDArray[np.float32]:
        """By seat, in [-1, 1]; at the end only."""

    def margins(self) -> npt.NDArray[np.float32]:
        """By seat, tanh of the scaled difference to the best other seat; at the end only."""

    def scores(self) -> npt.NDArray[np.float32]:
        """Points so far by seat."""

    def observe(self, seat: int) -> npt.NDArray[np.float32]:
        """What a seat can see, ``f32[observation_size]``."""

    def packed(self) -> bytes:
        """The position in ``state_size`` bytes."""

    def copy(self) -> Any:
        """An independent position."""

    def key(self) -> int:
        """A hash of the whole position."""


class GameLike(Protocol):
    """Rules. ``ludus._core.Game`` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def num_seats(self) -> int: ...  # noqa: D102
    @property
    def num_actions(self) -> int: ...  # noqa: D102
    @property
    def max_legal(self) -> int: ...  # noqa: D102
    @property
    def max_plies(self) -> int: ...  # noqa: D102
    @property
    def state_size(self) -> int: ...  # noqa: D102
    @property
    def observation_size(self) -> int: ...  # noqa: D102
    @property
    def observation_shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def decision_kinds(self) -> list[str]: ...  # noqa: D102
    @property
    def has_chance(self) -> bool: ...  # noqa: D102
    @property
    def has_hidden(self) -> bool: ...  # noqa: D102

    def initial(self) -> Any:
        """The position before the first event."""

    def state(self, packed: bytes) -> Any:
        """The position of those bytes; ValueError if they are none."""


def check_rules(game: GameLike, *, games: int = 12, seed: int = 0) -> None:
    """Play random games and check at every position what the house relies on.

    Args:
        game: the rules.
        games: random playouts; each position costs about a millisecond.
        seed: of the playouts; a failure names it, so it can be repeated.

    Raises:
        AssertionError: a sentence naming the game, the playout, the ply and what is wrong.
    """
    _check_facts(game)
    keys: dict[int, bytes] = {}
    chance_seen = 0
    for number in range(games):
        chooser = random.Random(f"{seed}/{number}")
        state: StateLike = game.initial()
        plies = 0
        where = f"game {number} of seed {seed}"
        after_chance = False
        while state.kind != "terminal":
            where = f"game {number} of seed {seed}, ply {plies}"
            _check_position(game, state, where)
            known = keys.setdefault(state.key(), state.packed())
            require(
                game, where, known == state.packed(), "two different positions share the same key()"
            )
            if state.kind == "chance":
                require(game, where, not after_chance, "a chance event follows another: merge them")
                chance_seen += 1
                check_event = check_sampled_event if is_sampled(game) else check_chance_event
                check_event(game, state, where)
                state.apply_outcome(state.draw(chooser.getrandbits(63)))
                after_chance = True
            else:
                require(
                    game,
                    where,
                    state.kind == "decision",
                    f'kind is {state.kind!r}, not "decision", "chance" or "terminal"',
                )
                _check_decision(game, state, where, full=plies % 3 == number % 3)
                state.apply(chooser.choice(state.legal().tolist()))
                plies += 1
                after_chance = False
                require(
                    game,
                    where,
                    plies <= game.max_plies,
                    f"the game did not end within max_plies = {game.max_plies} decisions",
                )
        _check_position(game, state, f"{where}, the end")
        _check_end(game, state, f"{where}, the end")
    require(
        game,
        f"seed {seed}",
        (chance_seen > 0) == game.has_chance,
        f"has_chance is {game.has_chance}, but the playouts met {chance_seen} chance events",
    )
    if game.has_chance and not is_sampled(game):
        check_draw_frequencies(game, seed)
    _check_perft(game, seed)


def _check_facts(game: GameLike) -> None:
    where = "facts"
    for fact in ("num_seats", "num_actions", "max_legal", "max_plies", "state_size"):
        value = getattr(game, fact)
        require(game, where, value >= 1, f"{fact} is {value}; it must be at least 1")
    require(
        game, where, len(game.decision_kinds) >= 1, "decision_kinds is empty; name at least one"
    )
    first, second = game.initial(), game.initial()
    require(game, where, first.packed() == second.packed(), "initial() gives different positions")
    refuses(game, where, lambda: game.state(first.packed() + b"\0"), "state() with a byte too many")
    refuses(game, where, lambda: game.state(b""), "state() with no bytes")


def _check_position(game: GameLike, state: StateLike, where: str) -> None:
    """What holds at decisions, chance events and ends alike."""
    packed = state.packed()
    require(
        game,
        where,
        len(packed) == game.state_size,
        f"packed() has {len(packed)} bytes; state_size says {game.state_size}",
    )
    again = game.state(packed)
    same = again.packed() == packed and again.kind == state.kind and again.key() == state.key()
    require(game, where, same, "state(packed()) is another position")
    require(game, where, 0 <= state.seat < game.num_seats, f"seat {state.seat} does not exist")
    scores = np.asarray(state.scores())
    good = scores.shape == (game.num_seats,) and bool(np.isfinite(scores).all())
    require(game, where, good, "scores() must be one finite number for each seat")
    check_unused_seats(game, state, where)
    for seat in range(game.num_seats):
        seen = np.asarray(state.observe(seat))
        require(
            game,
            where,
            seen.shape == (game.observation_size,) and seen.dtype == np.float32,
            f"observe({seat}) is {seen.dtype}{list(seen.shape)}, not "
            f"float32[{game.observation_size}]",
        )
        require(
            game, where, bool(np.isfinite(seen).all()), f"observe({seat}) holds NaN or infinity"
        )
        require(
            game,
            where,
            np.array_equal(seen, again.observe(seat)),
            f"observe({seat}) differs between a position and its packed twin: it reads something "
            "outside the position",
        )
        if game.has_hidden and seat < players_of(game, state):
            check_worlds(game, state, seat, seen, where)
    require(game, where, state.packed() == packed, "looking at a position changed it")


def _check_decision(game: GameLike, state: StateLike, where: str, *, full: bool) -> None:
    kind = state.decision_kind
    require(
        game,
        where,
        0 <= kind < len(game.decision_kinds),
        f"decision_kind {kind} is no index into {list(game.decision_kinds)}",
    )
    legal = [int(a) for a in state.legal()]
    search = [int(a) for a in state.search_actions()]
    for name, actions in (("legal()", legal), ("search_actions()", search)):
        require(game, where, len(actions) > 0, f"{name} is empty although the game goes on")
        ascending = all(a < b for a, b in itertools.pairwise(actions))
        require(game, where, ascending, f"{name} is not strictly ascending: {actions}")
        inside = actions[0] >= 0 and actions[-1] < game.num_actions
        require(game, where, inside, f"{name} leaves [0, {game.num_actions}): {actions}")
    extra = sorted(set(search) - set(legal))
    require(game, where, not extra, f"search_actions() holds illegal actions {extra}")
    require(
        game,
        where,
        len(search) <= game.max_legal,
        f"{len(search)} search actions; max_legal says at most {game.max_legal}",
    )
    for action in legal:
        one = state.canonical(action)
        require(
            game, where, one in search, f"canonical({action}) = {one} is not in search_actions()"
        )
        if action in search:
            require(game, where, one == action, f"search action {action} is not its own canonical")
    if full:
        _check_effects(game, state, legal, search, where)
    _check_refusals(game, state, legal, where)


def _check_effects(
    game: GameLike, state: StateLike, legal: list[int], search: list[int], where: str
) -> None:
    before = state.packed()
    effects: dict[int, bytes] = {}
    for action in legal:
        child = state.copy()
        child.apply(action)
        require(game, where, state.packed() == before, "applying to a copy changed the original")
        require(game, where, child.packed() != before, f"action {action} changes nothing")
        effects[action] = child.packed()
        twin = game.state(before)
        twin.apply(action)
        require(game, where, twin.packed() == effects[action], f"action {action} is not repeatable")
        one = state.canonical(action)
        if one in effects:
            require(
                game,
                where,
                effects[one] == effects[action],
                f"action {action} and its canonical {one} lead to different positions",
            )
    distinct = {effects[action] for action in search}
    require(
        game,
        where,
        len(distinct) == len(search),
        "two search actions have the same effect: canonical() should merge them",
    )


def _check_refusals(game: GameLike, state: StateLike, legal: list[int], where: str) -> None:
    before = state.packed()
    for action in sorted({-1, game.num_actions} | set(range(game.num_actions)) - set(legal)):
        refuses(game, where, functools.partial(state.apply, action), f"illegal action {action}")
        require(
            game, where, state.packed() == before, f"the refused action {action} changed something"
        )
    refuses(game, where, lambda: state.apply_outcome(0), "a chance outcome at a decision")
    refuses(game, where, state.returns, "returns() before the end")
    require(game, where, state.packed() == before, "a refused call changed the position")


def _check_end(game: GameLike, state: StateLike, where: str) -> None:
    refuses(game, where, lambda: state.apply(0), "an action after the end")
    returns, margins = np.asarray(state.returns()), np.asarray(state.margins())
    for name, values in (("returns()", returns), ("margins()", margins)):
        shape = values.shape == (game.num_seats,)
        require(game, where, shape, f"{name} must have one number for each seat")
        inside = bool((np.abs(values) <= 1.0).all())  # also false for NaN
        require(game, where, inside, f"{name} leaves [-1, 1]: {values.tolist()}")
        if game.num_seats == 2:
            zero = abs(float(values.sum())) < 1e-6
            require(game, where, zero, f"{name} of two seats must sum to 0: {values.tolist()}")
    if game.num_seats == 2:
        agree = bool((np.sign(returns) == np.sign(margins)).all())
        require(
            game,
            where,
            agree,
            f"margins() {margins.tolist()} and returns() {returns.tolist()} disagree about who won",
        )


def _check_perft(game: GameLike, seed: int) -> None:
    """Counts of ``_core.perft`` against counting children one by one."""
    state = game.initial()
    if not isinstance(state, _core.State):
        return
    chooser = random.Random(f"{seed}/perft")
    for step in range(12):
        if state.kind == "terminal":
            break
        where = f"event {step} of the perft playout of seed {seed}"
        counted = _count(state, 2)
        for bulk in (False, True) if counted is not None else ():
            found = _core.perft(state, 2, bulk=bulk)
            require(game, where, found == counted, f"perft 2 is {found}, counting gives {counted}")
        if state.kind == "chance":
            state.apply_outcome(state.draw(chooser.getrandbits(63)))
        else:
            state.apply(chooser.choice(state.legal().tolist()))


def _count(state: _core.State, depth: int) -> int | None:
    """Leaves at a depth; None where that takes a chance event that cannot be listed."""
    if depth == 0:
        return 1
    if state.kind == "terminal":
        return int(state.game.ended_are_leaves)
    chance = state.kind == "chance"
    if chance and state.game.sampled_chance:
        return None
    events = state.outcomes()[0] if chance else state.legal()
    total = 0
    for event in events.tolist():
        child = state.copy()
        if chance:
            child.apply_outcome(event)
        else:
            child.apply(event)
        below = _count(child, depth - 1)
        if below is None:
            return None
        total += below
    return total
